"""The evaluators of a study, cheap ones first. Imports no torch until one needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from archdsl.document.messages import one_of
from archdsl.errors import StudyError
from archdsl.measuring.conditions import CONDITIONS
from archdsl.measuring.settings import AccuracySettings, TableSettings, settings_of
from archdsl.measuring.table import Table, TableEvaluator
from archdsl.metrics import TRAINED, on_test_images
from archdsl.records import Job, Measurement

if TYPE_CHECKING:
    from archdsl.measuring.trainings import Trainings


class Evaluator(Protocol):
    """Measures one quantity of one candidate after the other."""

    @property
    def quantity(self) -> str:
        """Name of what is measured."""

    def protocol(self) -> Mapping[str, Any]:
        """Everything that may change the value, whatever the candidate is."""

    def check(self, candidate: Job) -> Sequence[str]:
        """Refuse a candidate that can never be measured, before anything is paid for.

        Returns:
            What a person should know of the data, a sentence each.

        Raises:
            ArchdslError: why it cannot.
        """

    def measure(self, candidate: Job, *, report: Callable[[int, float], None]) -> Measurement:
        """Measure a candidate; `report(epoch, value)` tells of values on the way."""


class TrainingPlace(Protocol):
    """Which device trains."""

    @property
    def device(self) -> str:
        """`auto`, `cpu` or `cuda`."""


class Workplace(Protocol):
    """What evaluators need to know of the run profile."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def training(self) -> TrainingPlace:
        """Where candidates are trained."""

    @property
    def training_threads(self) -> int:
        """CPU threads of one training."""

    @property
    def data(self) -> Mapping[str, str]:
        """Name of a data set to its source."""

    @property
    def storage(self) -> str:
        """Folder for weights, or its URL."""


EVALUATED = ("memory", "latency", "throughput", *TRAINED)
"""What a study may evaluate, cheap ones first."""


def make_evaluators(
    evaluate: Mapping[str, Mapping[str, Any]], workplace: Workplace
) -> list[Evaluator]:
    """The evaluators of a study, cheap ones first.

    With a trained metric such as `top1` comes `test_top1`: the final score of a front's members,
    which no candidate of a running search is measured by. A table gives it only if it has values
    of it, and data only if they have a test split. Metrics of equal settings share their trainings.

    Args:
        evaluate: quantity to settings: those of `Conditions` for `latency` and `throughput`, of
            `MemoryConditions` for `memory`, of `AccuracySettings` for trained ones, or
            `{table: FILE}` for any of them.
        workplace: the run profile.

    Raises:
        StudyError: an unknown quantity, or settings that are wrong.
        ArchdslError: what the evaluators themselves cannot do here (see their classes).
    """
    for quantity in evaluate:
        if quantity not in EVALUATED:
            raise StudyError(f"evaluate: {one_of(quantity, EVALUATED)}")
    made: list[Evaluator] = []
    tables: dict[str, Table] = {}
    trainings: dict[str, Trainings] = {}
    for quantity in EVALUATED:
        settings = evaluate.get(quantity)
        if settings is None:
            continue
        if "table" in settings:
            made += _tables(quantity, settings, tables)
        elif quantity in TRAINED:
            made += _trained(quantity, settings, workplace, trainings)
        else:
            made.append(_of_network(quantity, settings))
    return made


def _tables(
    quantity: str, settings: Mapping[str, Any], tables: dict[str, Table]
) -> list[Evaluator]:
    """Those of a quantity; `tables` gains its file, which is read once for all quantities."""
    read = settings_of(TableSettings, settings, f"evaluate.{quantity}")
    repeat = read.repeat or 0
    if read.table not in tables:
        tables[read.table] = Table(Path(read.table))
    table = tables[read.table]
    final = on_test_images(quantity)
    names = [quantity, final] if table.has_values(final) else [quantity]
    return [TableEvaluator(quantity=name, table=table, repeat=repeat) for name in names]


def _of_network(quantity: str, settings: Mapping[str, Any]) -> Evaluator:
    from archdsl.measuring.candidate import NetworkEvaluator

    conditions = settings_of(CONDITIONS[quantity], settings, f"evaluate.{quantity}")
    return NetworkEvaluator(quantity, conditions)


def _trained(
    metric: str,
    settings: Mapping[str, Any],
    workplace: Workplace,
    known: dict[str, Trainings],
) -> list[Evaluator]:
    """Those of a metric; `known` gains its trainings, by their settings."""
    from archdsl.measuring.trained import FinalEvaluator, ValidationEvaluator
    from archdsl.measuring.trainings import Trainings
    from archdsl.storage.storage import storage_at
    from archdsl.training.device import choose_device

    read = settings_of(AccuracySettings, settings, f"evaluate.{metric}")
    words = read.model_dump_json()
    if words in known:
        trainings = known[words].scored_by(metric)
    else:
        trainings = known[words] = Trainings(
            metric,
            read,
            device=choose_device(workplace.training.device, profile=workplace.name),
            threads=workplace.training_threads,
            names=workplace.data,
            storage=storage_at(workplace.storage),
        )
    final = [FinalEvaluator(trainings)] if trainings.has_test else []
    return [ValidationEvaluator(trainings), *final]
