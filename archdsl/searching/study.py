"""A study document: a space of models, what is measured on each, for how long. No optuna here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from archdsl.document.messages import counted, one_of
from archdsl.measuring.settings import SETTINGS, TableSettings
from archdsl.metrics import MEASURED, METRICS, Direction
from archdsl.searching.constraints import (
    Constraint,
    ConstraintError,
    amount,
    only_unit,
    parse_constraint,
)
from archdsl.searching.stopping import NoStopping, Stopping
from archdsl.spec.base import YOUNGER, Node, StoredNode
from archdsl.spec.values import Name, TimmName


def _source(value: object) -> str:
    written = isinstance(value, Mapping) and "table" in value
    return "table" if written or isinstance(value, TableSettings) else "real"


def _kind_of_baseline(value: object) -> str:
    return "name" if isinstance(value, str) else "begun"


def _readable(text: str) -> str:
    try:
        parse_constraint(text)
    except ConstraintError as error:
        message = f"{text}: {error}"
        raise PydanticCustomError("constraint", "{text}", {"text": message}) from None
    return text


def reference_point(
    written: Mapping[str, str | int | float] | None, objectives: Iterable[str]
) -> dict[str, float] | None:
    """A study's `reference` in the unit of each objective's values, in their order."""
    if written is None:
        return None
    return {name: _amount(name, written[name]) for name in objectives}


def _amount(name: str, value: str | float) -> float:
    """A bare number is enough where the quantity has one unit only."""
    return amount(name, value if isinstance(value, str) else f"{value:.17g}{only_unit(name)}")


class EvaluateWords(Node):
    """What a study's `evaluate` says, by metric."""

    def given(self) -> dict[str, StoredNode]:
        """How each metric is evaluated that is."""
        return {name: each for name in MEASURED if (each := getattr(self, name)) is not None}

    def of(self, metric: str) -> StoredNode | None:
        """How a metric is evaluated, if it is."""
        return self.given().get(metric)


def _word(metric: str) -> tuple[Any, Any]:
    """The field of a metric: its settings, or a table."""
    settings: Any = SETTINGS[metric]
    either = Annotated[
        Annotated[settings, Tag("real")] | Annotated[TableSettings, Tag("table")],
        Discriminator(_source),
    ]
    return either | None, Field(default=None, description=METRICS[metric].evaluated)


if TYPE_CHECKING:
    Evaluate = EvaluateWords
else:
    Evaluate = create_model(
        "Evaluate",
        __base__=EvaluateWords,
        __module__=__name__,
        __doc__="How each quantity is measured; a `table` of known values may stand in for any.",
        **{metric: _word(metric) for metric in MEASURED},
    )


class Budget(Node):
    """When the search ends, by whichever comes first; not part of the study's identity."""

    trials: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Total number of candidates, those of earlier runs included."""
    hours: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = None
    """Time in which trials were at work, in all, earlier runs included. No trial is begun after it;
    those that run are finished."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.trials is None and self.hours is None:
            raise PydanticCustomError("budget", "give trials, hours, or both")
        return self

    def __str__(self) -> str:
        trials = [] if self.trials is None else [counted(self.trials, "trial")]
        hours = [] if self.hours is None else [f"{self.hours:g} h"]
        return " or ".join(trials + hours)


class Sampler(StoredNode):
    """Who proposes candidates."""

    type: Literal["tpe", "nsga2", "random"] = "tpe"
    """tpe: Optuna's tree-structured Parzen estimator, multivariate: draws what resembles the better
    trials. nsga2: Optuna's genetic algorithm: crosses decisions of the better trials, generation by
    generation. random: every option is as likely, whatever was found; seeded, as a baseline."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Everything random in the search follows from it."""


class BegunBaseline(StoredNode):
    """A baseline whose trainings begin with weights of its own."""

    model: TimmName
    """`timm:NAME`."""
    init: Annotated[str, Field(min_length=1)]
    """Those weights, a file as `archdsl train --init` takes it, whatever the candidates begin with.
    A relative path starts at the current folder."""


class Study(StoredNode):
    """A search that can be started, resumed and repeated."""

    archdsl: Literal[1]
    """Version of the language."""
    kind: Literal["study"]
    name: Name
    """Names the study in a database."""
    base: str | dict[str, Any] | None = None
    """The model all are compared with (trial 0): a name or path, {choose: [...]} of
    them, or a model document in place."""
    space: Annotated[dict[str, Any], Field(default_factory=dict)]
    """A partial model document laid over the base, with holes; without a base, a whole one."""
    constraints: Annotated[
        tuple[Annotated[str, AfterValidator(_readable)], ...], Field(strict=False)
    ] = ()
    """`name <= value`: facts are checked before any cost, measured bounds before any training."""
    objectives: Annotated[dict[str, Direction], Field(min_length=1)]
    """What is minimised and maximised."""
    reference: dict[str, str | int | float] | None = None
    """Worst value of each objective that still counts: where the hypervolume is measured from.
    The base's values unless given."""
    evaluate: Evaluate
    budget: Budget
    sampler: Sampler = Sampler()
    stopping: Annotated[Stopping, YOUNGER] = NoStopping()
    """Which trainings are ended before their last epoch."""
    baselines: Annotated[
        tuple[
            Annotated[
                Annotated[TimmName, Tag("name")] | Annotated[BegunBaseline, Tag("begun")],
                Discriminator(_kind_of_baseline),
            ],
            ...,
        ],
        YOUNGER,
        Field(strict=False),
    ] = ()
    """Models of timm's, `timm:NAME` or `{model: timm:NAME, init: FILE}`, that are trained and
    measured as the candidates are, once those are done, for images and classes of the base. They
    are no candidates: the front shows them beside its members."""

    @field_validator("objectives")
    @classmethod
    def _known(cls, objectives: dict[str, Direction]) -> dict[str, Direction]:
        unknown = [one_of(name, METRICS) for name in objectives if name not in METRICS]
        if unknown:
            raise PydanticCustomError("objective", "{text}", {"text": "; ".join(unknown)})
        return objectives

    @field_validator("reference")
    @classmethod
    def _is_one_point(
        cls, reference: dict[str, str | int | float] | None, info: ValidationInfo
    ) -> dict[str, str | int | float] | None:
        objectives = info.data.get("objectives")
        if reference is None or objectives is None:
            return reference
        wrong = [one_of(name, objectives) for name in reference if name not in objectives]
        wrong += [f"missing: {name}" for name in objectives if name not in reference]
        for name in [name for name in reference if name in objectives]:
            try:
                _amount(name, reference[name])
            except ConstraintError as error:
                wrong.append(f"{name}: {error}")
        if wrong:
            raise PydanticCustomError("reference", "{text}", {"text": "; ".join(wrong)})
        return reference

    def parsed_constraints(self) -> list[Constraint]:
        """The constraints, read."""
        return [parse_constraint(text) for text in self.constraints]

    def fact_constraints(self) -> list[Constraint]:
        """Those that facts decide before any cost."""
        return [constraint for constraint in self.parsed_constraints() if not constraint.measured]

    def document(self) -> dict[str, Any]:
        """The normalised document."""
        fields: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        fields["space"] = self.space  # nulls in a space delete; they are not absent words
        return fields

    def identity(self) -> dict[str, Any]:
        """The document without its budget: what makes it the same study when run again."""
        document = self.document()
        del document["budget"]
        return document
