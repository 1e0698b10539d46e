"""A training's epochs for TensorBoard, Weights & Biases or MLflow, where one is installed and asked
for; into the training's folder, never over the network unless their own variables say so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from archdsl.errors import ArchdslError

if TYPE_CHECKING:
    import torch

    from archdsl.training.run_folder import Epoch
    from archdsl.training.watch import Watch

TrackerName = Literal["tensorboard", "wandb", "mlflow"]


class Tracker(Protocol):
    """Keeps the metrics of epochs."""

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keep what is known after an epoch."""

    def close(self, *, finished: bool) -> None:
        """No more is to come: the training is finished, or was cut short."""


class TensorBoard:
    """`DIR/tensorboard`. All epochs are told again when a training goes on, so what was written
    before is void."""

    def __init__(self, folder: Path, name: str, record: Mapping[str, Any]) -> None:
        tensorboard: Any = import_module("torch.utils.tensorboard")
        self._writer = tensorboard.SummaryWriter(folder / "tensorboard", purge_step=1)

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def close(self, *, finished: bool) -> None:
        self._writer.close()


class WeightsAndBiases:
    """`DIR/wandb`, a run for each time that the training goes on, with all epochs: `wandb sync`
    sends it. `WANDB_MODE=online` sends it meanwhile."""

    def __init__(self, folder: Path, name: str, record: Mapping[str, Any]) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # of wandb's own errors, to them
        wandb: Any = import_module("wandb")
        self._run = wandb.init(
            dir=folder,
            mode=os.environ.get("WANDB_MODE", "offline"),
            project=os.environ.get("WANDB_PROJECT", "archdsl"),
            name=name,
            config=dict(record),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        self._run.log(dict(metrics), step=epoch)

    def close(self, *, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)


class MLflow:
    """`DIR/mlflow.db`, a run for each time that the training goes on, with all epochs;
    `MLFLOW_TRACKING_URI` names another place."""

    def __init__(self, folder: Path, name: str, record: Mapping[str, Any]) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        tracking: Any = import_module("mlflow.tracking")
        place = folder.absolute()
        given = os.environ.get("MLFLOW_TRACKING_URI")
        self._client = tracking.MlflowClient(given or f"sqlite:///{place / 'mlflow.db'}")
        title = os.environ.get("MLFLOW_EXPERIMENT_NAME", "archdsl")
        known = self._client.get_experiment_by_name(title)
        experiment = known.experiment_id if known else self._client.create_experiment(title)
        run = self._client.create_run(experiment, run_name=name)
        self._run: str = run.info.run_id
        words = {word: record[word] for word in ("arch_id", "source", "seed")}
        for word, value in {**words, **record["recipe"]}.items():
            self._client.log_param(self._run, word, value)

    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self._run, name, value, step=epoch)

    def close(self, *, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")


TRACKERS: Mapping[TrackerName, type[TensorBoard | WeightsAndBiases | MLflow]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}


def _refuse_missing(name: TrackerName) -> None:
    """
    Raises:
        ArchdslError: its package, called as it is, is not installed.
    """
    found = find_spec(name)
    if found is None or found.origin is None:  # a mere folder of that name, as wandb leaves
        raise ArchdslError(
            f"{name} is not installed: pip install {name}, or train without it: epochs.csv and "
            "curves.png are always written"
        )


@contextmanager
def tracked(watch: Watch, name: TrackerName | None, folder: Path) -> Iterator[Watch]:
    """Who looks on, with a tracker beside where one is asked for.

    Raises:
        ArchdslError: its package is not installed.
    """
    if name is None:
        yield watch
        return
    _refuse_missing(name)
    both = _Tracked(watch, name, folder)
    finished = False
    try:
        yield both
        finished = True
    finally:
        if both.tracker is not None:
            both.tracker.close(finished=finished)
        elif finished:
            watch.say("nothing is logged of a training that is found finished; see its epochs.csv")


class _Tracked:
    """Looks on; see `Watch`."""

    def __init__(self, watch: Watch, name: TrackerName, folder: Path) -> None:
        self.tracker: Tracker | None = None
        self._watch, self._name, self._folder = watch, name, folder
        self.say, self.on_step = watch.say, watch.on_step

    def on_start(
        self,
        name: str,
        record: Mapping[str, Any],
        *,
        images: int,
        device: torch.device,
        needed_bytes: int,
    ) -> None:
        self._watch.on_start(name, record, images=images, device=device, needed_bytes=needed_bytes)
        self.tracker = TRACKERS[self._name](self._folder, name, record)

    def on_epoch(self, epoch: Epoch) -> None:
        metrics = {name: value for name, value in epoch.row().items() if value is not None}
        number = metrics.pop("epoch")
        if self.tracker is not None:
            self.tracker.log(number, metrics)
        self._watch.on_epoch(epoch)
