"""The weights behind a stored measurement, without a training: `load_trained_weights`."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from archdsl.errors import WeightsError
from archdsl.records import Measurement
from archdsl.storage.storage import storage_at
from archdsl.store.weights import PLACE, places
from archdsl.training.checkpoint import WEIGHTS, read_weights


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
