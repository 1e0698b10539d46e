"""Every command: help, examples, exit codes, what it may import."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archdsl
from archdsl.cli.main import COMMANDS, load_command
from archdsl.document.shelves import SHELVES, documents, packaged
from archdsl.document.write import to_yaml
from archdsl.store.store import open_store

HEAVY = {
    "torch",
    "torchvision",
    "timm",
    "fvcore",
    "optuna",
    "sqlalchemy",
    "matplotlib",
    "sklearn",
    "numpy",
}

Run = Callable[..., Any]


def test_the_list_says_what_the_help_of_each_command_begins_with() -> None:
    begins = {name: (load_command(name).help or "").partition("\n\n")[0] for name in COMMANDS}
    assert {name: " ".join(text.split()) for name, text in begins.items()} == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(run: Run, name: str) -> None:
    text = " ".join(run(name, "--help").out.split())
    assert f"Example: archdsl {name}" in text


def test_a_command_is_imported_when_it_is_called() -> None:
    code = (
        "import sys; from archdsl.cli.main import COMMANDS, app; "
        "app(['check', 'vittm-digits'], standalone_mode=False); "
        "print(*(name for name in COMMANDS if f'archdsl.cli.{name}' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["check"]


def test_a_package_that_a_command_needs_is_missing(run: Run, folder: Path) -> None:
    (folder / "yaml.py").write_text("raise ImportError('hidden')\n")
    root = Path(archdsl.__file__).parents[1]
    done = run("check", "vittm-digits", code=2, env={"PYTHONPATH": f"{folder}:{root}"})
    assert "a package is missing or broken: hidden; see `archdsl doctor`" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["check"], *([name, "--help"] for name in COMMANDS)], ids=str
)
def test_light_commands_import_nothing_heavy(run: Run, arguments: list[str]) -> None:
    done = run(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.err.splitlines()}
    assert "archdsl" in imported
    assert not imported & HEAVY


@pytest.fixture
def everything(run: Run, tabular: Path, folder: Path) -> str:
    """All that the examples speak of; returns an arch_id."""
    text = tabular.read_text().replace("name: tabular", "name: digits")
    tabular.write_text(text.replace("depth: {choose: [1, 2, 3, 4]}", "depth: {range: [1, 4]}"))
    found = run("search", "study.yaml", "--trials", "8", "--json").json()
    model = (packaged("specs") / "vittm-digits.yaml").read_text()
    for name in ("my-vittm.yaml", "my-model.yaml"):
        (folder / name).write_text(model)
    pixels = np.random.default_rng(0).integers(0, 255, (10, 8, 8, 8), dtype=np.uint8)
    for label, pictures in enumerate(pixels):
        place = folder / "photos" / str(label)
        place.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(place / f"{number}.png")
    Image.fromarray(pixels[0, 0]).save(folder / "picture.png")
    return str(found["members"][0]["arch_id"])


@pytest.mark.slow
def test_the_examples_work(run: Run, everything: str, folder: Path) -> None:
    """As they stand, but on a small model where an example speaks of a large one."""
    names = [name for name in COMMANDS if name != "reproduce"]  # which times tables for minutes
    epilogs = [load_command(name).epilog or "" for name in names]
    shown = [line for text in epilogs for line in re.findall(r"archdsl(?: [\w./=:,-]+)+", text)]
    assert len(shown) >= len(names)
    for line in shown:
        small = re.sub(r"vit(tm)?-b-[\d-]+", "vittm-digits", line)
        words = shlex.split(small.replace("482fb4a8", everything[:8]))[1:]
        if words[0] == "search":
            words += ["--dry-run", "--set", "evaluate.latency.max_seconds=0.2"]
        if words[0] == "train":
            words += ["--epochs", "1"]
        if words[0] == "confirm":
            words += ["--data", "digits", "--recipe", "small-images", "--epochs", "1"]
        if words[0] == "init":
            words += ["--force"]
        if words[0] != "doctor":  # tests/cli/test_doctor.py runs it
            run(*words)
    assert (folder / "out" / "weights.safetensors").is_file()
    assert list((folder / "found").glob("*.yaml"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "vittm-b-28-29"], "did you mean 'vittm-b-28-28'"),
        (["check", "digit"], "did you mean 'digits'"),
        (["check", "no/such.yaml"], "does not exist"),
        (["compile", "."], "is a folder"),
        (["compile", "vittm-digits", "--set", "process.dim=65"], "--set process.dim=65|head_dim"),
        (["compile", "vittm-digits", "--set", "depht=3"], "did you mean 'depth'"),
        (["compile", "vittm-digits", "--set", "depth"], "a setting is path=value"),
        (["compile", "vittm-digits", "-o", "file"], "is a file"),
        (["measure", "vittm-digits", "--batch", "0"], "batch"),
        (["measure", "vittm-digits", "--vs", "vit-b-16"], "only models of the same images"),
        (["measure", "vittm-digits", "--vs", "timm:test_vitt"], "did you mean timm:test_vit"),
        (["measure", "timm:test_vit", "--set", "depth=1"], "leave it out"),
        (["measure", "digits", "--vs", "vit-b-16", "--db", "x.db"], "leave --vs out, or --db"),
        (["measure", "vittm-digits", "--dtype", "float31"], "did you mean 'float32'"),
        (["search", "digit"], "did you mean 'digits'"),
        (["search", "vittm-digit"], "did you mean 'vittm-digits'"),
        (["search", "digits", "--runner", "locl"], "did you mean 'local'"),
        (["search", "local"], "nor on the shelves search/, specs/; known names: digits"),
        (["search", "digits", "--trials", "0"], "--trials: 1 problem"),
        (["search", "digits", "--seed", "-1"], "--seed: 1 problem"),
        (["search", "digits", "--trials", "many"], "--trials"),
        (["search", "digits", "--objective", "speed"], "latency: median time of one batch"),
        (["search", "digits", "--objective", "latncy"], "did you mean 'latency'"),
        (["search", "digits", "--objective", ""], "no objective given"),
        (["search", "digits", "--set", "sampler.type=tp"], "did you mean 'tpe'"),
        (["search", "vittm-digits"], "--data"),
        (["search", "digits", "--data", "folder:nowhere"], "nowhere"),
        (["search", "digits", "-o", "file"], "it is a file"),
        (["search", "digits", "--dry-run", "-o", "no/folder/study.yaml"], "no/folder/study.yaml"),
        (["front"], "`archdsl search` makes one"),
        (["watch", "--once"], "`archdsl search` makes one"),
        (["watch", "--db", "no/folder.db"], "there is no folder"),
        (["show", "3"], "`archdsl search` makes one"),
        (["export", "3"], "`archdsl search` makes one"),
        (["export"], "say what to export"),
        (["schema", "modell"], "modell"),
        (["serch"], "serch"),
        (["check", "--jsn"], "--jsn"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_a_mistake_gets_one_message_and_exit_2(
    run: Run, folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "file").write_text("")
    done = run(*arguments, code=2)
    assert done.out == ""
    said = " ".join(done.err.replace("│", " ").split())
    assert any(part in said for part in message.split("|")), done.err
    assert not (folder / "archdsl.db").exists() or not studies("archdsl.db"), "nothing was begun"


def studies(db: str) -> list[Any]:
    with open_store(db, read_only=True) as store:
        return store.studies.all()


def test_debug_shows_the_traceback(run: Run) -> None:
    done = run("compile", "nothing", "--debug", code=1)
    assert "Traceback" in done.err
    assert "NameNotFoundError" in done.err


def test_check_reports_every_document(run: Run, folder: Path) -> None:
    (folder / "bad.yaml").write_text("archdsl: 1\nkind: model\nname: x\ndepht: 3\n")
    (folder / "worse.yaml").write_text("archdsl: [1\n")
    done = run("check", "vittm-digits", "bad.yaml", "worse.yaml", "--json", code=2)
    results = done.json()["documents"]
    assert [result["ok"] for result in results] == [True, False, False]
    assert results[0]["kind"] == "model"
    assert any(
        problem["path"] == "depht" and problem["line"] == 4 for problem in results[1]["problems"]
    )
    plain = run("check", "vittm-digits", "bad.yaml", "worse.yaml", code=2)
    assert "ok" in plain.out
    assert "did you mean 'depth'" in plain.err


def test_a_word_that_is_set_twice_is_named(run: Run) -> None:
    twice = run("check", "vittm-digits", "--set", "depth=2", "--set", "depth=3", "--set", "name=x")
    assert "depth is set 2 times; each --set is laid over those before it" in twice.err
    assert "is set" not in run("check", "vittm-digits", "--set", "depth=2").err


def test_check_without_arguments_checks_all_shelves(run: Run) -> None:
    results = run("check", "--json").json()["documents"]
    shelved = [str(path) for shelf in SHELVES for path in documents(packaged(shelf))]
    assert [result["source"] for result in results] == shelved
    assert all(result["ok"] for result in results)


def test_check_says_how_large_a_space_is(run: Run, tabular: Path) -> None:
    assert "2 holes, 8 combinations, 6 trials" in run("check", "study.yaml").out


@pytest.mark.parametrize("kind", ["model", "study", "recipe", "runner"])
def test_schemas(run: Run, kind: str) -> None:
    plain, machine = run("schema", kind), run("schema", kind, "--json")
    assert plain.out == machine.out
    assert plain.json()["$schema"].startswith("https://json-schema.org/")
    assert plain.err == ""


def test_a_closed_pipe_is_no_error(start: Callable[..., subprocess.Popen[str]]) -> None:
    with start("schema", "study") as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        assert command.stderr.read() == ""
    assert command.returncode == 0


EVIL = "a\x1b]0;x\x07\u202eb\narchdsl: all is well"


def test_names_do_not_steer_the_terminal(run: Run, folder: Path) -> None:
    named = archdsl.load("vittm-digits").document() | {"name": EVIL}
    (folder / "named.yaml").write_text(to_yaml(named))
    wrong = named | {"depth\x1b[2J": 1, "process": {**named["process"], "dim": "x\x9b\ny"}}
    (folder / "wrong\x1b.yaml").write_text(to_yaml(wrong))
    texts = [
        run("check", "named.yaml").out,
        run("compile", "named.yaml").out,
        run("compile", "named.yaml", "--json").out,
        run("show", "named.yaml").out,
        run("check", "wrong\x1b.yaml", code=2).err,
        run("check", "none\x1b\u202e", code=2).err,
    ]
    for text in texts:
        assert text
        assert text.replace("\n", "").replace("\t", "").isprintable()
    assert json.loads(texts[2])["name"] == EVIL
    assert not any("\narchdsl: all is well" in text for text in texts)
