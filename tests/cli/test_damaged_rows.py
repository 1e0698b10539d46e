"""Rows that something else than archdsl wrote: told before they are used, each by its key."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

Run = Callable[..., Any]

TRIAL = "trial 3 of 'tabular': "
DAMAGE = {
    "text for a number": (
        "UPDATE trials SET seconds = 'long' WHERE number = 3",
        f"{TRIAL}trials id=4: seconds is 'long', not a number",
    ),
    "text for a measured number": (
        "UPDATE measurements SET value = '?' WHERE id = 7",
        f"{TRIAL}measurements id=7: value is '?', not a number",
    ),
    "negative latency": (
        "UPDATE trial_values SET value = -4 WHERE trial_id = 4 AND objective = 'latency'",
        f"{TRIAL}trial_values trial_id=4, objective=latency: value is '-4.0', not a possible value",
    ),
    "infinite latency": (
        "UPDATE measurements SET value = 9e999 WHERE id = 7",
        f"{TRIAL}measurements id=7: value is 'Inf', not a possible value",
    ),
    "an interval upside down": (
        "UPDATE measurements SET low = 9, high = 1 WHERE id = 7",
        f"{TRIAL}measurements id=7: low is '9.0', above the upper end of the interval",
    ),
    "facts that are no numbers": (
        'UPDATE architectures SET facts = \'{"params": "many"}\''
        " WHERE arch_id = (SELECT arch_id FROM trials WHERE number = 3)",
        'facts is \'{"params": "many"}\', not all of them numbers',
    ),
    "facts that are no JSON": (
        "UPDATE architectures SET facts = '{\"params'"
        " WHERE arch_id = (SELECT arch_id FROM trials WHERE number = 3)",
        "facts is '{\"params', not a JSON object",
    ),
    "unknown state": (
        "UPDATE trials SET state = 'lost' WHERE number = 3",
        f"{TRIAL}trials id=4: state is 'lost', none of: running, complete",
    ),
    "broken JSON": (
        "UPDATE trials SET params = '{\"depth' WHERE number = 3",
        f"{TRIAL}trials id=4: params is '{{\"depth', not a JSON object",
    ),
    "JSON of another kind": (
        "UPDATE measurements SET detail = '[]' WHERE id = 7",
        f"{TRIAL}measurements id=7: detail is '[]', not a JSON object",
    ),
    "no architecture": (
        "DELETE FROM architectures WHERE arch_id = (SELECT arch_id FROM trials WHERE number = 3)",
        "which no row of architectures has",
    ),
    "no measurement": (
        "DELETE FROM measurements WHERE id = 7",
        f"{TRIAL}trial_values trial_id=4, objective=latency: measurement_id is '7', which no row",
    ),
    "no values": (
        "DELETE FROM trial_values WHERE trial_id = 4",
        f"{TRIAL}trial_values: 0 of its 2 values are there",
    ),
    "no claim": (
        "UPDATE trials SET state = 'running' WHERE number = 3",
        f"{TRIAL}trials id=4: state is 'running', and no row of claims says whose it is",
    ),
    "no time": (
        "UPDATE trials SET started = 'noon' WHERE number = 3",
        f"{TRIAL}trials id=4: started is 'noon', not a time",
    ),
    "no trial": (
        "DELETE FROM trial_values WHERE trial_id = 4; DELETE FROM trials WHERE id = 4",
        "study 'tabular': trials: 5 rows, where trials 0 to 5 should be",
    ),
    "broken study": (
        "UPDATE studies SET document = '{'",
        "study 'tabular': studies id=1: document is '{', not a JSON object",
    ),
    "no version": ("DELETE FROM archdsl_version", "its version (the row of archdsl_version)"),
    "no version table": ("DROP TABLE archdsl_version", "its version (the row of archdsl_version)"),
    "no table": ("DROP TABLE claims", "its table claims is gone"),
}


def change(statements: str) -> None:
    with closing(sqlite3.connect("archdsl.db")) as connection:
        connection.executescript(statements)


def count() -> int:
    with closing(sqlite3.connect("archdsl.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM trials").fetchone()[0])


@pytest.mark.parametrize(("statements", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_told_before_anything_is_paid(
    run: Run, searched: Any, statements: str, message: str
) -> None:
    change(statements)
    before = count()
    for words in (["front"], ["search", "study.yaml", "--trials", "8"]):
        done = run(*words, code=2)
        assert message in done.err
        assert "a copy" in done.err
        assert done.out == ""
    assert count() == before


def test_all_of_it_at_once_and_what_can_be_read(run: Run, searched: Any) -> None:
    change("UPDATE trials SET seconds = 'long', attempt = 'x' WHERE number IN (3, 4)")
    done = run("report", code=2)
    for trial in (3, 4):
        for column in ("seconds", "attempt"):
            assert f"trial {trial} of 'tabular': trials id={trial + 1}: {column} is" in done.err
    assert "4 values are damaged" in done.err
    assert "the other 4 of 6 trials of 'tabular' can be read one by one" in done.err
    run("export", "2", "-o", "two.yaml")
    assert "trial 5, complete" in run("show", "5").out
    assert "seconds is 'long'" in run("show", "3", code=2).err
    assert "seconds is 'long'" in run("studies", "copy", "tabular", "--to", "b.db", code=2).err
    assert "seconds is 'long'" in run("watch", "--once", code=2).err


def test_the_doctor_looks_at_a_whole_database(run: Run, searched: Any) -> None:
    change("UPDATE measurements SET protocol = '' WHERE id IN (1, 9)")
    found = run("doctor", "--json", code=1).json()["findings"]
    [store] = [each for each in found if each["name"] == "store"]
    assert "2 damaged values" in store["found"]
    assert "measurements id=1: protocol is ''" in store["found"]
    assert "measurements id=9: protocol is ''" in store["found"]
    assert "bring back a copy" in store["remedy"]


NO_DOCUMENTS = {
    "empty": ("UPDATE architectures SET spec = '{}'", "spec is no model: archdsl: missing"),
    "a version": (
        "UPDATE architectures SET spec = '{\"archdsl\": 1}'",
        "spec is no model: name: missing",
    ),
    "other words": (
        'UPDATE architectures SET spec = \'{"archdsl": 1, "name": "x", "image": 3}\'',
        "spec is no model: image: 3 is not a mapping",
    ),
    "a list": ("UPDATE architectures SET spec = '[]'", "spec is '[]', not a JSON object"),
    "nothing": ("UPDATE architectures SET spec = 'null'", "spec is 'null', not a JSON object"),
    "a study of a text": (
        'UPDATE studies SET document = \'{"evaluate": "x"}\'',
        "document is no study: ",
    ),
}


@pytest.mark.parametrize(("statements", "message"), NO_DOCUMENTS.values(), ids=NO_DOCUMENTS)
def test_json_that_is_no_document_is_damage(
    run: Run, searched: Any, statements: str, message: str
) -> None:
    change(statements)
    for words in (["front"], ["report", "-o", "r.html"]):
        done = run(*words, code=2)
        assert message in done.err
        assert "a copy" in done.err
    found = run("doctor", "--json", code=1).json()["findings"]
    assert any(message in each["found"] for each in found if each["name"] == "store")


def test_a_study_that_says_nothing_is_refused(run: Run, searched: Any) -> None:
    change("UPDATE studies SET document = '{}'")
    message = "study 'tabular': studies id=1: document is no study: KeyError: 'evaluate'"
    for words in (["front"], ["report", "-o", "r.html"], ["export", "--csv", "trials.csv"]):
        assert message in run(*words, code=2).err
    assert message in run("doctor", code=1).out


@pytest.mark.parametrize("goals", ["{}", '{"latency": "up", "top1": "maximize"}'])
def test_a_study_that_aims_at_nothing_is_refused(run: Run, searched: Any, goals: str) -> None:
    change(f"UPDATE studies SET objectives = '{goals}'")
    for words in (["front"], ["report", "-o", "r.html"]):
        assert "not what to minimize or maximize" in run(*words, code=2).err
    assert "not what to minimize or maximize" in run("doctor", code=1).out


DETAILS = {
    "count": ['"x"', "null", "{}", '["x"]', "[null]"],
    "correct": ["5", '["x"]'],
    "hits": ["5", "[5]"],
    "blocks_ms": ['"x"', "[1.5]"],
    "steady": ['"x"', "1"],
    "unsteady": ['"x"', "[1]"],
    "weights": ["5", "[]"],
    "train_seconds": ['"x"', "null"],
}


@pytest.mark.parametrize(
    ("part", "value"), [(part, value) for part, values in DETAILS.items() for value in values]
)
def test_a_detail_of_another_type_is_damage(run: Run, searched: Any, part: str, value: str) -> None:
    change(f"UPDATE measurements SET detail = '{{\"{part}\": {value}}}' WHERE id = 7")
    found = run("front", code=2).err
    assert f"{TRIAL}measurements id=7: detail is " in found
    assert f"whose {part} is not " in found


def test_a_detail_of_another_type_is_told_by_every_reader(run: Run, searched: Any) -> None:
    change('UPDATE measurements SET detail = \'{"count": "x"}\' WHERE id = 7')
    message = (
        f'{TRIAL}measurements id=7: detail is \'{{"count": "x"}}\', '
        "whose count is not a number or a list of numbers"
    )
    for words in (
        ["show", "3"],
        ["report", "-o", "r.html"],
        ["export", "3", "-o", "three.yaml"],
        ["export", "--csv", "trials.csv"],
        ["search", "study.yaml", "--trials", "8"],
    ):
        assert message in run(*words, code=2).err
    assert message in run("doctor", code=1).out


def test_details_as_archdsl_writes_them_are_sound(run: Run, searched: Any) -> None:
    detail = (
        '{"count": [9, 8], "correct": [3, 4], "hits": [[1, 2], [3, 1]], "blocks_ms": [[1.5], []],'
        ' "steady": true, "unsteady": [], "weights": "a", "train_seconds": 1, "images": {}}'
    )
    change(f"UPDATE measurements SET detail = '{detail}' WHERE id = 7")
    run("front")
    change('UPDATE measurements SET detail = \'{"count": 72, "unsteady": ["x"]}\' WHERE id = 7')
    run("front")


RUNS = {
    "detail without scores": (
        """UPDATE runs SET detail = '{"name": "x", "source": "y"}'""",
        "whose scores.top1 is not a number",
    ),
    "a source of another type": (
        "UPDATE runs SET detail = json_set(detail, '$.source', 3)",
        "whose source is not a text",
    ),
    "a recipe of another type": (
        "UPDATE runs SET protocol = json_set(protocol, '$.recipe', 'short')",
        "whose recipe.epochs is not a number",
    ),
    "no time": ("UPDATE runs SET created = 'noon'", "created is 'noon', not a time"),
    "seeds of another type": (
        "UPDATE runs SET protocol = json_set(protocol, '$.seeds', 0)",
        "whose seeds is not a list of numbers",
    ),
}
TRAINING = """
    INSERT INTO runs (id, arch_id, key, place, weights_digest, protocol, detail, created)
    SELECT 1, arch_id, 'k', 'runs/one', 'd', '{"recipe": {"epochs": 3}, "seeds": [0]}',
        '{"name": "x", "source": "digits", "scores": {"top1": 90}}', '2026-01-01T00:00:00'
    FROM trials WHERE number = 3
"""


@pytest.mark.parametrize(("statements", "message"), RUNS.values(), ids=RUNS)
def test_a_damaged_training_is_told(run: Run, searched: Any, statements: str, message: str) -> None:
    change(TRAINING)
    assert "90.00 %" in run("runs").out
    change(statements)
    found = run("runs", code=2).err
    assert "runs id=1: " in found
    assert message in found
    assert message in run("doctor", code=1).out


def test_views_hold_nothing_and_are_made_anew(run: Run, searched: Any) -> None:
    before = run("front", "--robust", "--json").out
    change("DROP VIEW front; DROP VIEW front_robust")
    assert run("front", "--robust", "--json").out == before
