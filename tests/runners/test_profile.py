"""Run profiles: the shelf's documents, and times with units."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from archdsl.document.text import read_file
from archdsl.document.validate import validate
from archdsl.runners.profile import RunProfile

SHELF = Path(__file__).parents[2] / "runners"
LEAST = {"archdsl": 1, "kind": "runner", "name": "x", "executor": "local"}


@pytest.mark.parametrize("path", sorted(SHELF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_of_the_shelf_is_valid_and_named_as_its_file(path: Path) -> None:
    profile = validate(read_file(path), RunProfile)
    assert profile.name == path.stem


def test_defaults() -> None:
    profile = RunProfile.model_validate(LEAST)
    assert profile.training.device == "auto"
    assert profile.storage == "archdsl-files"
    assert profile.data == {}
    assert profile.time_limit_s is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30min", 1800), ("2h", 7200), ("1.5 h", 5400)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    assert RunProfile.model_validate(LEAST | {"time_limit": text}).time_limit_s == seconds


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (30, "30 has no unit, and 30 seconds are not 30 minutes; write 30s, 30min or 30h"),
        (1.5, "1.5 has no unit"),
        ("30", "'30' is not a time"),
        ("0s", "a number above 0"),
        ("30 m", "its unit: 90s, 30min or 2h"),
        ("-3s", "is not a time"),
        (True, "is not a time"),
    ],
)
def test_other_times_are_refused_with_the_reason(value: object, reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RunProfile.model_validate(LEAST | {"time_limit": value})
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        {"executor": "cloud"},
        {"kind": "study"},
        {"training": {"device": "tpu"}},
        {"epochs": 3},
        {"data": {"flowers": 3}},
        {"storage": ""},
    ],
)
def test_what_is_no_profile_is_refused(words: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RunProfile.model_validate(LEAST | words)
