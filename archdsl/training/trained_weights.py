"""The weights behind a stored measurement, without a training: `load_trained_weights`."""

from __future__ import annotations

from torch import nn

from archdsl.errors import WeightsError
from archdsl.records import Measurement
from archdsl.storage.storage import storage_at
from archdsl.training.checkpoint import WEIGHTS, read_weights


def load_trained_weights(
    model: nn.Module, measurement: Measurement, *, seed: int | None = None
) -> None:
    """Load the weights that a training ended with.

    Args:
        model: of the measured architecture.
        measurement: of a quantity that takes a training, such as a trial's `top1`. Its detail says
            where the weights lie; a relative path, in measurements of before, starts at the
            current folder.
        seed: of which training; of the first one unless given.

    Raises:
        WeightsError: nothing was trained for this measurement, or not with this seed; its weights
            are not there, damaged, or of another model.
        WriteError: the URL does not answer.
    """
    quantity, place = measurement.quantity, measurement.detail.get("weights")
    if place is None:
        raise WeightsError(
            f"there are no weights behind this {quantity}: it was not measured by a training"
        )
    seeds = measurement.protocol["seeds"]
    if seed is not None and seed not in seeds:
        trained = ", ".join(map(str, seeds))
        raise WeightsError(f"seed {seed} is none of those behind this {quantity}: {trained}")
    folder = storage_at(place) / f"seed-{seeds[0] if seed is None else seed}"
    found = folder.read(WEIGHTS, read_weights)
    if found is None:
        raise WeightsError(
            f"{folder} holds no whole {WEIGHTS}; bring the run profile's storage back to where it "
            f"was when this {quantity} was measured (a relative path starts at the current folder)"
        )
    try:
        model.load_state_dict(found.tensors)
    except RuntimeError as error:
        raise WeightsError(f"{folder / WEIGHTS} does not fit the model: {error}") from None


def remove_trained_weights(measurement: Measurement) -> list[str]:
    """Remove the weights that the trainings behind a measurement ended with.

    Returns:
        What was removed; nothing where no training is behind it, or its weights are gone already.

    Raises:
        WriteError: a URL does not answer.
    """
    place = measurement.detail.get("weights")
    if place is None:
        return []
    removed = []
    for seed in measurement.protocol["seeds"]:
        folder = storage_at(place) / f"seed-{seed}"
        if folder.read(WEIGHTS, lambda stream: True):
            folder.remove(WEIGHTS)
            removed.append(str(folder / WEIGHTS))
    return removed
