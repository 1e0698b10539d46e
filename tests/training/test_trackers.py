"""What other programs keep of a training."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

import archdsl
from archdsl.errors import ArchdslError
from archdsl.training.trackers import TensorBoard, TrackerName

SPEC = archdsl.load("vittm-digits")
REASON = "a package of the user's choice"


def epochs(folder: Path, log: TrackerName) -> list[dict[str, float]]:
    """Those of a training, as the table has them."""
    archdsl.train(SPEC, data="digits", epochs=1, threads=1, folder=folder, log=log)
    rows = csv.DictReader((folder / "epochs.csv").read_text().splitlines())
    return [{name: float(text) for name, text in row.items()} for row in rows]


def test_tensorboard_has_each_epoch_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason=REASON)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def told(folder: Path) -> dict[str, dict[int, float]]:
        found = EventAccumulator(str(folder / "tensorboard")).Reload()
        return {
            name: {each.step: each.value for each in found.Scalars(name)}
            for name in found.Tags()["scalars"]
        }

    [row] = epochs(tmp_path / "run", "tensorboard")
    row.pop("epoch")
    assert told(tmp_path / "run") == {
        name: {1: pytest.approx(value, rel=1e-4)} for name, value in row.items()
    }
    for count in (2, 3):  # gone on with, all epochs are told again
        tracker = TensorBoard(tmp_path / "again", None)  # type: ignore[arg-type]  # of no use to it
        for epoch in range(1, count + 1):
            tracker.log(epoch, {"loss": 1 / epoch})
        tracker.close(finished=count == 3)
    found = EventAccumulator(str(tmp_path / "again/tensorboard")).Reload()
    assert [each.step for each in found.Scalars("loss")] == [1, 2, 3]


def test_weights_and_biases_are_kept_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason=REASON)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    [row] = epochs(tmp_path, "wandb")
    [file] = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = file.read_bytes()
    assert all(name.encode() in content for name in row)
    value = archdsl.load_bundle(tmp_path).scores[0]["value"]
    assert json.dumps(value).encode() in content


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its own use of SQLAlchemy
def test_mlflow_is_kept_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason=REASON)
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    [row] = epochs(tmp_path, "mlflow")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("archdsl")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    row.pop("epoch")
    assert run.data.metrics == pytest.approx(row, rel=1e-4)
    assert run.info.status == "FINISHED"
    assert run.data.params["lr"] == "0.003"


def test_what_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ArchdslError, match="mlflow is not installed: pip install mlflow, or"):
        archdsl.train(SPEC, data="digits", folder=tmp_path / "run", log="mlflow")
    assert not (tmp_path / "run").exists()
