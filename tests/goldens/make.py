"""Write every golden file anew, with the code that is imported: see README.md before you do."""

from __future__ import annotations

import json
import lzma
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import lines
import test_architectures
import test_commands
import test_database
import test_keys
import test_proposals
import test_trainings
import torch
from documents import described, laid
from studies import EVALUATE, FILES, LATENCY, MEMORY, TOP1, asked

from archdsl.compiler.build import build_without_weights
from archdsl.measure.fingerprint import fingerprint_id
from archdsl.records import digest
from archdsl.search.loop import FACTS_PROTOCOL
from archdsl.train.data.dataset import Dataset
from archdsl.train.data.source import open_data
from archdsl.train.depot import Depot

ASSETS = Path(__file__).parent / "assets"


def write(name: str, content: Any, *, levels: int = 2) -> None:
    """One line for each entry, so that differences can be read."""
    (ASSETS / name).write_text(_text(content, levels) + "\n")


def _text(content: Any, levels: int, indent: str = "") -> str:
    compact = json.dumps(content, ensure_ascii=False)
    if len(indent + compact) <= 98 or levels == 0 or not isinstance(content, dict | list):
        return compact
    inner = indent + " "
    if isinstance(content, dict):
        lines = [
            f"{inner}{json.dumps(key)}: {_text(value, levels - 1, inner)}"
            for key, value in content.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    lines = [f"{inner}{_text(value, levels - 1, inner)}" for value in content]
    return "[\n" + ",\n".join(lines) + f"\n{indent}]"


def pack(source: Path, target: Path) -> None:
    target.write_bytes(lzma.compress(source.read_bytes()))


RUNS: Sequence[Mapping[str, Any]] = (
    {},
    {"seed": 1},
    {"data": "fedcba9876543210"},
    {"recipe": {"epochs": 2}},
    {"recipe": {"batch": 256, "lr": 0.0005, "warmup_epochs": 3, "augment": "flip_shift"}},
    {"recipe": {"min_lr": 0, "weight_decay": 0.1, "label_smoothing": 0, "clip_grad": None}},
    {"recipe": {"augment": "shift", "amp": False}},
)


def make_architectures() -> None:
    documents = {
        name: test_architectures.described(document) for name, document in described().items()
    }
    network = build_without_weights(test_architectures.plan_of(described()["linear"]))
    runs = [
        {"arguments": run, "run_key": test_architectures.key_of(network, **run)} for run in RUNS
    ]
    write(
        "architectures.json",
        {
            "versions": test_architectures.versions(),
            "shelf": test_architectures.shelf_keys(),
            "runs": runs,
            "documents": documents,
        },
    )


TRAINED = {"linear": "folder", "lookup": "url"}
"""Document to the place where it is trained."""
NARROW: Mapping[str, Any] = {"process": {"dim": 8, "block": {"head_dim": 4}}}
SMALLER: Mapping[str, Any] = {"linear": {**NARROW, "depth": 1}, "lookup": NARROW}


def make_trainings() -> None:
    data = open_data("digits")
    found = {
        name: _training(name, laid(described()[name], SMALLER[name]), data, place)
        for name, place in TRAINED.items()
    }
    write(
        "trainings.json",
        {"versions": test_trainings.versions(), "data": data.digest, "trainings": found},
    )


def _training(
    name: str, document: Mapping[str, Any], data: Dataset, place: str
) -> Mapping[str, Any]:
    folder = ASSETS / "trainings" / name
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(KeyboardInterrupt):
        where = _place(folder / "half-way", place)
        test_trainings.train(document, data, where, stop=test_trainings.HALF_WAY)
    result = test_trainings.train(document, data, _place(folder / "finished", place)).result
    for path in (folder / "half-way").iterdir():
        pack(path, path.with_name(f"{path.name}.xz"))
        path.unlink()
    for path in (folder / "finished").iterdir():
        path.chmod(0o644)
    return {
        "document": dict(document),
        "place": place,
        "correct": test_trainings.correct_of(result),
        "seconds": result.seconds,
    }


def _place(folder: Path, place: str) -> Path | Depot:
    """A folder, or a depot whose files come to lie in it."""
    folder.mkdir(parents=True)
    return folder if place == "folder" else Depot(f"file://{folder}")


def make_keys() -> None:
    with in_folder(FILES):
        keys = {
            "files": dict(FILES),
            "digest": digest({"b": [1, 2.5, None, True, "é"], "a": {}}),
            "fingerprint": fingerprint_id(test_keys.FINGERPRINT),
            "facts": test_keys.measured("params", FACTS_PROTOCOL).key,
            "latency": [
                {"settings": settings, **test_keys.latency_keys(settings)} for settings in LATENCY
            ],
            "memory": [
                {"settings": settings, "memory": test_keys.memory_key(settings)}
                for settings in MEMORY
            ],
            "evaluate": [
                {"settings": settings, "keys": test_keys.evaluator_keys(settings)}
                for settings in EVALUATE
            ],
            "folders": [
                {"settings": settings, "folder": test_keys.training_folder(settings)}
                for settings in TOP1
            ],
            "studies": [
                {"asked": each, "digest": test_keys.study_digest(each)} for each in asked()
            ],
        }
    write("keys.json", keys)


PROPOSED: Mapping[str, Any] = {
    "archdsl": 1,
    "kind": "study",
    "name": "proposed",
    "base": described()["linear"],
    "space": {
        "depth": {"range": [1, 4]},
        "process": {"dim": {"choose": [16, 32, 48, 64]}},
        "memory": {"embed": {"patch_size": {"choose": [1, 2, 4]}}},
        "exchange": {
            "choose": {
                "same": {},
                "other": {
                    "read": {"latent_ratio": {"choose": [0.5, 1]}},
                    "norm": {"placement": "pre"},
                },
            }
        },
    },
    "constraints": ["params_m <= 0.08", "latency <= 8ms"],
    "objectives": {"latency": "minimize", "top1": "maximize"},
    "evaluate": {"latency": {"table": "values.csv"}, "top1": {"table": "values.csv"}},
}
TRIALS = {"tpe": 24, "nsga2": 44, "random": 20}


def make_proposals() -> None:
    searches = []
    with in_folder({}):
        for sampler, trials in TRIALS.items():
            for workers in (1, 2):
                arguments = {"sampler": sampler, "seed": workers, "trials": trials}
                study = {
                    **PROPOSED,
                    "sampler": {"type": sampler, "seed": workers},
                    "budget": {"trials": trials},
                }
                found = test_proposals.searched(study, workers=workers)
                searches.append({**arguments, "workers": workers, "proposed": found})
    write(
        "proposals.json",
        {"versions": test_proposals.versions(), "study": dict(PROPOSED), "searches": searches},
        levels=4,
    )


SEARCHED: Mapping[str, Any] = {
    "archdsl": 1,
    "kind": "study",
    "name": "small",
    "base": {**laid(described()["linear"], NARROW), "name": "base"},
    "space": {
        "depth": {"choose": [1, 2]},
        "exchange": {"read": {"latent_ratio": {"choose": [0.5, 1]}}},
    },
    "constraints": ["process_tokens <= memory_tokens", "latency <= 10s"],
    "objectives": {"latency": "minimize", "top1": "maximize"},
    "reference": {"latency": "1s", "top1": 10},
    "evaluate": {
        "latency": {"device": "cpu", "batch": 64, "threads": 1, "max_seconds": 0.3},
        "top1": {"data": "digits", "recipe": {"batch": 128, "lr": 0.01}, "epochs": 3},
    },
    "budget": {"trials": 3},
    "sampler": {"type": "tpe", "seed": 0},
}


def make_database() -> None:
    """A search as a user runs it, and what is said of it."""
    target = ASSETS / "searched"
    shutil.rmtree(target, ignore_errors=True)
    with in_folder({"study.yaml": SEARCHED}) as folder:
        test_database.archdsl("search", "study.yaml", "--json")
        said = {
            "front": json.loads(test_database.archdsl("front", "--json")),
            "robust": json.loads(test_database.archdsl("front", "--robust", "--json")),
            "trials": [
                json.loads(test_database.archdsl("show", str(number), "--json"))
                for number in range(3)
            ],
            "exported": test_database.exported(),
        }
        with closing(sqlite3.connect("archdsl.db")) as connection:
            connection.execute("VACUUM")
        shutil.copytree(folder / "archdsl-files", target / "files")
        for path in (target / "files").glob("**/*.safetensors"):
            path.chmod(0o644)
        pack(folder / "archdsl.db", target / "store.sqlite.xz")
        shutil.copy(folder / "study.yaml", target / "study.yaml")
    write("searched/said.json", said, levels=4)


def make_commands() -> None:
    shutil.rmtree(ASSETS / "help", ignore_errors=True)
    (ASSETS / "help").mkdir()
    for command in lines.COMMANDS:
        (ASSETS / "help" / f"{command}.txt").write_text(test_commands.help_of(command))
    write("commands.json", {"files": dict(lines.FILES), **_answers()}, levels=5)


def _answers() -> Mapping[str, Any]:
    with in_folder({}):
        test_commands.lay_down(lines.FILES)
        texts = [{"arguments": words, **test_commands.run(words)} for words in _words(lines.TEXTS)]
        values = [
            {"arguments": words, "json": test_commands.json_of(words)}
            for words in _words(lines.VALUES)
        ]
        mistakes = [
            {"arguments": words, "code": test_commands.run(words)["code"]}
            for words in _words(lines.MISTAKES)
        ]
        shapes = [
            {
                "arguments": line.split(),
                "levels": levels,
                "shape": test_commands.shape_of(test_commands.json_of(line.split()), levels),
            }
            for line, levels in lines.SHAPES.items()
        ]
        diagram = test_commands.diagram()
    return {
        "diagram": diagram,
        "texts": texts,
        "values": values,
        "mistakes": mistakes,
        "shapes": shapes,
    }


def _words(asked: Sequence[str]) -> Iterator[list[str]]:
    return (line.split() for line in asked)


@contextmanager
def in_folder(files: Mapping[str, Any]) -> Iterator[Path]:
    """A folder with these files, as the current one."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        test_keys.lay_down(files)
        yield Path(folder)


def main() -> None:
    torch.set_num_threads(test_keys.THREADS)
    ASSETS.mkdir(exist_ok=True)
    make_architectures()
    make_keys()
    make_proposals()
    make_database()
    make_commands()
    torch.set_num_threads(1)
    make_trainings()


if __name__ == "__main__":
    main()
