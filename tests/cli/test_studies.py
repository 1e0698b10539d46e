"""`archdsl studies`: listed, deleted, renamed and copied from the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.cli.main import load_command
from archdsl.errors import StoreError, StudyError
from archdsl.records import Measurement, Outcome, State
from archdsl.store.owner import Owner
from archdsl.store.rows import Architecture, NewTrial
from archdsl.store.store import open_store

Run = Callable[..., Any]
WORDS = ("delete", "rename", "copy")


@pytest.mark.parametrize("word", WORDS)
def test_each_word_has_help_with_an_example(run: Run, word: str) -> None:
    text = " ".join(run("studies", word, "--help").out.split())
    assert f"Example: archdsl studies {word}" in text
    assert "--json" in text


def test_the_words_are_those_of_the_help(run: Run) -> None:
    assert set(load_command("studies").commands) == set(WORDS)  # type: ignore[attr-defined]


def test_studies_are_listed(run: Run, searched: Any) -> None:
    (listed,) = run("studies", "--json").json()["studies"]
    changed = listed.pop("last_change")
    assert listed == {
        "study": "tabular",
        "state": "complete",
        "trials": 6,
        "budget": 6,
        "front": len(searched.json()["members"]),
        "database": str(Path("archdsl.db").absolute()),
    }
    heading, line = run("studies").out.splitlines()
    assert heading.split()[:4] == ["study", "state", "trials", "front"]
    assert line.split()[:3] == ["tabular", "complete", "6/6"]
    assert changed.partition("T")[0] in line
    with open_store("archdsl.db") as store:
        row = store.studies.ensure(name="later", document={}, objectives={"top1": "maximize"})
        states = [each["state"] for each in run("studies", "--json").json()["studies"]]
        assert states == ["complete", "unfinished"]
        new = NewTrial(architecture=Architecture(arch_id="aa"))
        store.trials.add(new, study_id=row.id, budget=None, owner=Owner.current())
        states = [each["state"] for each in run("studies", "--json").json()["studies"]]
        assert states == ["complete", "running"]
        told = run("studies", "delete", "later", "--yes", code=2).err
        assert "study 'later' is searched right now" in told


def test_options_before_the_word_are_refused(run: Run, searched: Any) -> None:
    told = run("studies", "--db", "other.db", "delete", "tabular", code=2).err
    assert "archdsl studies delete … --db …" in told


def test_deleting_asks_first(run: Run, searched: Any) -> None:
    assert "no terminal to answer at: say --yes" in run("studies", "delete", "tabular", code=2).err
    assert "did you mean 'tabular'?" in run("studies", "delete", "tabula", "--yes", code=2).err
    assert _answered("n") == 0
    assert len(run("studies", "--json").json()["studies"]) == 1
    assert _answered("y") == 0
    assert run("studies", "--json").json() == {"studies": []}


def _answered(answer: str) -> int:
    """The exit code of a deletion that is answered at a terminal."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "archdsl", "studies", "delete", "tabular"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        os.write(ours, f"{answer}\n".encode())
        _, told = command.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert b"delete 'tabular' with its 6 trials" in told
    return command.returncode


def test_weights_go_only_when_asked_for(run: Run, searched: Any, folder: Path) -> None:
    weights = folder / "files" / "a" / "seed-3" / "weights.safetensors"
    weights.parent.mkdir(parents=True)
    with open_store("archdsl.db") as store:
        arch_id = store.trials.get(store.studies.find("tabular").id, 0).arch_id
        trained = Measurement(
            quantity="top1", value=50.0, low=49.0, high=51.0, unit="%", protocol={"seeds": [3, 4]},
            detail={"weights": str(folder / "files" / "a")},
        )  # fmt: skip
        store.measurements.record(arch_id, trained)
    weights.write_bytes(b"whatever")
    shutil.copy("archdsl.db", folder / "files" / "kept.db")
    gone = run("studies", "delete", "tabular", "--yes", "--json").json()
    assert (gone["study"], gone["trials"], gone["weights"]) == ("tabular", 6, [])
    assert weights.exists()
    shutil.move(folder / "files" / "kept.db", "kept.db")
    gone = run("studies", "delete", "tabular", "--db", "kept.db", "-y", "--weights", "--json")
    assert gone.json()["weights"] == [str(weights)]
    assert not weights.exists()


def test_a_renamed_study_is_found_by_its_new_name(run: Run, searched: Any) -> None:
    done = run("studies", "rename", "tabular", "first")
    assert "tabular is called first now" in done.out
    assert "its YAML document still says tabular" in done.err
    again = run("search", "study.yaml", "--set", "name=first", "--json").json()
    assert again["members"] == [
        {**member, "study": "first"} if "study" in member else member
        for member in searched.json()["members"]
    ]
    assert [each["study"] for each in run("studies", "--json").json()["studies"]] == ["first"]
    told = run("studies", "rename", "first", "x" * 201, code=2).err
    assert "a study's name has 1 to 200 characters, not 201" in told


def test_a_copied_study_is_shown_alike(run: Run, searched: Any) -> None:
    done = run("studies", "copy", "tabular", "--to", "other.db", "--json").json()
    assert (done["study"], done["to"], done["trials"]) == ("tabular", "other.db", 6)
    assert run("front", "--db", "other.db", "--json").json() == run("front", "--json").json()
    again = run("studies", "copy", "tabular", "--to", "other.db", code=2).err
    assert "holds a study 'tabular' already" in again


@pytest.mark.parametrize(
    "words",
    [
        ["front", "postgresql://me:secret@host/x"],
        ["show", "postgresql://me:secret@host/x"],
        ["postgresql://me:secret@host/x"],
        ["search", "postgresql+psycopg://me:s@cret:secret@host/x"],
        ["studies", "--db", "postgresql:/me:secret@host/x"],
        ["doctor", "--db", "host=h password=secret"],
        ["measure", "vittm-digits", "--db", " postgresql://me:secret@host/x"],
        ["doctor", "--runner", "sftp://me:secret@host/x"],
    ],
)
def test_no_message_shows_a_password(run: Run, words: list[str]) -> None:
    done = run(*words, code=None)
    assert done.code in (1, 2)
    assert "secret" not in done.out + done.err
    assert "…" in done.out + done.err


def test_of_several_studies_the_likely_one_is_shown(run: Run, searched: Any) -> None:
    run("studies", "copy", "tabular", "--to", "other.db")
    run("studies", "rename", "tabular", "first", "--db", "other.db")
    run("studies", "copy", "first", "--db", "other.db", "--to", "archdsl.db")
    with open_store("archdsl.db") as store:
        row = store.studies.find("first")
        new = NewTrial(architecture=Architecture(arch_id="aa"))
        trial = store.trials.add(new, study_id=row.id, budget=None, owner=Owner.current())
    for command in (
        ("front",),
        ("watch", "--once"),
        ("export", "0", "-o", "trial.yaml", "--force"),
        ("show", "0"),
    ):
        told = run(*command)
        assert "'first', the one that is searched of the studies in archdsl.db" in told.err
        assert "another: --study NAME" in told.err
    assert run("front", "--json").json()["study"] == "first"
    with open_store("archdsl.db") as store:
        assert trial is not None
        lost = Outcome(state=State.FAILED, reason="no")
        store.trials.finish(trial_id=trial.id, token=trial.token or "", outcome=lost, values={})
    assert "'first', the one that changed last" in run("front").err
    with open_store("archdsl.db") as store:
        for name, arch_id in (("first", "bb"), ("tabular", "cc")):
            new = NewTrial(architecture=Architecture(arch_id=arch_id))
            study_id = store.studies.find(name).id
            store.trials.add(new, study_id=study_id, budget=None, owner=Owner.current())
    told = run("front", code=2).err
    assert "several studies; say which: --study tabular or --study first" in told
    with pytest.raises(StudyError, match="say which: study='tabular' or study='first'"):
        archdsl.front()


def test_what_changes_a_study_guesses_none(run: Run, searched: Any) -> None:
    with open_store("archdsl.db") as store:
        store.studies.ensure(name="later", document={}, objectives={"top1": "maximize"})
    told = run("front", "--settle", code=2).err
    assert "several studies; say which: --study tabular or --study later" in told


def test_who_only_reads_leaves_no_file_beside(run: Run, searched: Any, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for command in (("front",), ("studies",), ("watch", "--once"), ("show", "0")):
        run(*command)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
    with open_store("archdsl.db", create=False, read_only=True) as store:
        with pytest.raises(StoreError, match="opened for reading only"):
            store.studies.delete("tabular")
        assert archdsl.front().study == "tabular"


def test_a_copy_that_is_refused_leaves_no_file(run: Run, searched: Any, folder: Path) -> None:
    with open_store("archdsl.db") as store:
        new = NewTrial(architecture=Architecture(arch_id="aa"))
        study_id = store.studies.find("tabular").id
        store.trials.add(new, study_id=study_id, budget=None, owner=Owner.current())
        told = run("studies", "copy", "tabular", "--to", "new.db", code=2).err
    assert "is searched right now" in told
    assert not (folder / "new.db").exists()
