"""Cutting labelled items into parts that keep the share of every class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archdsl.errors import DataError

Indices = npt.NDArray[np.int64]

WHOLE_SHARES = (0.2, 0.2)
"""Validation and test, cut from data that come in one piece; 60 % are left to train on."""

VALIDATION_SHARE = (0.1,)
"""Validation, cut from a train split that comes with its own test split."""


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
    for label, class_name in enumerate(class_names):
        members = np.flatnonzero(labels == label)
        if len(members) < len(parts):
            raise DataError(
                f"{source}: class '{class_name}' has {len(members)} image(s) to split into "
                f"{len(parts)} parts; give it at least {len(parts)}"
            )
        # The legacy generator's stream is frozen: a new NumPy never changes a split.
        members = np.random.RandomState([seed, label]).permutation(members)
        sizes = [max(1, round(share * len(members))) for share in shares]
        bounds = np.cumsum([len(members) - sum(sizes), *sizes])[:-1]
        for part, chosen in zip(parts, np.split(members, bounds), strict=True):
            part.append(chosen)
    return [np.sort(np.concatenate(part)) for part in parts]
