"""Cutting labelled items into parts that keep the share of every class."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from archdsl.document.messages import listed
from archdsl.errors import DataError

Indices = npt.NDArray[np.int64]
Contents = npt.NDArray[np.uint64]
"""64 bits of each item's digest."""

PARTS = ("train", "validation", "test")

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
    contents: Contents | None = None,
    uncut: bool = False,
) -> list[Indices]:
    """Cut `shares` of every class off; the same seed always gives the same parts.

    Args:
        labels: (items,) one label per item.
        shares: of each part that is cut off; a part gets at least one item of every class.
        seed: decides which items.
        class_names: by label.
        source: named in errors.
        contents: (items,) equal for copies of one item, which stay together where they have one
            label; None where nobody knows of any.
        uncut: whether a class of fewer items than there are parts is left to train on whole.

    Returns:
        Ascending indices: first what is left to train on, then one part per share.

    Raises:
        DataError: a class has fewer items than there are parts.
    """
    parts = len(shares) + 1
    first = np.arange(len(labels)) if contents is None else _first_copies(contents, labels)
    own = np.flatnonzero(first == np.arange(len(labels)))
    if not uncut:
        _refuse_small_classes(labels[own], parts=parts, class_names=class_names, source=source)
    part_of = np.zeros(len(labels), dtype=np.int8)
    counts = np.bincount(labels[own], minlength=len(class_names))
    by_label = own[np.argsort(labels[own], kind="stable")]
    for label, found in enumerate(np.split(by_label, np.cumsum(counts)[:-1])):
        if len(found) < parts:
            continue
        # The legacy generator's stream is frozen: a new NumPy never changes a split.
        members = np.random.RandomState([seed, label]).permutation(found)
        sizes = [max(1, round(share * len(members))) for share in shares]
        bounds = np.cumsum([len(members) - sum(sizes), *sizes])[:-1]
        for part, chosen in enumerate(np.split(members, bounds)):
            part_of[chosen] = part
    part_of = part_of[first]
    return [np.flatnonzero(part_of == part) for part in range(parts)]


def _first_copies(contents: Contents, labels: Indices) -> Indices:
    """(items,) the first item of the same content and label as each."""
    order = np.lexsort((labels, contents))
    others = _changes(contents[order]) | _changes(labels[order])
    found = np.empty_like(order)
    found[order] = order[np.maximum.accumulate(np.where(others, np.arange(len(order)), 0))]
    return found


def _changes(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which of them differ from the one before; the first does."""
    found = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=found[1:])
    return found


def _different(contents: Contents) -> Contents:
    """Each once, in order; `numpy.unique` takes five times the memory."""
    contents = np.sort(contents)
    return contents[_changes(contents)]


P = TypeVar("P", bound="Part")


class Part(Protocol):
    """Labelled items."""

    @property
    def labels(self) -> Indices:
        """(count,) one label per item."""

    def at(self, chosen: Indices, /) -> Self:
        """Some of the items."""


def cut_missing(
    given: Mapping[str, P],
    sources: Mapping[str, str],
    *,
    contents: Contents | None,
    seed: int,
    class_names: Sequence[str],
    source: str,
    uncut: bool = False,
) -> tuple[dict[str, P], dict[str, str]]:
    """The parts of a data set, those that are not there cut off `train`.

    Validation is cut where it is missing; test, too, where neither is there.

    Args:
        given: `train`, and what there is of `validation` and `test`.
        sources: where each of them comes from, in words; empty for what is no part by itself.
        contents: see `stratified_split`; of `train`.
        seed: decides the cut.
        class_names: by label.
        source: named in errors.
        uncut: see `stratified_split`.

    Returns:
        The parts, and where each comes from, in words.
    """
    missing = [part for part in ("validation", "test") if part not in given]
    if missing == ["test"]:
        missing = []  # networks are chosen by validation, and none is tested
    shares = {(): (), ("validation",): VALIDATION_SHARE}.get(tuple(missing), WHOLE_SHARES)
    indices = stratified_split(
        given["train"].labels,
        shares=shares,
        seed=seed,
        class_names=class_names,
        source=source,
        contents=contents,
        uncut=uncut,
    )
    whole = given["train"]
    cut = dict(zip(("train", *missing), map(whole.at, indices), strict=True)) if missing else {}
    told = cut_from(sources["train"], shares=shares, seed=seed) if missing else {}
    parts, words = {**given, **cut}, {**sources, **told}
    order = [part for part in PARTS if part in parts]
    return {part: parts[part] for part in order}, {part: words[part] for part in order}


def copies(parts: Mapping[str, tuple[Contents, Indices]]) -> Iterator[str]:
    """Says which items occur in two parts, or under two labels.

    Args:
        parts: `contents`, see `stratified_split`, and labels of each.
    """
    different = {part: _different(contents) for part, (contents, _) in parts.items()}
    for one, other in itertools.combinations(parts, 2):
        shared = np.intersect1d(different[one], different[other], assume_unique=True)
        if len(shared):
            of = f"{len(different[other])} different images of {other}"
            yield f"also in {one}: {len(shared)} of {of}"
    every = np.sort(np.concatenate([contents for contents, _ in parts.values()]))
    others = _changes(every)
    count, again = int(others.sum()), _different(every[~others])
    del every, others
    chosen = [np.isin(contents, again) for contents, _ in parts.values()]
    contents, labels = (
        np.concatenate([each[some] for each, some in zip(column, chosen, strict=True)])
        for column in zip(*parts.values(), strict=True)
    )
    order = np.lexsort((labels, contents))
    contents, labels = contents[order], labels[order]
    if twice := len(_different(contents[_changes(labels) & ~_changes(contents)])):
        yield f"under more than one label: {twice} of {count} different images"


def cut_from(origin: str, *, shares: Sequence[float], seed: int) -> dict[str, str]:
    """Where the parts come from that were cut: `20 % of every class of train/, by seed 0`.

    Args:
        origin: what was cut, in words; empty for all there is.
        shares: see `stratified_split`; of validation, and of test where that is cut, too.
        seed: decided the cut.
    """
    of = f" of {origin}" if origin else ""
    return {
        part: f"{100 * share:.0f} % of every class{of}, by seed {seed}"
        for part, share in zip(PARTS, (1 - sum(shares), *shares), strict=False)
    }


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
            f"{source}: too few different images to split each class into {parts} parts; "
            f"give at least {parts} to {first}"
        )
