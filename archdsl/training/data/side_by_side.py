"""The same work on many files, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from archdsl.errors import DataError

ERRORS_SHOWN = 5

W = TypeVar("W")
T = TypeVar("T")


def attempt_all(
    files: Sequence[W], work: Callable[[W], T], *, threads: int | None = None
) -> list[T | DataError]:
    """What came of each file, or what is wrong with it.

    Args:
        files: by their paths or places.
        work: on one file.
        threads: files side by side; as many as torch may use threads here unless given.
    """

    def attempt(file: W) -> T | DataError:
        try:
            return work(file)
        except DataError as error:
            return error

    if threads == 1:
        return [attempt(file) for file in files]
    # Pillow decodes outside the interpreter lock, so threads are enough.
    with ThreadPoolExecutor(threads or torch.get_num_threads()) as pool:
        return list(pool.map(attempt, files))


def raise_all(errors: Sequence[DataError]) -> None:
    """
    Raises:
        DataError: there are some; the first few by name.
    """
    if errors:
        more = len(errors) - ERRORS_SHOWN
        lines = [str(each) for each in errors[:ERRORS_SHOWN]]
        raise DataError("\n".join([*lines, *([f"and {more} more"] * (more > 0))]))


def for_all(files: Sequence[W], work: Callable[[W], T], *, threads: int | None = None) -> list[T]:
    """What came of each file; see `attempt_all`.

    Raises:
        DataError: what is wrong with any of them, the first few by name.
    """
    found = attempt_all(files, work, threads=threads)
    raise_all([each for each in found if isinstance(each, DataError)])
    return [each for each in found if not isinstance(each, DataError)]
