"""The script beside an exported network: it classifies a picture with the engine alone."""

from __future__ import annotations

from archdsl.compiler.export.formats import Format

NAME = "classify.py"

_HEAD = '''\
"""What pictures show: python classify.py PICTURE …; needs NumPy, Pillow and the engine alone."""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

'''
# As archdsl reads pictures (`archdsl/training/data/pictures.py`).
_TAIL = """

def image_of(path):
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode.startswith("I;16"):
        levels = np.minimum(np.asarray(picture) >> (read["depth"] - 8), 255)
        picture = Image.fromarray(levels.astype(np.uint8))
    grey = Image.new("RGBA", picture.size, (128, 128, 128, 255))  # behind what is transparent
    picture = Image.alpha_composite(grey, picture.convert("RGBA"))
    picture = picture.convert("L" if read["channels"] == 1 else "RGB")
    height, width = read["image_size"]
    border = (1 - read["crop_pct"]) / 2
    picture = ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC, bleed=border)
    levels = np.asarray(picture, np.float32).reshape(height, width, -1)
    return (levels - np.float32(read["mean"])) / np.float32(read["std"])


failed = False
for path in sys.argv[1:]:
    try:
        image = image_of(path)
    except (OSError, ValueError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        failed = True
        continue
    [logits] = logits_of(np.ascontiguousarray(image.transpose(2, 0, 1)[None]))
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    best = shares.argsort()[::-1][:3]
    print(path, *(f"{read['class_names'][label]} {shares[label]:.1%}" for label in best))
if failed:
    sys.exit(1)
"""


def script(into: Format) -> str:
    """For a network in a format."""
    return _HEAD + into.script + _TAIL
