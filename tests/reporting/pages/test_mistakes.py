"""Pictures of mistakes, as a page holds them."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from archdsl.reporting.pages.mistakes_page import pictures_of
from archdsl.training.scoring import Mistake


def test_large_pictures_are_scaled_where_a_page_holds_many() -> None:
    pixels = np.full((3, 100, 50), 7, np.uint8)
    mistake = Mistake(pixels=pixels, label=0, answer=1, probability=0.905, of_label=0.05)
    for largest, size in ((None, (50, 100)), (64, (32, 64))):
        [told] = pictures_of([mistake], ["<a>", "b"], largest=largest)
        content = base64.b64decode(told.pop("image").removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(content)).size == size
        shares = {"probability": "90.5%", "of_truth": "5.0%"}
        assert told == {"truth": "<a>", "answer": "b", **shares}
