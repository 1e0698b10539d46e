"""Which words of a plan compute something else than when they were first published."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.plan.plan import BlocksStep, PartPlan, Plan, word_steps
from archdsl.spec.base import words
from archdsl.spec.blocks import Block
from archdsl.spec.embeds import Embed
from archdsl.spec.fusion import Fusion
from archdsl.spec.heads import Head
from archdsl.spec.model import ModelSpec

UNIONS = {"block": Block, "embed": Embed, "fusion": Fusion, "head": Head}


def later_revisions(plan: Plan) -> dict[str, int]:
    """Revisions of a plan's words but for the first: `{"head linear_attention": 2}`.

    `model` stands for what has no word of its own: streams, norms, exchanges and classifiers.
    """
    revisions = {"model": ModelSpec.revision} | {
        f"{kind} {part.type}": words(UNIONS[kind])[part.type].revision
        for kind, part in _parts(plan)
    }
    return {word: revision for word, revision in sorted(revisions.items()) if revision != 1}


def _parts(plan: Plan) -> Iterator[tuple[str, PartPlan]]:
    for stream in plan.streams.values():
        yield "embed", stream.embed
    for layer in plan.layers:
        for step in word_steps(layer):
            if isinstance(step, BlocksStep):
                yield from (("block", block) for block in step.blocks)
            else:
                yield "head", step.head
                yield "fusion", step.fusion
