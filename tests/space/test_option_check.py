"""Options are checked before a search: all that a person wrote, in a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from archdsl.errors import Problem
from archdsl.searching.read import CheckedStudy
from archdsl.space import option_check

ReadStudy = Callable[..., CheckedStudy]
Problems = Callable[..., tuple[Problem, ...]]


@pytest.mark.parametrize("count", [3, 101, 1001])
@pytest.mark.parametrize(
    "around",
    ["process: {{dim: {{choose: {}}}}}", "choose: {{a: {{process: {{dim: {{choose: {}}}}}}}}}"],
)
def test_a_wrong_option_is_found_wherever_it_stands(
    problems: Problems, count: int, around: str
) -> None:
    dims = [16 * n for n in range(1, count)]
    dims.insert(count // 2, 99999)
    [found] = problems(around.format(dims))
    assert found.message == "99999 is above 65536"


def test_every_wrong_option_is_found(problems: Problems) -> None:
    dims = [16 * n for n in range(1, 200)] + [70000, 80000] + [16 * n for n in range(200, 300)]
    assert [each.message.partition(" ")[0] for each in problems(
        f"process: {{dim: {{choose: {dims}}}}}"
    )] == ["70000", "80000"]  # fmt: skip


def test_a_label_that_stands_there_twice_is_found_in_a_long_list(problems: Problems) -> None:
    started = time.process_time()
    names = [f"n{n}" for n in range(40_000)]
    found = problems(f"name: {{choose: {[*names, 'n7']}}}")
    assert any("'n7' stands there twice" in each.message for each in found)
    assert time.process_time() - started < 6, "a second, unless each looks at all before it"


@pytest.mark.parametrize(
    ("space", "unchecked"),
    [
        ("depth: {range: [1, 100]}", 0),
        ("depth: {range: [1, 101]}", 99),
        ("process: {block: {mlp_ratio: {range: [1, 60], step: 0.25}}}", 235),
        ("process: {dim: {choose: [32, 64]}}", 0),
    ],
)
def test_what_is_not_checked_is_said(study: ReadStudy, space: str, unchecked: int) -> None:
    checked = study(space)
    assert checked.unchecked == unchecked
    said = f"{unchecked} options are too many to check before a search"
    assert [said in warning for warning in checked.warnings()] == [True] * bool(unchecked)


@pytest.fixture
def deep(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tiny` with 60 layers, each of which has an exception of its own."""
    monkeypatch.setattr(option_check, "MOST_VALUES", 20_000)
    document: dict[str, Any] = yaml.safe_load((folder / "tiny.yaml").read_text())
    document["depth"] = 60
    document["layers"] = [
        {"at": [n], "process": {"block": {"mlp_ratio": 1 + n % 7}}} for n in range(60)
    ]
    (folder / "tiny.yaml").write_text(yaml.safe_dump(document))


@pytest.mark.usefixtures("deep")
def test_what_a_person_wrote_comes_before_what_lies_between(
    problems: Problems, study: ReadStudy
) -> None:
    """Of a document that takes long to check, the values inside ranges are left to the search."""
    ranges = (
        "exchange:\n"
        "  read: {latent_ratio: {range: [0.125, 12.5], step: 0.125}}\n"
        "  write: {latent_ratio: {range: [0.125, 12.5], step: 0.125}}\n"
    )
    assert 0 < study(ranges).unchecked < 200
    options = "process: {dim: {choose: [16, 32, 99999, 64]}}"
    [found] = problems(ranges + options)
    assert found.message == "99999 is above 65536"
