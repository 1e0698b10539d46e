"""The surest mistakes of a network as pictures, and one self-contained page of them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from archdsl.files import write_whole
from archdsl.reporting.pages.page import render_page
from archdsl.training.scoring import Mistake


def pictures_of(
    mistakes: Sequence[Mistake], class_names: Sequence[str], *, largest: int | None = None
) -> list[dict[str, str]]:
    """What the macro `mistakes` of `parts.html` shows, in the order given.

    Args:
        mistakes: of a network.
        class_names: by its labels.
        largest: side of a picture in pixels, to which larger ones are scaled.
    """
    return [
        {
            "image": _data_url(each.pixels, largest),
            "truth": class_names[each.label],
            "answer": class_names[each.answer],
            "probability": f"{each.probability:.1%}",
            "of_truth": f"{each.of_label:.1%}",
        }
        for each in mistakes
    ]


def write_mistakes(
    path: str | Path,
    mistakes: Sequence[Mistake],
    class_names: Sequence[str],
    *,
    title: str,
    note: str,
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the file; one that is there is replaced.
        mistakes: in the order they are shown.
        class_names: by the network's labels.
        title: of the page.
        note: which images were scored, and how many are wrong.

    Raises:
        WriteError: it cannot be written.
    """
    shown = pictures_of(mistakes, class_names)
    write_whole(path, render_page("mistakes.html", title=title, note=note, mistakes=shown))


def _data_url(pixels: npt.NDArray[np.uint8], largest: int | None) -> Markup:
    picture = Image.fromarray(pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0))
    if largest is not None:
        picture.thumbnail((largest, largest))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return Markup("data:image/png;base64," + base64.b64encode(content.getvalue()).decode())
