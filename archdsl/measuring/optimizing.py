"""What each rewrite of a network does, and what it is worth here: timed in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from archdsl.analysis.statistics import Ratio
from archdsl.arguments import arguments
from archdsl.arguments.kinds import several
from archdsl.compiler.optimize import PASSES, Optimized, passes_named
from archdsl.compiler.passes.packed import PACKED, packed_bytes
from archdsl.compiler.passes.rewrite import Pass, Target
from archdsl.measuring.candidate import ImageShape
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.copies import copy_of
from archdsl.measuring.count import count
from archdsl.measuring.devices import applied, find_device, locked
from archdsl.measuring.given import MODEL, WORDS
from archdsl.measuring.latency import latency_protocol
from archdsl.measuring.models import Source, resolve_all
from archdsl.measuring.prepare import target_of
from archdsl.measuring.timing import Workload
from archdsl.measuring.turns import timed_in_turns
from archdsl.measuring.variants import Quickest
from archdsl.nn.network import Network

DRAWN_STD = 0.05
"""Of the weights with which answers are compared: those that a network begins with are partly zero,
and then much would be equal."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A network with some passes applied.

    Args:
        name: of the last of them; `plain` with none.
        needs: what that one needs, in words.
        lines: what it did.
        macs: multiply-adds of one image, as `archdsl.measuring.count` has them.
        weight_bytes: of all weights that a call reads.
        difference: largest of the answers from those of the plain network, over the largest of
            these.
        latency_ms: median of a batch; None where nothing was timed.
        share: of the plain network's time, with its 95 % interval.
    """

    name: str
    needs: str
    lines: tuple[str, ...]
    macs: int
    weight_bytes: int
    difference: float
    latency_ms: float | None = None
    share: Ratio | None = None


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """All stages, the plain network first, and what they were timed under.

    Args:
        stages: one for each pass, in their order.
        protocol: of the latencies; empty where nothing was timed.
        disturbances: why these cannot be trusted, in words.
    """

    stages: Sequence[Stage]
    protocol: Mapping[str, Any]
    disturbances: Sequence[str]


@arguments(
    model=MODEL,
    image_shape=WORDS["image_shape"],
    batch=Annotated[int, Field(ge=1)],
    heads=Literal["all", "predicted"],
    training=bool,
    passes=several(separator=",", wanted=f"names of passes: {', '.join(PASSES)}") | None,
)
def optimize(
    model: Source,
    *,
    image_shape: ImageShape | None = None,
    batch: int = 1,
    heads: Literal["all", "predicted"] = "predicted",
    training: bool = False,
    passes: str | Sequence[str] | None = None,
) -> Optimized:
    """A model rewritten for the device that it is on: a drop-in, with the state dict of the plain.

    Variants that only a measurement can choose between are timed once a process.

    Args:
        model: as for `measure`; a module stays as it is, and shares its weights with the drop-in.
        image_shape: as for `measure`.
        batch: images per call that it is made for; others are served, too.
        heads: what will be asked of it: `model(images)` alone, or every classifier.
        training: only rewrites that leave all gradients what they are; else it is in evaluation
            mode, and refuses another.
        passes: the rewrites to make; all unless given.

    Raises:
        NameNotFoundError: no document or model of timm's of that name.
        DocumentError: every problem of the document.
        MeasureError: nothing tells the shape of the images.
        ArchdslError: there is no such pass.
    """
    [subject] = resolve_all([model], image_shape=image_shape)
    module = subject.module.train(training)
    tensor = next(module.parameters(), torch.empty(0))
    target = Target(
        device=tensor.device,
        image=subject.image_shape,
        batch=batch,
        heads=heads,
        training=training,
        choose=Quickest(tensor.device, tensor.dtype),
    )
    names = passes.split(",") if isinstance(passes, str) else passes
    return Optimized(module, target, passes_named([*PASSES] if names is None else names))


def explain(
    network: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    conditions: Conditions,
    passes: Sequence[Pass] = tuple(PASSES.values()),
    timed: bool = True,
) -> Explanation:
    """What each of some passes does to a network.

    Args:
        network: stays as it is.
        image_shape: (channels, height, width).
        conditions: for what it is rewritten, and what it is timed under: `max_seconds` for each
            stage.
        passes: in their order.
        timed: whether latencies are measured.

    Raises:
        DeviceError: the device is not there.
        NotEnoughMemoryError: the networks do not fit.
    """
    device = find_device(conditions.device)
    with applied(conditions, device):
        target = target_of(conditions, image_shape=image_shape, device=device)
        dtype = getattr(torch, conditions.dtype)
        plain = drawn(copy_of(network).eval()).to(device=device, dtype=dtype)
        chains = [passes[:number] for number in range(len(passes) + 1)]
        networks = [Optimized(plain, target, chain) for chain in chains]
        stages = [_stage(each, chain) for each, chain in zip(networks, chains, strict=True)]
        stages = _with_differences(stages, networks, image_shape)
        if not timed:
            return Explanation(stages=stages, protocol={}, disturbances=[])
        protocol = latency_protocol(conditions, device)
        with locked(device):
            workloads = [
                Workload(each, image_shape=image_shape, conditions=conditions, device=device)
                for each in networks
            ]
            turns = timed_in_turns(
                workloads, device, protocol=protocol, max_seconds=conditions.max_seconds
            )
    return Explanation(
        stages=[
            replace(stage, latency_ms=turns.median_ms(place), share=turns.share(place))
            for place, stage in enumerate(stages)
        ],
        protocol=protocol,
        disturbances=turns.disturbances,
    )


def drawn(network: nn.Module) -> nn.Module:
    """With weights of which none is zero, where it has fresh ones."""
    if isinstance(network, Network):
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in network.parameters():
                if not weight.any():
                    drawn = torch.randn(weight.shape, generator=generator)
                    weight.copy_(DRAWN_STD * drawn)
    return network


def _stage(network: Optimized, chain: Sequence[Pass]) -> Stage:
    last = chain[-1] if chain else None
    # A tracer cannot see into packed weights, which change no count.
    counted = Optimized(
        network.plain, network.target, [each for each in chain if each is not PACKED]
    )
    rewritten = network.rewritten
    shape = network.target.image
    return Stage(
        name=last.name if last else "plain",
        needs=last.needs if last else "",
        lines=network.applied[-1].lines if last else (),
        macs=count(counted.rewritten if chain else network.plain, image_shape=shape).macs,
        weight_bytes=sum(each.nbytes for each in rewritten.parameters()) + packed_bytes(rewritten),
        difference=0.0,
    )


def _with_differences(
    stages: Sequence[Stage], networks: Sequence[Optimized], image_shape: tuple[int, int, int]
) -> list[Stage]:
    generator = torch.Generator().manual_seed(0)
    tensor = next(networks[0].plain.parameters())
    batch = networks[0].target.batch
    images = torch.randn(batch, *image_shape, generator=generator).to(tensor)
    with torch.inference_mode():
        expected = networks[0](images).double()
        differences = [(each(images).double() - expected).abs().max() for each in networks]
    most = expected.abs().max()
    return [
        replace(stage, difference=float(difference / most))
        for stage, difference in zip(stages, differences, strict=True)
    ]
