"""What is known of an architecture before anything is built or run."""

from __future__ import annotations

from archdsl.plan.cost import cost
from archdsl.plan.influence import influence
from archdsl.plan.plan import Plan

FACTS = {
    "process_tokens": "tokens of the process stream",
    "memory_tokens": "tokens of the memory stream, 0 without one",
    "process_dim": "width of the process stream",
    "memory_dim": "width of the memory stream, 0 without one",
    "depth": "number of layers",
    "params": "parameters the forward pass uses",
    "params_m": "the same in millions",
    "macs": "multiply-adds for one image, LayerNorms at 5 an element",
    "macs_g": "the same in billions (GMACs)",
    "macs_fvcore": "the same as fvcore counts them: without the products inside fused attention",
    "unused_share": "share of the parameters, 0 to 1, that cannot influence the prediction",
}
"""Names and meanings, in the order they are listed to users."""


def facts(plan: Plan) -> dict[str, int | float]:
    """The facts of a plan, keys as in `FACTS`."""
    process, memory = plan.streams["process"], plan.streams.get("memory")
    total = cost(plan)
    return {
        "process_tokens": process.tokens,
        "memory_tokens": memory.tokens if memory else 0,
        "process_dim": process.dim,
        "memory_dim": memory.dim if memory else 0,
        "depth": len(plan.layers),
        "params": total.params,
        "params_m": total.params / 1e6,
        "macs": total.macs,
        "macs_g": total.macs / 1e9,
        "macs_fvcore": total.macs_fvcore,
        "unused_share": influence(plan).unused_share,
    }
