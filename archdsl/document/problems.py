"""Problems that are found apart, of a text and of its words, told together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from archdsl.errors import DocumentError, Problem


def once(of_text: Sequence[Problem], of_words: Sequence[Problem]) -> list[Problem]:
    """All problems, without those of words whose text is already refused in the same place."""
    places = {(each.source, each.line, each.column) for each in of_text}
    return [*of_text, *(p for p in of_words if (p.source, p.line, p.column) not in places)]


@contextmanager
def beside(of_text: Sequence[Problem]) -> Iterator[None]:
    """Judge the words of a document whose text, or settings over it, have problems of their own.

    Raises:
        DocumentError: they have, or the words within do; all problems.
    """
    try:
        yield
    except DocumentError as error:
        raise DocumentError(once(of_text, error.problems)) from None
    if of_text:
        raise DocumentError(of_text)
