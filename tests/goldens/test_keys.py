"""Measurements and studies keep the keys they are filed under: what was paid for is found again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from archdsl.cli.search_input import Asked, resolve_study
from archdsl.identity import digest
from archdsl.measuring.conditions import Conditions, MemoryConditions
from archdsl.measuring.devices import applied
from archdsl.measuring.evaluators import make_evaluators
from archdsl.measuring.fingerprint import fingerprint, fingerprint_id
from archdsl.measuring.latency import latency_protocol, throughput_of
from archdsl.measuring.peak_memory import memory_protocol
from archdsl.measuring.settings import AccuracySettings
from archdsl.measuring.trainings import Trainings
from archdsl.records import Job, Measurement
from archdsl.runners.read import read_profile
from archdsl.searching.loop import FACTS_PROTOCOL
from archdsl.searching.read import check_study
from archdsl.searching.run import _begin
from archdsl.storage.folder import Folder
from archdsl.store.store import open_store

FILE = Path(__file__).parent / "assets/keys.json"
GOLDEN: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
CPU = torch.device("cpu")
THREADS = 3
"""Torch's own, where the conditions say none."""
FINGERPRINT = {
    "kind": "cuda",
    "name": "NVIDIA A100-SXM4-80GB",
    "capability": "8.0",
    "driver": "570.86.15",
    "power_limit_w": 400.0,
    "logical_cores": 96,
    "threads": 3,
    "system": "Linux x86_64",
    "torch": "2.9.1+cu128",
    "cuda": "12.8",
}
"""Of no machine here."""


def measured(quantity: str, protocol: Mapping[str, Any]) -> Measurement:
    return Measurement(
        quantity=quantity, value=2.0, low=1.0, high=3.0, unit="ms", protocol=protocol
    )


def latency_keys(settings: Mapping[str, Any]) -> dict[str, str]:
    """Of a latency and of the throughput it stands for, on a device of a fixed fingerprint."""
    conditions = Conditions.model_validate(settings)
    with applied(conditions, CPU):
        protocol = latency_protocol(conditions, CPU, FINGERPRINT)
    latency = measured("latency", protocol)
    return {"latency": latency.key, "throughput": throughput_of(latency).key}


def memory_key(settings: Mapping[str, Any]) -> str:
    conditions = MemoryConditions.model_validate(settings)
    return measured("memory", memory_protocol(conditions, CPU, FINGERPRINT)).key


def evaluator_keys(evaluate: Mapping[str, Any]) -> dict[str, str]:
    """Of each evaluator of a study, cheap ones first; their files lie in the current folder."""
    made = make_evaluators(evaluate, read_profile("local"))
    keys = {}
    for each in made:
        protocol = dict(each.protocol())
        if "fingerprint" in protocol:
            protocol["fingerprint"] = FINGERPRINT
        keys[each.quantity] = measured(each.quantity, protocol).key
    return keys


def training_folder(settings: Mapping[str, Any]) -> str:
    """Where the weights of a candidate lie."""
    candidate = Job(
        trial_id=1, number=0, arch_id="a" * 16, spec={}, params={}, known=(), folder="files"
    )
    trainings = Trainings(
        "top1",
        AccuracySettings.model_validate(settings),
        device=CPU,
        threads=1,
        names={},
        storage=Folder("files"),
    )
    return str(Path(str(trainings.folder(candidate))).relative_to(Path.cwd()))


def study_digest(asked: Mapping[str, Any]) -> str:
    """What the store holds a study to be, as the command line finds it in the current folder."""
    unsaid = dict.fromkeys(("objectives", "trials", "hours", "seed", "data"))
    words = {**unsaid, "sets": [], **asked}
    found = resolve_study(Asked(**words), read_profile("local"))
    if found.around and "evaluate.latency.threads" not in str(words["sets"]):
        # Studies around a model say `threads: 1` since; this is how those of before go on.
        words["sets"] = [*words["sets"], "evaluate.latency.threads=null"]
        found = resolve_study(Asked(**words), read_profile("local"))
    checked = check_study(found.tree, folder=found.folder)
    with open_store("studies.db") as store:
        row = _begin(checked, store, budget=checked.study.budget)
    Path("studies.db").unlink()
    return row.digest


def lay_down(files: Mapping[str, Any]) -> None:
    """Write files into the current folder: text as it is, documents as JSON, which is YAML."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        Path(name).write_text(text)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lay_down(GOLDEN["files"])


@pytest.fixture(autouse=True, scope="module")
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(threads)


def test_latencies_and_throughputs() -> None:
    found = [{**each, **latency_keys(each["settings"])} for each in GOLDEN["latency"]]
    assert found == GOLDEN["latency"]


def test_peak_memories() -> None:
    found = [{**each, "memory": memory_key(each["settings"])} for each in GOLDEN["memory"]]
    assert found == GOLDEN["memory"]


@pytest.mark.parametrize("number", range(len(GOLDEN.get("evaluate", ()))))
def test_evaluators_of_a_study(number: int) -> None:
    golden = GOLDEN["evaluate"][number]
    assert list(evaluator_keys(golden["settings"]).items()) == list(golden["keys"].items())


def test_weights_lie_where_they_lay() -> None:
    found = [{**each, "folder": training_folder(each["settings"])} for each in GOLDEN["folders"]]
    assert found == GOLDEN["folders"]


def test_facts() -> None:
    assert measured("params", FACTS_PROTOCOL).key == GOLDEN["facts"]


def test_fingerprints() -> None:
    assert fingerprint_id(FINGERPRINT) == GOLDEN["fingerprint"]
    assert fingerprint(CPU).keys() == FINGERPRINT.keys()


@pytest.mark.parametrize("number", range(len(GOLDEN.get("studies", ()))))
def test_studies(number: int) -> None:
    golden = GOLDEN["studies"][number]
    assert study_digest(golden["asked"]) == golden["digest"], golden["asked"]


def test_digests_of_json() -> None:
    assert digest({"b": [1, 2.5, None, True, "é"], "a": {}}) == GOLDEN["digest"]
