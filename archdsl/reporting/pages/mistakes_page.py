"""The surest mistakes of a network as one self-contained page of pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from archdsl.files import write_whole
from archdsl.reporting.pages.page import render_page


@dataclass(frozen=True, kw_only=True)
class ShownMistake:
    """One picture.

    Args:
        pixels: (channels, height, width), one channel or three.
        truth: name of its class.
        answer: name of the class that it was taken for.
        probability: of the answer.
        of_truth: of its class.
    """

    pixels: npt.NDArray[np.uint8]
    truth: str
    answer: str
    probability: float
    of_truth: float


def write_mistakes(
    path: str | Path, mistakes: Sequence[ShownMistake], *, title: str, note: str
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the file; one that is there is replaced.
        mistakes: in the order they are shown.
        title: of the page.
        note: which images were scored, and how many are wrong.

    Raises:
        WriteError: it cannot be written.
    """
    shown = [
        {
            "image": _data_url(each.pixels),
            "truth": each.truth,
            "answer": each.answer,
            "probability": f"{each.probability:.1%}",
            "of_truth": f"{each.of_truth:.1%}",
        }
        for each in mistakes
    ]
    write_whole(path, render_page("mistakes.html", title=title, note=note, mistakes=shown))


def _data_url(pixels: npt.NDArray[np.uint8]) -> Markup:
    channels = pixels.shape[0]
    picture = Image.fromarray(pixels[0] if channels == 1 else pixels.transpose(1, 2, 0))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return Markup("data:image/png;base64," + base64.b64encode(content.getvalue()).decode())
