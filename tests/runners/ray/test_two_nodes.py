"""Two machines, one of which has the device that every latency must come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from archdsl.errors import DataError
from archdsl.records import Job, Outcome, State
from archdsl.runners.interfaces import RunnerError
from archdsl.runners.profile import RunProfile
from archdsl.searching import before
from archdsl.searching.read import read_study
from archdsl.searching.run import run_search, watched_by
from archdsl.store.store import open_store

pytest.importorskip("ray.tune", reason="an extra")
pytestmark = pytest.mark.slow

TRIALS = 20
LANE = {"cpus": 0, "resources": {"the_device": 1}}


@pytest.fixture(scope="module")
def head(diary_toys: Any) -> Iterator[Any]:
    """A cluster of a head with the device and room for one training."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(diary_toys.EPOCH_SECONDS, "0.3")
        made = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"the_device": 1}}
        )
        yield made
        made.shutdown()


@pytest.fixture
def cluster(head: Any) -> Iterator[Any]:
    """The head; `add_node` for more machines, which are taken away at the end."""
    yield head
    for node in list(head.worker_nodes):
        head.remove_node(node)  # it says that it goes: else the head looks for it for a while
    head.wait_for_nodes()


@pytest.fixture
def profile_of(cluster: Any, make_profile: Any) -> Callable[..., RunProfile]:
    def made(**words: Any) -> RunProfile:
        lane = {"latency_lane": LANE, "training": {"device": "cpu", "cpus": 1}}
        profile: RunProfile = make_profile(executor="ray", address=cluster.address, **lane | words)
        return profile

    return made


class Watcher:
    """Has a machine join once three trials have ended, and lost once two have ended there."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._ended: Counter[str] = Counter()
        self.other: Any = None
        self.lost = False

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None: ...

    def on_end(self, job: Job, outcome: Outcome) -> None:
        [trained] = [each for each in outcome.measurements if each.quantity == "top1"]
        self._ended[trained.detail["machine"]["id"]] += 1
        if self.other is None and self._ended.total() == 3:
            self.other = self._cluster.add_node(num_cpus=2)
        elif self.other and not self.lost and self._ended[self.other.node_id] == 2:
            self.lost = True
            self._cluster.remove_node(self.other, allow_graceful=False)


def test_a_machine_that_joins_and_is_lost_in_the_middle_changes_only_the_speed(
    *,
    cluster: Any,
    profile_of: Any,
    diary_toys: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(before, "make_runner", diary_toys.make_toy_runner)
    Path("tiny.yaml").write_text(diary_toys.BASE)
    Path("study.yaml").write_text(
        yaml.safe_dump({**diary_toys.STUDY, "budget": {"trials": TRIALS}}, sort_keys=False)
    )
    watcher = Watcher(cluster)
    done = run_search(
        read_study("study.yaml"),
        db="archdsl.db",
        profile=profile_of(),
        observe=watched_by(watcher),
    )
    assert watcher.lost, "a machine that joins in the middle is used"
    head, away = cluster.head_node.node_id, watcher.other.node_id
    with open_store("archdsl.db") as store:
        trials = store.trials.all(done.row.id)
        made = [store.measurements.of_trial(trial.id) for trial in trials]
    assert [trial.state for trial in trials] == [State.COMPLETE] * TRIALS
    assert len({trial.arch_id for trial in trials}) == TRIALS
    measured = {each["latency"].detail["machine"]["id"] for each in made}
    trained = {each["top1"].detail["machine"]["id"] for each in made}
    assert measured == {head}, "every latency is the device's"
    assert trained == {head, away}
    lines = diary_toys.diary(Path(profile_of().storage))
    measurements = Counter(line[0] for line in lines)["measure"]
    assert TRIALS <= measurements <= TRIALS + 2, "again at most what was on its way to the store"
    epochs = Counter((line[1], line[2]) for line in lines if line[0] == "epoch")
    repeated = [epoch for epoch, count in epochs.items() if count > 1]
    assert len(epochs) == TRIALS * diary_toys.EPOCHS
    assert len(repeated) <= 2, "at most the epoch that was under way in each of two slots"


class Saboteur:
    """Takes a machine away once trials have ended there and one is in the midst of training."""

    def __init__(self, noted: Any, folder: Path, remove: Callable[[], None]) -> None:
        self._noted, self._folder, self._remove = noted, folder, remove
        self._ended = 0
        self.interrupted: int | None = None

    def on_start(self, job: Job) -> None: ...

    def on_epoch(self, job: Job, epoch: int, name: str, value: float) -> None:
        if self.interrupted is not None or not self._ended or epoch not in (2, 3):
            return
        if self._is_away(job):
            self.interrupted = job.number
            self._remove()

    def on_end(self, job: Job, outcome: Outcome) -> None:
        self._ended += self._is_away(job)

    def _is_away(self, job: Job) -> bool:
        where = {each[0]: each[2] for each in self._noted.epochs(self._folder)}
        return where[job.number] == "away"


def test_real_trainings_go_on_elsewhere_from_their_checkpoints(
    *,
    cluster: Any,
    profile_of: Any,
    diary_toys: Any,
    noted_trainings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = 12
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(before, "make_runner", noted_trainings.make_noted_runner)
    other = cluster.add_node(num_cpus=1, env_vars={noted_trainings.MACHINE: "away"})
    Path("tiny.yaml").write_text(diary_toys.BASE)
    study = {
        **diary_toys.STUDY,
        "space": {"process": {"block": {"mlp_ratio": {"range": [1, 12]}}}},
        "evaluate": noted_trainings.EVALUATE,
        "budget": {"trials": trials},
    }
    Path("study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    folder = Path(profile_of().storage)
    head, away = cluster.head_node.node_id, other.node_id
    saboteur = Saboteur(
        noted_trainings, folder, lambda: cluster.remove_node(other, allow_graceful=False)
    )
    done = run_search(
        read_study("study.yaml"),
        db="archdsl.db",
        profile=profile_of(),
        observe=watched_by(saboteur),
    )
    with open_store("archdsl.db") as store:
        made = [store.measurements.of_trial(trial.id) for trial in store.trials.all(done.row.id)]
    assert len(made) == trials
    latencies = [each["latency"] for each in made]
    assert {each.detail["machine"]["id"] for each in latencies} == {head}
    assert all(each.protocol == latencies[0].protocol for each in latencies), "one fingerprint"
    assert {each["top1"].detail["machine"]["id"] for each in made} == {head, away}
    lines = noted_trainings.epochs(folder)
    times = Counter(line[:2] for line in lines)
    assert set(times) == {(n, e) for n in range(trials) for e in range(1, 5)}
    repeated = [epoch for epoch, count in times.items() if count > 1]
    assert len(repeated) <= 1, "at most the epoch that was under way"
    moved = [line for line in lines if line[0] == saboteur.interrupted]
    assert [line[2] for line in moved[:2]] == ["away", "away"]
    first_here = next(line[1] for line in moved if line[2] == "head")
    assert first_here >= 3, "two epochs were on disk"
    for each in made:
        assert len(each["top1"].detail["history"][0]) == 4


def test_machines_that_cannot_take_part_are_refused(
    *, cluster: Any, profile_of: Any, diary_toys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate: dict[str, dict[str, Any]] = {"latency": {}, "top1": {}}
    cluster.add_node(num_cpus=1, env_vars={diary_toys.NO_DATA: "1"})
    broken = diary_toys.make_toy_runner(profile_of(), evaluate=evaluate)
    with pytest.raises(DataError, match=": no such folder"):
        broken.protocols()
    broken.close()
    monkeypatch.setattr("archdsl.runners.ray.runner.__version__", "9.9")
    newer = diary_toys.make_toy_runner(profile_of(), evaluate=evaluate)
    with pytest.raises(RunnerError, match=r"this is archdsl 9\.9, and machines .* has \d"):
        newer.protocols()
    newer.close()
    lane = {"latency_lane": {"resources": {"another_device": 1}}}
    asks = diary_toys.make_toy_runner(profile_of(**lane), evaluate=evaluate)
    with pytest.raises(RunnerError, match="asks for 1 CPU, 1 another_device, and no machine has"):
        asks.protocols()
    asks.close()
