"""Counts, lists and reasons in words."""

from __future__ import annotations

import pytest

from archdsl.document.messages import counted, listed
from archdsl.reporting.formatting import alike_but_for_numbers


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (counted(1, "trial"), "1 trial"),
        (counted(1200, "trial"), "1,200 trials"),
        (listed([1, 2, 3]), "1, 2, 3"),
        (listed(range(5), most=2), "0, 1 and 3 more"),
    ],
)
def test_counts_and_lists(said: str, words: str) -> None:
    assert said == words


def test_reasons_that_differ_in_numbers_are_one() -> None:
    reasons = ["took 1.5 s of 3", "took 1e-3 s of 12", "out of memory", "took 2,000 s of 1"]
    assert list(alike_but_for_numbers(reasons).values()) == [[0, 1, 3], [2]]


def test_reasons_that_differ_in_numbers_are_told_with_their_ranges() -> None:
    from archdsl.reporting.formatting import with_ranges

    assert with_ranges(["took 2.28 times (10 of 10)"]) == "took 2.28 times (10 of 10)"
    told = with_ranges(["took 2.28 times (6 of 10)", "took 1.11 times (10 of 10)"])
    assert told == "took 1.11 to 2.28 times (6 to 10 of 10)"
    assert with_ranges(["version 1.2.3", "version 1.2.4"]) == "version 1.2.3 to 1.2.4"
