"""The weights behind a stored measurement, without a training: as they are, or as a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from archdsl.compiler.build import build
from archdsl.errors import WeightsError
from archdsl.records import Measurement
from archdsl.spec.model import ModelSpec
from archdsl.storage.storage import storage_at
from archdsl.store.weights import DATABASE, PLACE, places
from archdsl.training.bundle import Bundle
from archdsl.training.checkpoint import WEIGHTS, StoredWeights, read_weights


def bundle_of(
    spec: ModelSpec,
    measurement: Measurement,
    *,
    source: str,
    folder: Path | None,
    scores: Sequence[Measurement],
    certificate: Mapping[str, Any],
) -> Bundle:
    """The network of the first training behind a measurement, with all that it takes to use it.

    Args:
        spec: the measured architecture.
        measurement: see `load_trained_weights`.
        source: of the data, as the study has it.
        folder: see `load_trained_weights`.
        scores: what is known of its accuracy; means over all its seeds.
        certificate: see `Bundle`.

    Raises:
        WeightsError: as `load_trained_weights`, or the weights are of a version of archdsl that
            did not write down what their classes are.
    """
    network = build(spec, seed=0)
    found, where = _load(network, measurement, seed=None, folder=folder)
    if found.reading is None:
        raise WeightsError(
            f"{where} does not say what its classes are; it was written by an earlier version"
        )
    protocol, detail = measurement.protocol, measurement.detail
    return Bundle(
        network=network.eval(),
        spec=spec,
        reading=found.reading,
        training={
            "recipe": protocol["recipe"],
            "seed": protocol["seeds"][0],
            "split_seed": protocol["split_seed"],
            "data": {
                "source": source,
                "digest": protocol["data"],
                "images": detail.get("images", {}),
            },
            "init": None,
            "seconds": detail.get("train_seconds"),
            "remarks": detail.get("remarks", []),
        },
        scores=[_without_place(each) for each in scores],
        certificate=certificate,
    )


def _without_place(measurement: Measurement) -> dict[str, Any]:
    record = asdict(measurement)
    kept = {name: value for name, value in record["detail"].items() if name not in _ELSEWHERE}
    return {**record, "detail": kept}


_ELSEWHERE = (PLACE, DATABASE)
"""Details that mean something only on the machine that trained."""


def load_trained_weights(
    model: nn.Module,
    measurement: Measurement,
    *,
    seed: int | None = None,
    folder: Path | None = None,
) -> None:
    """Load the weights that a training ended with.

    Args:
        model: of the measured architecture.
        measurement: of a quantity that takes a training, such as a trial's `top1`.
        seed: of which training; of the first one unless given.
        folder: of the database that holds the measurement; None of a server. See
            `archdsl.store.weights.places`.

    Raises:
        WeightsError: nothing was trained for this measurement, or not with this seed; its weights
            are not there, damaged, or of another model.
        WriteError: the URL does not answer.
    """
    _load(model, measurement, seed=seed, folder=folder)


def _load(
    model: nn.Module, measurement: Measurement, *, seed: int | None, folder: Path | None
) -> tuple[StoredWeights, str]:
    """The same; what was loaded, and from where."""
    quantity, place = measurement.quantity, measurement.detail.get(PLACE)
    if place is None:
        raise WeightsError(
            f"there are no weights behind this {quantity}: it was not measured by a training"
        )
    seeds = measurement.protocol["seeds"]
    if seed is not None and seed not in seeds:
        trained = ", ".join(map(str, seeds))
        raise WeightsError(f"seed {seed} is none of those behind this {quantity}: {trained}")
    tried = [
        storage_at(each) / f"seed-{seeds[0] if seed is None else seed}"
        for each in places(place, folder=folder)
    ]
    for kept in tried:
        found = kept.read(WEIGHTS, read_weights)
        if found is not None:
            break
    else:
        where = " and ".join(dict.fromkeys(map(str, tried)))
        raise WeightsError(
            f"{where} hold{'' if ' and ' in where else 's'} no whole {WEIGHTS}; bring the run "
            f"profile's storage to the folder of the database, or back to where it was when this "
            f"{quantity} was measured (a relative path starts at the current folder)"
        )
    try:
        model.load_state_dict(found.tensors)
    except RuntimeError as error:
        raise WeightsError(f"{kept / WEIGHTS} does not fit the model: {error}") from None
    return found, str(kept / WEIGHTS)
