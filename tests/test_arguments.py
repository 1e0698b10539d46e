"""What notebooks get wrong when they call, and what they may hand in instead: each function of the
package's root, with real documents, networks and databases."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import archdsl
from archdsl.api.sources import spec_of
from archdsl.arguments import arguments
from archdsl.arguments.kinds import several
from archdsl.arguments.wording import in_python
from archdsl.compiler.build import build_plan
from archdsl.errors import ArchdslError, ArgumentError, DeviceError, DocumentError, StudyError
from archdsl.measuring.models import resolve
from archdsl.searching.samplers import History, Proposal
from archdsl.space.deciders import FirstOption
from archdsl.space.space import Space

MODEL = "vittm-digits"
STUDY = {
    "archdsl": 1,
    "kind": "study",
    "name": "few",
    "base": MODEL,
    "space": {"depth": {"choose": [1, 2, 3]}},
    "objectives": {"params": "minimize", "macs": "minimize"},
    "evaluate": {},
    "budget": {"trials": 2},
}
SHORT: Any = {"threads": 1, "max_seconds": 0.02}


class Watching:
    def on_start(self, job: Any) -> None: ...
    def on_epoch(self, job: Any, epoch: int, name: str, value: float) -> None: ...
    def on_end(self, job: Any, outcome: Any) -> None: ...


class WithoutEpochs:
    def on_start(self, job: Any) -> None: ...
    def on_end(self, job: Any, outcome: Any) -> None: ...


class OfOldOutcomes(Watching):
    def on_end(self, job: Any) -> None: ...  # type: ignore[override]


class Gives:
    def __init__(self, made: Callable[[Space], Any]) -> None:
        self.made = made

    def propose(self, space: Space, history: History, *, number: int) -> Any:
        return self.made(space)


class WithoutNumber:
    def propose(self, space: Space, history: History) -> Iterator[Proposal]:
        yield from ()


def plain() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def changed() -> nn.Module:
    network = archdsl.compile(MODEL)
    network.layers = nn.ModuleList(list(network.layers)[:1])
    return network


WRONG: Sequence[tuple[str, Sequence[Any], dict[str, Any], Sequence[str]]] = [
    ("load", [None], {}, ["load.source: None is not a model; give"]),
    ("load", [5], {}, ["load.source: 5 is not a model"]),
    ("load", [[STUDY]], {}, ["load.source: a list is not a model"]),
    ("load", [nn.Linear(1, 1)], {}, ["load.source: an object of class Linear is not a model"]),
    ("compile", [plain()], {"seed": "x"}, ["compile.spec: an object of", "compile.seed: 'x' is"]),
    ("compile", [MODEL], {"seed": 1.5}, ["compile.seed: 1.5 is not a whole number"]),
    ("compile", [MODEL], {"seed": True}, ["compile.seed: true is not a whole number"]),
    ("compile", [MODEL], {"seed": 2**64}, ["compile.seed: "]),
    ("count", [nn.DataParallel(plain())], {}, ["count.spec: an object of class DataParallel"]),
    ("load_study", [None], {"sets": 5}, ["load_study.source: None is", "load_study.sets: 5 is"]),
    ("load_study", [STUDY], {"sets": {"a.b": 2}}, ["load_study.sets: a mapping is not settings"]),
    ("load_study", [STUDY], {"sets": [5]}, ["load_study.sets: (5,) is not settings"]),
    ("study_around", [MODEL], {"objectives": 5}, ["study_around.objectives: 5 is not names"]),
    ("study_around", [MODEL], {"data": Path("x")}, ["study_around.data: an object of class"]),
    (
        "search",
        [None],
        {"db": 7, "trials": "5", "runner": 3, "any_device": "no", "observer": 1, "sampler": "tpe"}
        | {"retry": 3},
        [
            "search.study: None is not a study; give",
            "search.db: 7 is not a database",
            "search.trials: '5' is not a whole number",
            "search.runner: 3 is not a run profile",
            "search.any_device: 'no' is not true or false",
            "search.observer: 1 is not an observer",
            "search.sampler: 'tpe' is not a sampler",
            "search.retry: 3 is not ends of trials",
        ],
    ),
    ("search", [STUDY], {"trials": 2.5}, ["search.trials: 2.5 is not a whole number"]),
    (
        "search",
        [STUDY],
        {"observer": WithoutEpochs()},
        ["search.observer: .*WithoutEpochs.* no method on_epoch(job, epoch, name, value)"],
    ),
    ("search", [STUDY], {"observer": print}, ["search.observer: .* no method on_start(job)"]),
    ("search", [STUDY], {"observer": Watching}, ["search.observer: .*; give .*: Watching()"]),
    (
        "search",
        [STUDY],
        {"observer": OfOldOutcomes()},
        ["search.observer: .*its on_end cannot be called as on_end(job, outcome)"],
    ),
    (
        "search",
        [STUDY],
        {"sampler": WithoutNumber()},
        ["search.sampler: .*cannot be called as propose(space, history, number=)"],
    ),
    ("front", [None], {"study": 5}, ["front.db: None is not a", "front.study: 5 is not the name"]),
    ("front", [], {"robust": "no"}, ["front.robust: 'no' is not true or false"]),
    ("measure", [None], {}, ["measure.model: None is not a model; give an nn.Module"]),
    ("measure", [lambda: 0], {}, ["measure.model: an object of class function"]),
    ("measure", [nn.Linear], {}, ["measure.model: the class Linear is not a model"]),
    ("measure", [plain()], {"image_shape": (8, 8)}, ["measure.image_shape: (8, 8) is not (channe"]),
    ("measure", [plain()], {"image_shape": 8}, ["measure.image_shape: 8 is not (channels"]),
    ("measure", [plain()], {"image_shape": (1, 0, 8)}, ["measure.image_shape: (1, 0, 8) is not"]),
    ("measure", [plain()], {"image_shape": (1, 8.0, 8)}, ["measure.image_shape: (1, 8.0, 8) is"]),
    ("measure", [plain()], {"image_shape": np.ones(3)}, ["measure.image_shape: an object of"]),
    (
        "measure",
        [MODEL],
        {"batch": 0, "device": 0, "dtype": torch.float64, "max_seconds": None, "db": 4},
        [
            "measure.batch: 0 is below 1",
            "measure.device: 0 is not a device; give",
            "measure.dtype: 'float64' is not one of: float32",
            "measure.max_seconds: None is not a number",
            "measure.db: 4 is not a database",
        ],
    ),
    ("compare", [MODEL, None], {"max_seconds": "x"}, ["compare.b: None is", "compare.max_seconds"]),
    ("load_weights", [MODEL, 5], {}, ["load_weights.model: 'vittm-d", "load_weights.weights: 5"]),
    (
        "train",
        [MODEL],
        {"data": 1, "folder": None, "recipe": 3, "epochs": 0, "device": "gpu"},
        [
            "train.data: 1 is not a source of images",
            "train.folder: None is not a folder",
            "train.recipe: 3 is not a recipe",
            "train.epochs: 0 is below 1",
            "train.device: 'gpu' is not one of: auto, cpu, cuda",
        ],
    ),
    ("load_bundle", [3], {}, ["load_bundle.path: 3 is not a bundle; give its file"]),
    ("warm_start", [plain(), None], {}, ["warm_start.model: an", "warm_start.weights: None is"]),
]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "given", "named", "lines"), WRONG)
def test_every_wrong_argument_is_named_in_a_line(
    name: str, given: Sequence[Any], named: dict[str, Any], lines: Sequence[str], empty: Path
) -> None:
    with pytest.raises(ArgumentError) as caught:
        getattr(archdsl, name)(*given, **named)
    said = str(caught.value).splitlines()
    assert len(said) == len(lines)
    for line, wanted in zip(said, lines, strict=True):
        start, *parts = wanted.split(".*")
        assert line.startswith(start)
        assert all(part in line for part in parts), line
        assert len(line) < 300
    assert not list(empty.iterdir()), "nothing is done before all arguments are known"


NEEDED: dict[str, dict[str, str]] = {
    "train": {"data": "", "folder": ""},
    "export": {"to": "", "folder": ""},
}


def test_every_function_checks_its_first_argument() -> None:
    for name in archdsl.__all__:
        if name == "__version__":
            continue
        function = getattr(archdsl, name)
        others = [None] * (name in {"compare", "load_weights", "warm_start"})
        with pytest.raises(ArgumentError, match=rf"^{name}\.\w+: .*object is not|^{name}\.\w+: an"):
            function(object(), *others, **NEEDED.get(name, {}))
        assert inspect.signature(function).parameters, "the signature is still the function's own"


def test_arguments_that_are_missing_or_unknown_are_python_s_to_refuse() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'study'"):
        archdsl.search()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'trial'"):
        archdsl.search(MODEL, trial=3)  # type: ignore[call-arg]


def test_a_model_is_whatever_has_its_document() -> None:
    spec = archdsl.load(MODEL)
    network = archdsl.compile(MODEL)
    for each in (MODEL, spec, spec.document(), network):
        assert archdsl.load(each) == spec
        assert archdsl.compile(each, seed=np.int64(3)).spec == spec
        assert archdsl.count(each) == archdsl.count(MODEL)
        around = archdsl.study_around(each, objectives="params,macs").study
        assert (around.name, list(around.objectives)) == (
            "vittm-digits-neighbourhood",
            ["params", "macs"],
        )
        assert resolve(each).identity == network.plan.arch_id
    assert archdsl.load({**spec.document(), "depth": np.int64(2)}).depth == 2


def test_of_a_changed_network_nothing_is_guessed() -> None:
    network = changed()
    assert archdsl.count(network).params < archdsl.count(MODEL).params
    for function in (archdsl.load, archdsl.compile):
        with pytest.raises(ArgumentError, match="is not what its document 'vittm-digits' says"):
            function(network)
    with pytest.raises(ArgumentError, match="built from a plan, without a document"):
        spec_of(build_plan(archdsl.compile(MODEL).plan))


def test_texts_may_stand_alone() -> None:
    for sets in ("budget.trials=3", ["budget.trials=3"], iter(["budget.trials=3"])):
        assert archdsl.load_study(STUDY, sets=sets).study.budget.trials == 3
    with pytest.raises(StudyError, match=r"'param' is not one of: .*did you mean 'params'"):
        archdsl.study_around(MODEL, objectives="param")
    with pytest.raises(DocumentError, match="study: 1 problem"):
        archdsl.load_study({**STUDY, "budget": {"trials": 0}})


def test_a_mapping_inside_itself_is_no_document() -> None:
    circular: dict[str, Any] = {**STUDY}
    circular["base"] = circular
    calls = (archdsl.load, archdsl.count, archdsl.load_study, archdsl.measure)
    for function in calls:
        with pytest.raises(DocumentError, match="nested deeper than 40 levels"):
            function(circular)


@arguments(names=several(wanted="names"))
def joined(names: str | Sequence[str]) -> str:
    return "+".join(names)


def test_a_set_has_no_order_that_could_be_kept() -> None:
    assert joined({"a": 1, "b": 2}.keys()) == "a+b"
    with pytest.raises(ArgumentError, match=r"joined\.names: an object of class set is not names"):
        joined({"a", "b"})


def test_a_study_is_searched_by_name_by_path_and_as_a_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("few.yaml").write_text(str(STUDY))
    assert archdsl.search(STUDY, db=Path("a.db"), observer=Watching()).ran == 2
    for study in ("few", "few.yaml", Path("few.yaml"), archdsl.load_study(STUDY)):
        assert archdsl.search(study, db="a.db").ran == 0
    runner = {"archdsl": 1, "kind": "runner", "name": "here", "executor": "local"}
    assert archdsl.search("few", db="a.db", trials=np.int64(3), runner=runner).ran == 1
    assert archdsl.front(Path("a.db")).study == "few"


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (lambda space: None, "gave NoneType"),
        (lambda space: [space.walk(FirstOption({}))], "gave Candidate"),
    ],
)
def test_a_sampler_that_gives_no_proposals_is_told_what_they_are(
    made: Callable[[Space], Any], found: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=rf"the sampler Gives {found}; its propose yields"):
        archdsl.search(STUDY, db=tmp_path / "a.db", sampler=Gives(made))


def test_conditions_in_the_words_of_torch(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    ours = archdsl.measure(MODEL, device="cpu", dtype="float32", db=db, **SHORT)
    theirs = archdsl.measure(
        archdsl.load(MODEL).document(),
        device=torch.device("cpu", 0),
        dtype=torch.float32,
        batch=np.int64(1),
        **SHORT,
    )
    assert theirs.key == ours.key
    with pytest.raises(DeviceError, match="no device 'meta' here"):
        archdsl.measure(MODEL, device=torch.device("meta"))


def test_a_wrapped_network_tells_its_images() -> None:
    network = archdsl.compile(MODEL)
    wrapped = [
        nn.DataParallel(nn.DataParallel(network)),
        torch.optim.swa_utils.AveragedModel(network),
        torch.compile(network),
    ]
    for each in wrapped:
        assert isinstance(each, nn.Module)
        assert resolve(each).image_shape == (1, 8, 8)


def test_what_reads_documents_alone_needs_no_torch() -> None:
    script = (
        "import sys, archdsl; archdsl.load('vittm-digits');"
        "archdsl.study_around('vittm-digits', objectives='params');"
        "print(*{'torch', 'optuna', 'sqlalchemy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_an_error_says_what_to_do_in_words_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = archdsl.load_study(STUDY)
    archdsl.search(study, db="a.db")
    other = archdsl.load_study(STUDY, sets="space.depth={choose: [1, 2]}")
    Path("empty.db").touch()
    calls: dict[str, Callable[[], object]] = {
        "another database with db=": lambda: archdsl.search(other, db="a.db"),
        "`archdsl.search` makes one, or name an existing one with db=": lambda: archdsl.front("b"),
        "`archdsl.search` fills one": lambda: archdsl.front("empty.db"),
        "try db='folder/archdsl.db'": lambda: archdsl.search(study, db=folder),
        "sets='budget.trials=x'": lambda: archdsl.load_study(STUDY, sets="budget.trials=x"),
    }
    folder = Path("folder")
    folder.mkdir()
    for remedy, call in calls.items():
        with pytest.raises(ArchdslError) as caught:
            call()
        said = str(caught.value)
        assert remedy in said.replace(f"{tmp_path}/", "")
        assert " --" not in said


def test_a_command_keeps_its_options() -> None:
    """What no function does is typed, and said as it is typed."""
    said = "db is damaged; archdsl doctor --db a.db says all, or say another --db; (--set name=X)"
    assert in_python(said) == (
        "db is damaged; archdsl doctor --db a.db says all, or say another db=; (sets='name=X')"
    )
    assert in_python(5) == 5
