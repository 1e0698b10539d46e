"""The way out of an error, in words of the command that met it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archdsl.cli.search_input import Found
from archdsl.errors import DataError, DeviceError
from archdsl.searching.read import CheckedStudy


@contextmanager
def remedies(checked: CheckedStudy, found: Found, *, any_device: bool) -> Iterator[None]:
    """Adds to errors of data and devices what to type instead.

    Raises:
        DataError: with the settings that make the study's models fit the data.
        DeviceError: with the option that measures on the device there is; one to train on is
            the run profile's to say.
    """
    try:
        yield
    except DataError as error:
        raise DataError(f"{error}{_to_fit(error, checked, found)}") from None
    except DeviceError as error:
        from archdsl.training.device import TrainingDeviceError

        if isinstance(error, TrainingDeviceError):
            raise
        way_out = ", or measure on the device there is, under its own name, with --any-device"
        asked = hasattr(checked.study.evaluate.of("latency"), "device") and not any_device
        raise DeviceError(f"{error}{way_out if asked else ''}") from None


def _to_fit(error: DataError, checked: CheckedStudy, found: Found) -> str:
    from archdsl.training.data.dataset import MisfitError

    if not isinstance(error, MisfitError):
        return ""
    prefix = "" if found.around else "space."
    sets = " ".join(f"--set {prefix}{word}={value}" for word, value in error.needed.items())
    if found.around:
        return f"\nto search this model on these data, add: {sets}"
    bases = ", ".join(sorted({tree.origin.source for tree in checked.space.bases.values()}))
    document = f"the document is the study's base, {bases}; " if bases else ""
    return f"\n{document}to set these words for all models of the study, add: {sets}"
