"""Only what the answer needs: parts that nothing asked for depends on are left out."""

from __future__ import annotations

from contextlib import suppress

from torch import nn

from archdsl.compiler.passes.rewrite import Pass, Rewrite, Target
from archdsl.nn.layer import Exchange, Streams
from archdsl.nn.network import Network
from archdsl.plan.influence import influence


class Skipped(nn.Module):
    """A word of a layer that does nothing."""

    def forward(self, streams: Streams) -> Streams:
        """All streams -> the same."""
        return streams


class OnlyNorm(nn.Module):
    """An exchange of which nothing is left but the norms that replace its streams.

    Args:
        exchange: its norms are taken over.
    """

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        norms = {name: exchange.norm_of(name) for name in (exchange.target, exchange.source)}
        self.norms = nn.ModuleDict({name: norm for name, norm in norms.items() if norm is not None})

    def forward(self, streams: Streams) -> Streams:
        """All streams -> all streams."""
        changed = {name: norm(streams[name]) for name, norm in self.norms.items()}
        return {**streams, **changed}


def _apply(network: nn.Module, target: Target) -> Rewrite:
    explanation = []
    if isinstance(network, Network) and target.heads == "predicted":
        found = influence(network.plan)
        for path in found.idle:
            if path.startswith("layers.") and _replaced(network, path, Skipped()):
                explanation.append(f"{path}: left out")
            elif path.startswith("classifiers."):
                del network.classifiers[path.removeprefix("classifiers.")]
                explanation.append(f"{path}: left out")
        for path in found.only_norm:
            exchange = network.get_submodule(path)
            if isinstance(exchange, Exchange) and _replaced(network, path, OnlyNorm(exchange)):
                explanation.append(f"{path}: left out but for its norm")
    return Rewrite(network=network, explanation=tuple(explanation))


def _replaced(network: Network, path: str, module: nn.Module) -> bool:
    with suppress(ValueError):  # something else borrows a part of it
        network.replace(path, module)
        return True
    return False


NEEDED = Pass(
    name="needed",
    needs="parts that the predicted answer does not depend on, and only that one is asked for",
    trains=False,
    apply=_apply,
)
