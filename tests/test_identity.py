"""A word younger than what is stored leaves every identity at its default."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
from pydantic import Field

from archdsl.measuring.conditions import CallConditions, Conditions, MemoryConditions
from archdsl.measuring.settings import AccuracySettings, TableSettings
from archdsl.plan.plan import PartPlan, Plan
from archdsl.plan.read import read_model
from archdsl.searching.stopping import AshaStopping, FrontStopping, NoStopping
from archdsl.searching.study import BegunBaseline, Sampler, Study
from archdsl.spec.base import YOUNGER, StoredNode
from archdsl.training.recipe import RandAugment, Recipe, TimmTeacher

UNMARKED = {
    CallConditions: "device batch dtype heads",
    MemoryConditions: "device batch dtype heads",
    Conditions: "device batch dtype heads tf32 threads precision max_seconds",
    AccuracySettings: "data recipe epochs seeds split_seed image_size",
    TableSettings: "table repeat",
    Recipe: "epochs batch lr min_lr warmup_epochs weight_decay label_smoothing clip_grad augment "
    "amp",
    RandAugment: "ops magnitude most std",
    TimmTeacher: "model init classes",
    Study: "archdsl kind name base space constraints objectives reference evaluate budget sampler",
    BegunBaseline: "model init",
    Sampler: "type seed",
    NoStopping: "type",
    FrontStopping: "type margin earliest",
    AshaStopping: "type reduction earliest",
}
"""Words of the first stored identities: written at their defaults too. No word is ever added."""


@pytest.mark.parametrize("node", StoredNode.__subclasses__() + CallConditions.__subclasses__())
def test_every_later_word_is_marked(node: type[StoredNode]) -> None:
    fields = node.model_fields
    unmarked = [name for name in fields if YOUNGER not in fields[name].metadata]
    assert sorted(unmarked) == sorted(UNMARKED[node].split())


class LaterRecipe(Recipe):
    teacher: Annotated[str | None, YOUNGER] = None
    crops: Annotated[tuple[int, ...], YOUNGER, Field(default_factory=tuple)]


class LaterConditions(Conditions):
    engine: Annotated[str, YOUNGER] = "none"


STUDY: dict[str, Any] = {
    "archdsl": 1,
    "kind": "study",
    "name": "small",
    "base": "vittm-digits",
    "objectives": {"latency": "minimize"},
    "evaluate": {"latency": {"device": "cpu", "batch": 8}},
    "budget": {"trials": 1},
}


class LaterStudy(Study):
    warm_start: Annotated[dict[str, int], YOUNGER] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LaterPart(PartPlan):
    groups: int = 1

    __hash__ = PartPlan.__hash__


def with_embed(plan: Plan, embed: PartPlan) -> Plan:
    process = replace(plan.streams["process"], embed=embed)
    return replace(plan, streams={**plan.streams, "process": process})


def test_a_recipe() -> None:
    before = Recipe().model_dump(mode="json")
    assert LaterRecipe(crops=()).model_dump(mode="json") == before
    assert LaterRecipe(crops=(), teacher=None).model_dump() == Recipe().model_dump()
    chosen = LaterRecipe(teacher="a", crops=(1,)).model_dump(mode="json")
    assert chosen == {**before, "teacher": "a", "crops": [1]}


def test_conditions() -> None:
    before = Conditions(device="cpu", batch=8)
    assert LaterConditions(device="cpu", batch=8).keyed() == before.keyed()
    chosen = LaterConditions(device="cpu", batch=8, engine="onnx", channels_last=True).keyed()
    assert chosen == {**before.keyed(), "engine": "onnx", "channels_last": True}


def test_a_study() -> None:
    before = Study.model_validate(STUDY).identity()
    assert LaterStudy.model_validate(STUDY).identity() == before
    chosen = LaterStudy.model_validate({**STUDY, "warm_start": {"a": 1}}).identity()
    assert chosen == {**before, "warm_start": {"a": 1}}


def test_a_plan() -> None:
    plan = read_model("vittm-digits").plan
    embed = plan.streams["process"].embed
    later = LaterPart(type=embed.type, arguments=embed.arguments)
    assert with_embed(plan, later).arch_id == plan.arch_id
    assert with_embed(plan, replace(later, groups=2)).arch_id != plan.arch_id
