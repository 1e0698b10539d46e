"""What steers a terminal, in names of others: by each door that text leaves by."""

from __future__ import annotations

import json

import pytest

from archdsl.document.messages import listed, one_of
from archdsl.document.text import read_text
from archdsl.document.write import to_yaml
from archdsl.errors import DocumentError, Problem
from archdsl.printable import REPLACEMENT, clean, escaped, one_line, printable

TITLE = "a\x1b]0;x\x07b"
EVIL = ["a\x1b[2Jb", TITLE, "a\x9b2Jb", "a\u202eb", "a\u2066b\u2069", "a\u200fb", "a\rb", "a\x7fb"]


@pytest.mark.parametrize("text", EVIL)
def test_what_steers_a_terminal_is_not_shown(text: str) -> None:
    for made in (printable(text), one_line(text), clean(text)):
        assert made.isprintable()
        assert made.startswith("a")


def test_lines_stay_where_there_may_be_several() -> None:
    assert printable("a  b\n\tc\x1b") == f"a  b\n\tc{REPLACEMENT}"
    assert one_line("a  b\nc") == f"a  b{REPLACEMENT}c"
    assert clean(" a  b\nc\ud800") == f"a b c{REPLACEMENT}"
    assert printable("ناجي ❤\u200d🔥 ü") == "ناجي ❤\u200d🔥 ü", "joiners are letters' own"


@pytest.mark.parametrize("text", [*EVIL, "plain", "a\u2028b", "a\x85b"])
def test_json_and_yaml_hold_it_escaped_and_mean_the_same(text: str) -> None:
    value = {text: [text, {"name": text}]}
    as_json = escaped(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(as_json) == value
    as_yaml = to_yaml(value)
    assert read_text(as_yaml, source="x").plain() == value
    for made in (as_json, as_yaml):
        assert made.replace("\n", "").isprintable()


def test_values_names_and_keys_in_messages_are_on_one_line() -> None:
    found = f"'ad{REPLACEMENT}d{REPLACEMENT}'"
    assert one_of("ad\nd\x1b", ["a"]) == f"{found} is not one of: a"
    assert listed(["a\nb.png", "c"]) == f"a{REPLACEMENT}b.png, c"
    rows = [Problem(source="a\x1b.yaml", line=1, column=1, path="x\ny", message="unknown key")]
    assert str(DocumentError(rows)).splitlines() == [
        f"a{REPLACEMENT}.yaml: 1 problem",
        f"  1:1  x{REPLACEMENT}y  unknown key",
    ]
