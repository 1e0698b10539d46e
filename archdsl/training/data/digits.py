"""The 1,797 handwritten digits that scikit-learn carries: 8x8 grey scans, ten classes.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
"""

from __future__ import annotations

from importlib.metadata import distribution

import numpy as np

from archdsl.training.data.dataset import Dataset
from archdsl.training.data.in_memory import Labelled, memory_dataset
from archdsl.training.data.split import PARTS, WHOLE_SHARES, cut_from, stratified_split

SCAN_LEVELS = 16
"""The scans count ink in steps of 0 to 16."""


def open_digits(*, name: str, split_seed: int) -> Dataset:
    """Load the digits as 0-255, split 60/20/20 by seed."""
    # scikit-learn takes a second to import, and its file is all that is wanted of it.
    file = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    scans = np.loadtxt(str(file), delimiter=",")
    pixels = scans[:, :-1].reshape(-1, 8, 8) * (255 / SCAN_LEVELS)
    images = np.rint(pixels).astype(np.uint8)[:, None]
    everything = Labelled(images=images, labels=scans[:, -1].astype(np.int64))
    class_names = [str(digit) for digit in range(10)]
    indices = stratified_split(
        everything.labels,
        shares=WHOLE_SHARES,
        seed=split_seed,
        class_names=class_names,
        source=name,
    )
    return memory_dataset(
        dict(zip(PARTS, map(everything.at, indices), strict=True)),
        name=name,
        class_names=class_names,
        sources=cut_from("", shares=WHOLE_SHARES, seed=split_seed),
    )
