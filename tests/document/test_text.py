"""YAML text becomes the values a person meant, or every problem is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from archdsl.document.settings import lay
from archdsl.document.text import MOST_BYTES, read_draft, read_file, read_text, read_value
from archdsl.document.tree import tree_of
from archdsl.errors import DocumentError, NameNotFoundError


def refused(text: str) -> list[str]:
    """`line:column path: message` of each problem."""
    with pytest.raises(DocumentError) as caught:
        read_text(text, source="x.yaml")
    return [f"{each.place} {each.path}: {each.message}" for each in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-4", 0.0001),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("+3", 3),
        ("-0", 0),
        ("12:30", "12:30"),
        ("no", "no"),
        ("off", "off"),
        ("On", "On"),
        ("y", "y"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("007", "007"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("2024-01-31", "2024-01-31"),
        ("'1'", "1"),
        ('"a\\tb"', "a\tb"),
        ("250ms", "250ms"),
    ],
)
def test_scalars_mean_what_was_written(written: str, meant: object) -> None:
    value = read_text(f"a: {written}\n", source="x.yaml").plain()["a"]
    assert value == meant
    assert type(value) is type(meant)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["1:1 : the document is empty; it starts with 'archdsl: 1'"]),
        ("# only this\n", ["1:1 : the document is empty; it starts with 'archdsl: 1'"]),
        ("- a\n- b\n", ["1:1 : a document is a mapping, found a list"]),
        ("\nhello\n", ["2:1 : a document is a mapping, found only 'hello'"]),
        (
            "a:1\nb:2\n",
            [
                "1:1 : a document is a mapping, found only 'a:1 b:2'; "
                "a space is missing after the colon: write 'a: 1'"
            ],
        ),
        ("a: 1\nb: {a: 1,\n    a: 2}\n", ["3:5 b.a: duplicate key 'a', first in line 2"]),
        ("a: 1\na: 2\na: 3\n", [f"{n}:1 a: duplicate key 'a', first in line 1" for n in (2, 3)]),
        ("a:\n  12: x\n", ["2:3 a.12: the key 12 is not a word; quote it if it is meant as text"]),
        ("null: x\n", ["1:1 null: the key null is not a word; quote it if it is meant as text"]),
        ("? [a]\n: x\n", ["1:3 : a key is a word, not a list or mapping"]),
        ("a: *b\n", ["1:4 a: the alias *b names no earlier anchor"]),
        ("a: &a [1, *a]\n", ["1:11 a[1]: the alias *a stands inside the value it names"]),
        (
            "a: 1e999\n",
            ["1:4 a: 1e999 is beyond the largest number there is; in quotes it is text"],
        ),
        (
            f"a: {'9' * 41}\n",
            ["1:4 a: a number of 41 characters is longer than any word needs"],
        ),
        (
            "a: 1\n---\nb: 2\n",
            ["2:1 : a second document in one file; write it as its own file"],
        ),
        ("a: 1\nb: \x07\n", ["2:4 : not YAML: the character U+0007 is not allowed in a text"]),
        ("a: \ud800\n", ["1:4 : not YAML: the character U+D800 is not allowed in a text"]),
        ("a: [1, 2\n", ["2:1 : not YAML: did not find expected ',' or ']'"]),
        ("a:\n\tb: 1\n", ["2:1 : not YAML: a tab stands here; indent with spaces"]),
    ],
)
def test_every_problem_of_a_text_has_a_place(text: str, problems: list[str]) -> None:
    assert refused(text) == problems


def test_tags_are_refused_not_obeyed(tmp_path: Path) -> None:
    proof = tmp_path / "obeyed"
    [problem] = refused(f"a: !!python/object/apply:os.mkdir ['{proof}']\n")
    assert problem.startswith("1:4 a: the tag ")
    assert "is not allowed; write the plain value" in problem
    assert not proof.exists()


def test_aliases_cannot_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    [problem] = refused("\n".join(lines))
    assert problem.endswith("more than 50000 values once aliases are followed")


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 5000, "a: " + "{a: " * 5000, "? " * 5000 + "a", "{? " * 5000],
    ids=["lists", "mappings", "keys", "keys in mappings"],
)
def test_nesting_ends_before_the_stack_does(text: str) -> None:
    [problem] = refused(text)
    assert problem.endswith("nested deeper than 40 levels")


def test_a_setting_is_nested_no_deeper_than_a_text() -> None:
    lay(tree_of({}, source="x"), ".".join(["a"] * 40) + "=1")
    for depth in (41, 1000, 100_000):
        with pytest.raises(DocumentError, match="nested deeper than 40 levels"):
            lay(tree_of({}, source="x"), ".".join(["a"] * depth) + "=1")


def test_aliases_are_values_like_any_other() -> None:
    tree = read_text("a: &x {b: [1]}\nc: *x\n", source="x.yaml")
    assert tree.plain() == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_all_problems_of_a_text_come_together() -> None:
    assert len(refused("a: 1\na: !x 2\n3: 4\nb: 1e999\n")) == 4


def test_a_draft_keeps_what_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\na: 2\nb: {c: 1e999}\n")
    draft = read_draft(path)
    assert draft.tree.plain()["a"] == 1
    assert draft.doubtful == (("a",), ("b", "c"))
    with pytest.raises(DocumentError):
        draft.whole()


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_file(path).plain() == {"a": 1}


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(DocumentError, match="not UTF-8 text") as caught:
        read_file(path)
    assert caught.value.problems[0].place == "2:1"


def test_a_large_file_is_not_even_parsed(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(DocumentError, match="larger than 1024 KiB"):
        read_file(path)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NameNotFoundError, match="is a directory"):
        read_file(tmp_path)


def test_a_setting_may_be_any_value() -> None:
    assert read_value("[1, {a: null}]", source="--set").plain() == [1, {"a": None}]
    assert read_value("", source="--set").plain() is None


def test_merge_keys_are_read_as_everywhere() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  z: 5\n  <<: [*a, *b]\nd: {'<<': 1}\n"
    plain = read_text(text, source="x.yaml").plain()
    assert (plain["c"], plain["d"]) == ({"x": 1, "y": 2, "z": 5}, {"<<": 1})
    assert refused("a: {<<: 3}\n") == [
        "1:9 a.<<: a merge key takes a mapping or a list of mappings, such as <<: *name"
    ]


@pytest.mark.parametrize(
    ("text", "place", "meant"),
    [
        ("a:\n  b: {c:2, d: 3}\n", "2:7", "c: 2"),
        ("a: 1\nb:2\nc: 3\n", "2:1", "b: 2"),
        ("b:2\nc: 3\n", "1:1", "b: 2"),
        ("a: 1\nb:{c: 2, d: 3}\n", "2:1", "b: {c: 2, d: 3}"),
        ("a: {b:[1], c: 2}\n", "1:5", "b: [1]"),
        ("a: 1\nb:2", "2:1", "b: 2"),
    ],
)
def test_a_missing_space_is_named_where_it_is_missing(text: str, place: str, meant: str) -> None:
    assert refused(text) == [f"{place} : a space is missing after the colon: write '{meant}'"]


def test_a_missing_space_after_a_dash_is_named() -> None:
    assert refused("a:\n  - {b: 1}\n  -{b: 2}\n") == [
        "3:3 : a space is missing after the dash: write '- {b: 2}'"
    ]


@pytest.mark.parametrize(
    ("text", "place", "found", "wanted", "beside"),
    [
        ("a:\n  b: 1\n   c: 2\n  d: 3\n", "3:4", "3 spaces", 2, 2),
        ("a:\n  b: 1\n c: 2\n  d: 3\n", "3:2", "1 space", 2, 2),
        ("a:\n  b: 1\nc: 2\n  d: 3\n", "3:1", "0 spaces", 2, 2),
        ("a: 1\n  b: 2\nc: 3\n", "2:3", "2 spaces", 0, 1),
        (" a: 1\nb: 2\nc: 3\n", "1:2", "1 space", 0, 2),
        ("a:\n  - b: 1\n   c: 2\n", "3:4", "3 spaces", 4, 2),
        ("a:\n  b: 1\n   c:\n     d: 2\n  e: 3\n", "3:4", "3 spaces", 2, 2),
    ],
)
def test_a_line_indented_otherwise_than_its_neighbours_is_named(
    text: str, place: str, found: str, wanted: int, beside: int
) -> None:
    said = f"indented by {found}, which fits no line around it; indent it by {wanted}"
    assert refused(text) == [f"{place} : {said} to stand beside line {beside}"]


def test_several_mistakes_that_end_the_reading_come_at_once() -> None:
    assert [each.split(" ")[0] for each in refused("a:1\nb: 2\n c: 3\nd:4\ne: {f:5}\ng: [1\n")] == [
        "1:1", "3:2", "4:1", "7:1",
    ]  # fmt: skip
