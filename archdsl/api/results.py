"""The front of a study as notebooks get it: its members, a data frame, a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from archdsl.errors import ArchdslError, WeightsError
from archdsl.spec.model import ModelSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from archdsl.nn.network import Network
    from archdsl.records import Measurement
    from archdsl.reporting.front import CompleteTrial, StudyResults
    from archdsl.store.rows import Value


@dataclass(frozen=True, kw_only=True)
class FrontRow:
    """One member of a front.

    Args:
        trial: its number in the study.
        arch_id: the architecture's identity.
        base: it is the study's base.
        difference: what distinguishes it from the base; empty for the base itself.
        values: objective to value, with the ends (`low`, `high`) of its 95 % interval.
        over: trained objective to what its interval is over: `3 seeds`, `359 images`.
        test: metric to the value on test images, where they were scored.
        facts: what is known of the architecture before any cost: `params`, `macs`, `depth`, ….
        params: the decisions: hole name to option; empty for the base.
        indistinguishable: numbers of the trials that it cannot be told apart from.
        spec: the architecture's document.
    """

    trial: int
    arch_id: str
    base: bool
    difference: str
    values: Mapping[str, Value]
    over: Mapping[str, str]
    test: Mapping[str, float]
    facts: Mapping[str, float]
    params: Mapping[str, Any]
    indistinguishable: Sequence[int]
    spec: ModelSpec
    _measured: Mapping[str, Measurement]
    _folder: Path | None

    def __repr__(self) -> str:
        from archdsl.reporting.formatting import format_value

        what = "the base" if self.base else self.difference
        values = (
            f"{name} {format_value(name, each, self.over.get(name, ''))}"
            for name, each in self.values.items()
        )
        return f"<FrontRow: trial {self.trial}, {what}: {', '.join(values)}>"

    def model(self, *, seed: int | None = None) -> Network:
        """The network with its trained weights, in eval mode. Never trains.

        Args:
            seed: of the training; of the first one unless given.

        Raises:
            WeightsError: none of the study's values takes a training, none had this seed, or the
                weights are not where they were.
        """
        from archdsl.compiler.build import build
        from archdsl.training.trained_weights import load_trained_weights

        trained = [each for each in self._measured.values() if "weights" in each.detail]
        if not trained:
            raise WeightsError(
                f"trial {self.trial} has no weights: no value of it comes from a training; "
                "archdsl.compile(row.spec) builds it with fresh ones"
            )
        network = build(self.spec)
        load_trained_weights(network, trained[0], seed=seed, folder=self._folder)
        return network.eval()


class Front(Sequence[FrontRow]):
    """The members of a study's front, best first objective first: a snapshot.

    Args:
        found: all complete trials of the study.
        robust: the members are those of the robust front.
        folder: of the database; None of a server. Weights are looked for in it first.
    """

    def __init__(self, found: StudyResults, *, robust: bool, folder: Path | None) -> None:
        self._found = found
        self._members = found.robust_members if robust else found.members
        self._rows = tuple(_row(each, folder) for each in self._members)

    @property
    def study(self) -> str:
        """The study's name."""
        return self._found.study.name

    @property
    def objectives(self) -> Mapping[str, str]:
        """Name to `minimize` or `maximize`, in the study's order."""
        return self._found.study.objectives

    @property
    def conditions(self) -> str:
        """Device, conditions and data of the values, in words."""
        return self._found.conditions

    @property
    def hypervolume(self) -> float | None:
        """How much the front dominates; None without a point to measure it from."""
        return self._found.growth.value if self._found.growth else None

    @overload
    def __getitem__(self, index: int) -> FrontRow: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[FrontRow]: ...

    def __getitem__(self, index: int | slice) -> FrontRow | Sequence[FrontRow]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        complete = len(self._found.rows)
        return f"<Front of {self.study!r}: {len(self)} of {complete} complete trials>"

    def to_frame(self) -> DataFrame:
        """A row for each member, best first objective first; its number is the index.

        Identity, difference from the base, each objective with the ends of its 95 % interval and
        what that of a trained one is over, `test_…` where test images were scored, `facts.…` and
        `params.…`: each column has the name that it has in `archdsl export --csv`, which has
        others beside them.

        Raises:
            ArchdslError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ArchdslError(
                "a front becomes a data frame with pandas, which is not installed: "
                "pip install pandas"
            ) from None
        from archdsl.reporting.trials_table import flattened

        index = pandas.Index([row.trial for row in self], name="number")
        records = [each.record() for each in self._members]
        for record in records:
            del record["steady"]  # a column of the table of all trials alone
        return pandas.DataFrame(map(flattened, records), index=index)

    def plot(self) -> Figure:
        """The complete trials and the front over the first two objectives, with 95 % intervals.

        Raises:
            ArchdslError: the study has one objective.
        """
        from archdsl.reporting.plots.front_plot import plot_front
        from archdsl.reporting.plots.points import plot_arguments

        return plot_front(**plot_arguments(self._found))


def _row(found: CompleteTrial, folder: Path | None) -> FrontRow:
    trial = found.trial
    return FrontRow(
        trial=trial.number,
        arch_id=trial.arch_id,
        base=found.base,
        difference=found.difference,
        values=trial.values,
        over=found.over,
        test={name.removeprefix("test_"): each.value for name, each in found.tests.items()},
        facts=found.facts,
        params=trial.params,
        indistinguishable=found.indistinguishable,
        spec=ModelSpec.model_validate(found.spec),
        _measured=found.measured,
        _folder=folder,
    )
