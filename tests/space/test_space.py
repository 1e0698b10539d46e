"""The space: holes of every form, its size, its enumeration, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archdsl.document.tree import tree_of
from archdsl.errors import Problem
from archdsl.searching.read import CheckedStudy, read_study
from archdsl.space import holes
from archdsl.space.holes import Hole
from archdsl.space.space import Space

ReadStudy = Callable[..., CheckedStudy]
Problems = Callable[..., tuple[Problem, ...]]
AllWays = Callable[[CheckedStudy], Sequence[Mapping[str, Any]]]


def test_choices_and_ranges(study: ReadStudy, all_ways: AllWays) -> None:
    checked = study("depth: {range: [1, 5], step: 2}\nprocess: {dim: {choose: [32, 64]}}")
    assert checked.space.size == 6
    assert list(all_ways(checked)) == [
        {"depth": depth, "process.dim": dim} for depth in (1, 3, 5) for dim in (32, 64)
    ]


def test_a_range_of_fractions_is_exact(study: ReadStudy) -> None:
    checked = study("process: {block: {mlp_ratio: {range: [0.5, 2], step: 0.5}}}")
    (hole,) = checked.space.holes()
    assert hole.labels == (0.5, 1.0, 1.5, 2.0)


def test_a_range_need_not_end_on_a_step(study: ReadStudy) -> None:
    (hole,) = study("depth: {range: [1, 6], step: 2}").space.holes()
    assert hole.labels == (1, 3, 5)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("[0, 1.0e+300], step: 1.0e-300", "so many"),
        ("[-1.0e+308, 1.0e+308], step: 1", "so many"),
        ("[1, 10001]", "10001"),
        ("[0.0, 1.0], step: 1.0e-12", "1000000000001"),
    ],
)
def test_a_range_of_too_many_values_is_refused(problems: Problems, words: str, found: str) -> None:
    [problem] = problems(f"depth: {{range: {words}}}")
    assert problem.message == f"{found} values are more than 10000; widen the step"


def test_holes_under_an_option_exist_only_there(study: ReadStudy, all_ways: AllWays) -> None:
    checked = study(
        "memory:\n"
        "  block:\n"
        "    choose:\n"
        "      none: null\n"
        "      mlp: {type: mlp, mlp_ratio: {choose: [0.5, 1]}}\n"
    )
    assert checked.space.size == 3
    assert list(all_ways(checked)) == [
        {"memory.block": "none"},
        {"memory.block": "mlp", "memory.block[mlp].mlp_ratio": 0.5},
        {"memory.block": "mlp", "memory.block[mlp].mlp_ratio": 1},
    ]
    blocks = [
        (turn.model.spec.memory or pytest.fail("no memory")).block
        for turn in checked.space.enumerate()
    ]
    assert blocks[0] is None
    assert [block.mlp_ratio for block in blocks[1:] if block] == [0.5, 1.0]


def test_a_null_option_deletes_what_the_base_says(study: ReadStudy) -> None:
    space = (
        "choose:\n  two: {}\n"
        "  plain: {memory: null, exchange: null,"
        " output: {streams: [process], predict: process}}\n"
    )
    checked = study(space)
    models = [turn.model for turn in checked.space.enumerate()]
    assert [sorted(model.plan.streams) for model in models] == [["memory", "process"], ["process"]]


def test_same_repeats_a_decision(study: ReadStudy, all_ways: AllWays) -> None:
    checked = study(
        "exchange:\n"
        "  read: {latent_ratio: {choose: [0.5, 1], as: ratio}}\n"
        "  write: {latent_ratio: {same: ratio}}\n"
    )
    assert list(all_ways(checked)) == [{"ratio": 0.5}, {"ratio": 1}]
    for turn in checked.space.enumerate():
        exchange = turn.model.spec.exchange
        assert exchange is not None
        assert exchange.read.latent_ratio == exchange.write.latent_ratio  # type: ignore[union-attr]


def test_a_hole_may_stand_for_the_whole_space(study: ReadStudy, all_ways: AllWays) -> None:
    checked = study("choose: {flat: {depth: 1}, deep: {depth: {choose: [3, 4]}}}")
    assert list(all_ways(checked)) == [
        {"space": "flat"},
        {"space": "deep", "space[deep].depth": 3},
        {"space": "deep", "space[deep].depth": 4},
    ]


def test_a_choice_of_bases(study: ReadStudy, folder: Path, all_ways: AllWays) -> None:
    text = (folder / "tiny.yaml").read_text()
    (folder / "wide.yaml").write_text(text.replace("dim: 32", "dim: 64"))
    checked = study("depth: {choose: [1, 2]}", base={"choose": ["tiny", "wide"]})
    assert checked.space.size == 4
    assert [way["base"] for way in all_ways(checked)] == ["tiny", "tiny", "wide", "wide"]
    base = checked.space.base_candidate()
    assert base is not None
    assert base.spec.process.dim == 32


def test_without_a_base_the_space_is_the_document(study: ReadStudy, folder: Path) -> None:
    text = (folder / "tiny.yaml").read_text().replace("depth: 2", "depth: {choose: [1, 3]}")
    checked = study(text, base=None)
    assert checked.space.base_candidate() is None
    depths = [turn.model.spec.depth for turn in checked.space.enumerate()]
    assert depths == [1, 3]


def test_a_base_travels_with_its_study(folder: Path, study: ReadStudy) -> None:
    study("depth: {choose: [1, 2]}")
    (folder / "else").mkdir()
    for name in ("study.yaml", "tiny.yaml"):
        (folder / name).rename(folder / "else" / name)
    assert read_study("else/study.yaml").space.size == 2


@pytest.mark.parametrize(
    ("space", "line", "message"),
    [
        ("depth: {choose: []}", 16, "no options"),
        ("depth: {choose: 3}", 16, "'choose' is|3 is not a list of options"),
        ("depth: {choose: [1, 2, 1]}", 16, "1 stands there twice"),
        ("depth: {range: [4, 1]}", 16, "low <= high"),
        ("depth: {range: [1]}", 16, "low <= high"),
        ("depth: {range: [1, 2], step: 0}", 16, "above 0"),
        ("depth: {range: [1, 2.5]}", 16, "a range of fractions needs one"),
        ("depth: {range: [1, 900000]}", 16, "more than 10000"),
        ("depth: {choose: [1, 2], step: 1}", 16, "known here: choose, as"),
        ("depth: {choose: [1, 2], as: [x]}", 16, "is not a name"),
        ("depth: {choose: [1, 2], as: base}", 16, "two holes are named 'base'"),
        ("depth: {choos: [1, 2]}", 16, "did you mean 'choose'"),
        ("depth: {Range: [1, 2]}", 16, "did you mean 'range'"),
        ("depth: {same: d}", 16, "'d' names no hole"),
        ("depth: {choose: [1, 2], as: d}\nprocess: {dim: {same: e}}", 17, "'e' is not one of: d"),
        ("layers: [{at: [0], process: {blocks: {choose: [1, 2]}}}]", 16, "items of a list"),
        (
            "choose:\n  a: {depth: {choose: [1, 2], as: d}}\n  b: {}\nprocess: 3",
            16,
            "unknown key in a hole",
        ),
        (
            "process: {dim: {choose: {a: {choose: [32, 64], as: d}, b: 32}}}\n"
            "memory: {dim: {same: d}}",
            17,
            "inside another option",
        ),
        ("depth: {choose: [1, {same: d}], as: d}", 16, "around this"),
    ],
)
def test_holes_that_cannot_be_filled(
    problems: Problems, space: str, line: int, message: str
) -> None:
    found = problems(space)
    assert any(problem.line >= line for problem in found)
    assert all(problem.source.endswith("study.yaml") for problem in found)
    assert any(part in problem.message for problem in found for part in message.split("|"))


def test_every_option_is_checked_and_the_line_of_the_study_is_named(problems: Problems) -> None:
    found = problems(
        "depth:\n  choose:\n    - 1\n    - 0\nmemory: {embed: {patch_size: {choose: [2, 3, 5]}}}\n"
    )
    start = min(problem.line for problem in found)
    assert [problem.line - start for problem in found] == [0, 1, 1]
    assert [problem.path for problem in found] == [
        "depth", "memory.embed.patch_size", "memory.embed.patch_size",
    ]  # fmt: skip
    assert all("study.yaml" in problem.source for problem in found)


def test_an_option_that_does_not_go_with_a_word_of_the_base(problems: Problems) -> None:
    found = problems("process:\n  dim:\n    choose: [32, 40]")
    assert {problem.path for problem in found} == {"process.dim"}
    assert all(problem.source.endswith("study.yaml") for problem in found)
    assert any(
        "40 does not go with process.block.head_dim" in problem.message
        and "tiny.yaml:8" in problem.message
        for problem in found
    )


def test_the_first_option_is_blamed_like_any_other(problems: Problems) -> None:
    found = problems("process: {dim: {choose: [40, 32]}, block: {mlp_ratio: {choose: [1, 2]}}}")
    assert {problem.path for problem in found} == {"process.dim"}
    assert all(problem.source.endswith("study.yaml") for problem in found)
    assert any("40 does not go with process.block.head_dim" in each.message for each in found)


def test_inner_values_of_a_range_are_checked(problems: Problems) -> None:
    found = problems("process: {dim: {range: [32, 48], step: 8}}")
    assert all("40 does not go with" in problem.message for problem in found)


def test_a_hole_without_a_valid_option(problems: Problems) -> None:
    found = problems("depth: {choose: [0, -1]}")
    assert [problem.message for problem in found] == ["0 is below 1", "-1 is below 1"]


def test_problems_of_words_and_of_the_space_are_told_at_once(problems: Problems) -> None:
    found = problems("depth: {choose: [1, 0]}", objectives={"top1": "up"}, budget={"trials": 0})
    assert {problem.path for problem in found} == {"objectives.top1", "budget.trials", "depth"}
    lines = [problem.line for problem in found]
    assert lines == sorted(lines), "as they stand in the document"


def test_of_a_word_that_is_wrong_nothing_more_is_said(problems: Problems) -> None:
    found = problems("depth: {choose: [1]}", base=5)
    assert {problem.message for problem in found} == {
        "5 is not text; in quotes it is",
        "5 is not a mapping",
    }


def test_an_option_that_is_invalid_in_one_branch_only(study: ReadStudy, problems: Problems) -> None:
    """Options are checked beside the first of the others; later combinations are free redraws."""
    space = "process: {dim: {choose: [32, 48]}, block: {head_dim: {choose: [16, 32]}}}\n"
    checked = study(space)
    valid = sum(candidate.is_valid for candidate in checked.space.enumerate())
    assert (checked.space.size, valid) == (4, 3)
    assert problems("memory: {block: {choose: {a: null, b: {type: mlp, mlp_ratio: -1}}}}")


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("tinny", "did you mean|nor on the specs/ shelf"),
        ("nowhere/tiny.yaml", "does not exist"),
        ({"choose": ["tiny", "gone.yaml"]}, "gone.yaml"),
        ({"choose": ["tiny", {"depth": 1}]}, "name or path"),
        (None, ""),
    ],
)
def test_a_base_that_is_not_there(problems: Problems, base: object, message: str) -> None:
    if base is None:
        found = problems("{}", base=None)
        assert any("process" in problem.path or "missing" in problem.message for problem in found)
        return
    found = problems("depth: {choose: [1, 2]}", base=base)
    assert [problem.path for problem in found] == ["base"]
    assert found[0].line in (4, 5), "where the base is named"
    assert any(part in found[0].message for part in message.split("|"))


def test_a_base_with_problems_names_its_own_file(problems: Problems, folder: Path) -> None:
    text = (folder / "tiny.yaml").read_text()
    (folder / "tiny.yaml").write_text(text.replace("depth: 2", "depht: 2"))
    found = problems("process: {dim: {choose: [32, 64]}}")
    assert any(p.source.endswith("tiny.yaml") and p.line == 4 for p in found)


def test_the_base_is_taken_with_the_images_and_classes_of_the_study(study: ReadStudy) -> None:
    """What the space fixes of the data holds for the base; what it fixes of the model does not."""
    space = "image: {channels: 3}\noutput: {num_classes: 4, pool: mean}\ndepth: 1\n"
    checked = study(f"{space}process: {{dim: {{choose: [64, 32]}}}}")
    base = checked.space.base_candidate()
    assert base is not None
    assert (base.spec.image.channels, base.spec.output.num_classes) == (3, 4)
    assert (base.spec.image.size, base.spec.depth, base.spec.process.dim) == ((8, 8), 2, 32)


def test_a_base_that_does_not_go_with_the_images_is_told(problems: Problems) -> None:
    space = "image: {size: 9}\nmemory: {embed: {patch_size: 3}}\n"
    found = problems(f"{space}process: {{embed: {{patch_size: {{choose: [3, 9]}}}}}}")
    assert {problem.path for problem in found} == {
        "process.embed.patch_size",
        "memory.embed.patch_size",
    }


def test_a_base_may_be_written_in_place(study: ReadStudy, folder: Path) -> None:
    document = yaml.safe_load((folder / "tiny.yaml").read_text()) | {"name": "inside", "depth": 3}
    checked = study("process: {dim: {choose: [32, 64]}}", base=document)
    assert list(checked.space.bases) == ["inside"]
    base = checked.space.base_candidate()
    assert base is not None
    assert (base.spec.depth, checked.space.size) == (3, 2)


@pytest.mark.parametrize("word", ["depth", "dephth"])
def test_a_base_in_place_has_no_holes_and_no_unknown_words(
    problems: Problems, folder: Path, word: str
) -> None:
    document = yaml.safe_load((folder / "tiny.yaml").read_text())
    document[word] = {"choose": [1, 2]} if word == "depth" else 2
    found = problems("process: {dim: {choose: [32, 64]}}", base=document)
    assert any("without holes" in p.message or p.path == "dephth" for p in found)


SCALARS = st.one_of(st.integers(0, 9), st.sampled_from(["x", "y", "z"]), st.none())
KEYS = st.sampled_from(["a", "b", "c"])


def hole_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    listed = st.lists(SCALARS, min_size=1, max_size=3, unique=True)
    labelled = st.dictionaries(KEYS, inner, min_size=1, max_size=3)
    ranges = st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 2)).map(
        lambda ends: {"range": [ends[0], ends[0] + ends[1]], "step": ends[2]}
    )
    return st.one_of(listed, labelled).map(lambda options: {"choose": options}) | ranges


SPACES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.dictionaries(KEYS, inner, max_size=3), hole_of(inner)),
    max_leaves=8,
)


class FromParams:
    """Decides as recorded decisions say."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params

    def decide(self, hole: Hole) -> int:
        wanted = self.params[hole.name]
        return next(
            index
            for index, label in enumerate(hole.labels)
            if label == wanted and type(label) is type(wanted)
        )


@given(document=st.dictionaries(KEYS, SPACES, max_size=3))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_size_is_the_number_of_ways(document: dict[str, Any]) -> None:
    """Every way to decide is enumerated once, and its recorded decisions lead back to it."""
    part, found = holes.parse(tree_of(document, source="space"))
    assert not found
    space = Space(bases={}, overlay=part)
    if space.size > 3000:
        return
    ways = []
    for candidate in space.enumerate():
        again = space.walk(FromParams(dict(candidate.params)))
        assert again.tree == candidate.tree
        ways.append(tuple((name, repr(label)) for name, label in candidate.params.items()))
    assert len(ways) == len(set(ways)) == space.size
