"""A study document: a space of models, what is measured on each, for how long. No optuna here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator
from pydantic_core import PydanticCustomError

from archdsl.document.messages import one_of
from archdsl.measure.conditions import Conditions
from archdsl.measure.settings import AccuracySettings, TableSettings
from archdsl.search.constraints import Constraint, ConstraintError, parse_constraint
from archdsl.search.objectives import OBJECTIVES, Direction
from archdsl.spec.base import Node
from archdsl.spec.values import Name


def _source(value: object) -> str:
    written = isinstance(value, Mapping) and "table" in value
    return "table" if written or isinstance(value, TableSettings) else "real"


def _readable(text: str) -> str:
    try:
        parse_constraint(text)
    except ConstraintError as error:
        message = f"{text}: {error}"
        raise PydanticCustomError("constraint", "{text}", {"text": message}) from None
    return text


class Evaluate(Node):
    """How each quantity is measured; a `table` of known values may stand in for either."""

    latency: (
        Annotated[
            Annotated[Conditions, Tag("real")] | Annotated[TableSettings, Tag("table")],
            Discriminator(_source),
        ]
        | None
    ) = None
    """Time of one batch on a named device."""
    top1: (
        Annotated[
            Annotated[AccuracySettings, Tag("real")] | Annotated[TableSettings, Tag("table")],
            Discriminator(_source),
        ]
        | None
    ) = None
    """Validation accuracy after a training."""


class Budget(Node):
    """When the search ends; not part of the study's identity."""

    trials: Annotated[int, Field(ge=1, le=10_000_000)]
    """Total number of candidates, those of earlier runs included."""


class Sampler(Node):
    """Who proposes candidates."""

    type: Literal["tpe", "nsga2", "random"] = "tpe"
    """tpe: multivariate tree-structured Parzen estimator; nsga2: the genetic algorithm."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Everything random in the search follows from it."""


class Study(Node):
    """A search that can be started, resumed and repeated."""

    archdsl: Literal[1]
    """Version of the language."""
    kind: Literal["study"]
    name: Name
    """Names the study in a database."""
    base: str | dict[str, Any] | None = None
    """The model all are compared with (trial 0): a name or path, or {choose: [...]} of them."""
    space: Annotated[dict[str, Any], Field(default_factory=dict)]
    """A partial model document laid over the base, with holes; without a base, a whole one."""
    constraints: Annotated[
        tuple[Annotated[str, AfterValidator(_readable)], ...], Field(strict=False)
    ] = ()
    """`name <= value`: facts are checked before any cost, measured bounds before any training."""
    objectives: Annotated[dict[str, Direction], Field(min_length=1)]
    """What is minimised and maximised."""
    evaluate: Evaluate
    budget: Budget
    sampler: Sampler = Sampler()

    @field_validator("objectives")
    @classmethod
    def _known(cls, objectives: dict[str, Direction]) -> dict[str, Direction]:
        unknown = [one_of(name, OBJECTIVES) for name in objectives if name not in OBJECTIVES]
        if unknown:
            raise PydanticCustomError("objective", "{text}", {"text": "; ".join(unknown)})
        return objectives

    def parsed_constraints(self) -> list[Constraint]:
        """The constraints, read."""
        return [parse_constraint(text) for text in self.constraints]

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
