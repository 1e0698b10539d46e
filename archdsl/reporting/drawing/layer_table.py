"""Layer by layer: tokens, width, parameters, multiply-adds and share of the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.plan.cost import PartCost, costs
from archdsl.plan.plan import Plan, StreamName, StreamPlan, classifier_streams
from archdsl.spec.cost import Cost

Shares = Mapping[str, float]
"""Path of each part to its share of the time, from 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer, embedding or classifier.

    Args:
        name: `embed memory`, `layer 3`, `classifier memory`.
        streams: those it works on, by name.
        parts: what it is made of, in the order they run.
    """

    name: str
    streams: Mapping[StreamName, StreamPlan]
    parts: tuple[PartCost, ...]

    @property
    def cost(self) -> Cost:
        """Of all parts."""
        return sum((part.cost for part in self.parts), Cost())

    def share(self, shares: Shares) -> float:
        """Of the time, from 0 to 1."""
        return sum(shares[part.path] for part in self.parts)


@dataclass(frozen=True, kw_only=True)
class LayerTable:
    """Everything that costs something, in the order it runs, and the sum."""

    plan: Plan
    rows: tuple[LayerRow, ...]
    total: Cost

    def plain(self, shares: Shares | None) -> dict[str, Any]:
        """The table as plain data, each row with its parts."""
        return {
            "rows": [
                {
                    "name": row.name,
                    "tokens": {name: stream.tokens for name, stream in row.streams.items()},
                    "width": {name: stream.dim for name, stream in row.streams.items()},
                    **_numbers(row.cost, row.share(shares) if shares else None),
                    "parts": [
                        {
                            "word": part.word,
                            **_numbers(part.cost, shares[part.path] if shares else None),
                        }
                        for part in row.parts
                    ],
                }
                for row in self.rows
            ],
            "total": _numbers(self.total, None),
        }


def layer_table(plan: Plan) -> LayerTable:
    """The table of a network, for one image; its sum is what the facts say.

    Weights that several layers share count in the layer that meets them first.
    """
    found = costs(plan)
    embeds = [
        LayerRow(name=f"embed {name}", streams={name: stream}, parts=(part,))
        for (name, stream), part in zip(plan.streams.items(), found.embeds, strict=True)
    ]
    layers = [
        LayerRow(name=f"layer {number}", streams=plan.streams, parts=parts)
        for number, parts in enumerate(found.layers)
    ]
    classifiers = [
        LayerRow(
            name=f"classifier {part.word}",
            streams={
                name: plan.streams[name]
                for name in classifier_streams(part.word, plan.output.classifiers[part.word])
            },
            parts=(part,),
        )
        for part in found.classifiers
    ]
    return LayerTable(plan=plan, rows=(*embeds, *layers, *classifiers), total=found.total)


def _numbers(cost: Cost, share: float | None) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "params": cost.params,
        "macs": cost.macs,
        "macs_fvcore": cost.macs_fvcore,
    }
    return numbers if share is None else {**numbers, "time_share": share}
