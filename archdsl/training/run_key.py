"""What names a training: everything that decides its course, but for the device."""

from __future__ import annotations

from typing import Any

from torch import nn

from archdsl.compiler.plain import is_plain, modules, tensors
from archdsl.identity import digest
from archdsl.nn.network import Network
from archdsl.plan.revisions import later_revisions
from archdsl.training.data.dataset import Dataset
from archdsl.training.recipe import Recipe
from archdsl.training.tasks.distillation import taught_apart
from archdsl.training.tasks.task import Task

LOOP_VERSION = 1
"""Part of every key: raised when the loop computes something else."""

FIRST_SETTINGS: dict[str, frozenset[str]] = {
    "AddEraseFusion": frozenset(),
    "AddFusion": frozenset(),
    "Blocks": frozenset({"stream"}),
    "Borrowed": frozenset(),
    "Carried": frozenset(),
    "Classifier": frozenset({"streams", "dim", "pool"}),
    "ConvStem": frozenset(),
    "CrossAttention": frozenset({"num_heads", "with_query", "scale"}),
    "Downsample": frozenset({"source_grid", "grid", "method"}),
    "Embeds": frozenset({"_order"}),
    "EraseFusion": frozenset(),
    "Exchange": frozenset({"target", "source", "replace", "queries", "skipped"}),
    "LatentAttention": frozenset({"num_heads"}),
    "Layer": frozenset({"together"}),
    "LearnedEmbed": frozenset(),
    "LinearAttention": frozenset({"num_heads", "normalise"}),
    "MappedExchange": frozenset({"target", "source", "replace", "queries", "skipped"}),
    "MlpBlock": frozenset(),
    "MlpHead": frozenset(),
    "Network": frozenset(),
    "PatchEmbed": frozenset({"patch"}),
    "SelfAttention": frozenset({"num_heads"}),
    "StreamEmbed": frozenset({"origin", "resize", "prefix", "position"}),
    "TiedAttention": frozenset({"num_heads", "renormalise"}),
    "TiedExchange": frozenset({"target", "source", "replace", "queries", "skipped"}),
    "TokenSummary": frozenset(),
}
"""Settings that the classes of `archdsl.nn` had when keys held them; what they gained since is not
part of those keys. Nothing is ever added here."""


FIRST_TASK = "classification"
"""Not part of any key: for long there was no other."""


def run_keys(
    model: nn.Module, dataset: Dataset, *, task: Task, recipe: Recipe, seed: int
) -> tuple[str, ...]:
    """The keys that files of a training may bear: that of new files first, then an older one.

    A compiled network is named by its `arch_id`, the revisions of its words and its tensors; any
    other module by the settings of its modules and its tensors.
    """
    course = {
        "loop": LOOP_VERSION,
        "data": dataset.digest,
        # Of a teacher its weights count, wherever they lie.
        "recipe": recipe.in_words_of_today().model_dump(mode="json", exclude={"teacher"}),
        "seed": seed,
        **({} if task.name == FIRST_TASK else {"task": task.name}),
        # All classifiers once learned of labels and teacher both.
        **({"taught": "apart"} if recipe.teacher is not None and taught_apart(model) else {}),
    }
    return tuple(
        digest({**course, "architecture": architecture}) for architecture in _architectures(model)
    )


def _architectures(model: nn.Module) -> list[Any]:
    if not is_plain(model):
        return [digest([modules(model), tensors(model)])]
    revisions = later_revisions(model.plan)
    named = {"arch_id": model.plan.arch_id, "revisions": revisions, "tensors": tensors(model)}
    return [named] if revisions else [named, _first_identity(model)]


def _first_identity(network: Network) -> str:
    """What a network of first revisions was named by, before it was by its `arch_id`."""
    found = [
        (path, kind, {each: text for each, text in settings.items() if _is_first(kind, each)})
        for path, kind, settings in modules(network)
    ]
    return digest([found, tensors(network)])


def _is_first(kind: str, setting: str) -> bool:
    known = FIRST_SETTINGS.get(kind)  # a class of torch or timm has none here
    return known is None or setting in known or setting in _OF_EVERY_MODULE


_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
