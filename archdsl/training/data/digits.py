"""The 1,797 handwritten digits that scikit-learn carries: 8x8 grey scans, ten classes.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
"""

from __future__ import annotations

import numpy as np

from archdsl.training.data.dataset import Dataset
from archdsl.training.data.in_memory import Labelled, memory_dataset
from archdsl.training.data.split import PARTS, WHOLE_SHARES, cut_from, stratified_split

SCAN_LEVELS = 16
"""The scans count ink in steps of 0 to 16."""


def open_digits(*, name: str, split_seed: int) -> Dataset:
    """Load the digits as 0-255, split 60/20/20 by seed."""
    # scikit-learn takes a second to import: whoever uses other data need not wait for it.
    from sklearn.datasets import load_digits

    scans = load_digits()
    images = np.rint(scans.images * (255 / SCAN_LEVELS)).astype(np.uint8)[:, None]
    everything = Labelled(images=images, labels=scans.target.astype(np.int64))
    class_names = [str(digit) for digit in scans.target_names]
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
