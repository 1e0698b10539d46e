"""Rounds: in turns, until enough of them are undisturbed, or it is no use to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from archdsl.measuring.interference import take_rounds


def numbered(name: str, taken: list[str]) -> Callable[[], int]:
    numbers: Iterator[int] = count()

    def take() -> int:
        number = next(numbers)
        taken.append(f"{name}{number}")
        return number

    return take


def test_all_are_taken_in_turns_until_there_are_enough() -> None:
    taken: list[str] = []
    found = take_rounds(
        [numbered("a", taken), numbered("b", taken)], enough=lambda rounds: len(rounds) == 3
    )
    assert taken == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert found.kept == [(0, 0), (1, 1), (2, 2)]
    assert found.undisturbed and not found.discarded


def test_rounds_that_were_disturbed_are_taken_again() -> None:
    found = take_rounds(
        [numbered("a", [])],
        enough=lambda rounds: len(rounds) == 2,
        disturbed=lambda number: number in (0, 2),
    )
    assert found.kept == [(1,), (3,)]
    assert found.discarded == [(0,), (2,)]
    assert found.undisturbed


def test_what_comes_later_may_tell_of_what_was_taken_before() -> None:
    taken: list[str] = []
    found = take_rounds(
        [numbered("a", taken)],
        enough=lambda rounds: len(rounds) == 2,
        disturbed=lambda number: number == 0 and len(taken) > 1,
    )
    assert found.kept == [(1,), (2,)]


def test_all_count_where_it_is_no_use_to_go_on() -> None:
    seen: list[tuple[int, int]] = []

    def give_up(taken: object, undisturbed: int) -> bool:
        seen.append((len(found_rounds), undisturbed))
        return len(found_rounds) == 3

    found_rounds: list[str] = []
    found = take_rounds(
        [numbered("a", found_rounds)],
        enough=lambda rounds: len(rounds) == 3,
        disturbed=lambda number: number == 1,
        give_up=give_up,
    )
    assert found.kept == [(0,), (1,), (2,)]
    assert not found.undisturbed and not found.discarded
    assert seen == [(0, 0), (1, 1), (2, 1), (3, 2)]
