"""Cutting labelled items into parts that keep the share of every class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archdsl.document.messages import listed
from archdsl.errors import DataError

Indices = npt.NDArray[np.int64]

WHOLE_SHARES = (0.2, 0.2)
"""Validation and test, cut from data that come in one piece; 60 % are left to train on."""

VALIDATION_SHARE = (0.1,)
"""Validation, cut from a train split that comes with its own test split."""

CLASSES_SHOWN = 5


def stratified_split(
    labels: Indices,
    *,
    shares: Sequence[float],
    seed: int,
    class_names: Sequence[str],
    source: str,
) -> list[Indices]:
    """Cut `shares` of every class off; the same seed always gives the same parts.

    Args:
        labels: (items,) one label per item.
        shares: of each part that is cut off; a part gets at least one item of every class.

    Returns:
        Ascending indices: first what is left to train on, then one part per share.

    Raises:
        DataError: a class has fewer items than there are parts.
    """
    parts: list[list[Indices]] = [[] for _ in range(len(shares) + 1)]
    _refuse_small_classes(labels, parts=len(parts), class_names=class_names, source=source)
    for label in range(len(class_names)):
        members = np.flatnonzero(labels == label)
        # The legacy generator's stream is frozen: a new NumPy never changes a split.
        members = np.random.RandomState([seed, label]).permutation(members)
        sizes = [max(1, round(share * len(members))) for share in shares]
        bounds = np.cumsum([len(members) - sum(sizes), *sizes])[:-1]
        for part, chosen in zip(parts, np.split(members, bounds), strict=True):
            part.append(chosen)
    return [np.sort(np.concatenate(part)) for part in parts]


def _refuse_small_classes(
    labels: npt.NDArray[np.int64], *, parts: int, class_names: Sequence[str], source: str
) -> None:
    counts = np.bincount(labels, minlength=len(class_names))
    few = [
        f"'{name}' ({count})"
        for name, count in zip(class_names, counts, strict=True)
        if count < parts
    ]
    if few:
        first = listed(few, most=CLASSES_SHOWN, rest=" and {} more")
        raise DataError(
            f"{source}: too few images to split each class into {parts} parts; "
            f"give at least {parts} to {first}"
        )
