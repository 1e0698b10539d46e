"""`archdsl measure`: the latency of a model here, or of two against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Json, Sets
from archdsl.cli.printing import print_json, say

if TYPE_CHECKING:
    from archdsl.measuring.conditions import Conditions
    from archdsl.plan.read import Checked
    from archdsl.records import Measurement

NAME = "measure"
EXAMPLE = "Example: archdsl measure vittm-b-28-28 --vs vit-b-16 --batch 1 --max-seconds 2"


@handled
def command(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="Model document: a file or a name.")],
    versus: Annotated[
        str | None, typer.Option("--vs", metavar="SPEC", help="Time against this one, in turns.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or a part of a GPU's name such as A100.")
    ] = "cpu",
    batch: Annotated[int, typer.Option(help="Images per call.")] = 1,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    threads: Annotated[int | None, typer.Option(help="CPU threads; torch's default.")] = None,
    heads: Annotated[str, typer.Option(help="all classifiers, or the predicted one.")] = "all",
    autocast: Annotated[
        bool, typer.Option("--autocast", help="Weights in float32, operations in --dtype.")
    ] = False,
    tf32: Annotated[bool, typer.Option("--tf32", help="Allow TensorFloat-32 on a GPU.")] = False,
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="Channels innermost in memory.")
    ] = False,
    compile_mode: Annotated[
        str | None,
        typer.Option("--compile", metavar="MODE", help="torch.compile: default, …"),
    ] = None,
    cuda_graphs: Annotated[
        bool, typer.Option("--cuda-graphs", help="Replay the recorded kernels on a GPU.")
    ] = False,
    precision: Annotated[
        float, typer.Option(help="Half-width of the interval, over the median, to stop at.")
    ] = 0.01,
    max_seconds: Annotated[float, typer.Option(help="Limit of timed seconds for each model.")] = 8,
    sets: Sets = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure latency: median of one batch with its 95 % interval, in ms.

    The device is locked for it: other trainings and measurements of archdsl on this host wait.
    Other programs cannot be made to wait, but are noticed, and said to have been there.
    """
    from archdsl.measuring.conditions import Conditions
    from archdsl.measuring.settings import settings_of
    from archdsl.plan.read import read_model

    words: dict[str, Any] = {
        "device": device,
        "batch": batch,
        "dtype": dtype,
        "threads": threads,
        "heads": heads,
        "autocast": autocast,
        "tf32": tf32,
        "channels_last": channels_last,
        "compile": compile_mode,
        "cuda_graphs": cuda_graphs,
        "precision": precision,
        "max_seconds": float(max_seconds),
    }
    conditions = settings_of(Conditions, words, "measure")
    model = read_model(spec, sets or [])
    if versus is None:
        _one(model, conditions, as_json)
    else:
        _two(model, read_model(versus), conditions, as_json)


def _one(model: Checked, conditions: Conditions, as_json: bool) -> None:
    from archdsl.compiler.build import build_plan
    from archdsl.measuring.conditions import MemoryConditions
    from archdsl.measuring.latency import measure_latency
    from archdsl.measuring.memory import measure_memory

    say(f"measuring {model.spec.name} …")
    network, shape = build_plan(model.plan), model.plan.image
    found = measure_latency(network, image_shape=shape, conditions=conditions)
    shared = conditions.model_dump(include=set(MemoryConditions.model_fields))
    memory = measure_memory(
        network,
        image_shape=shape,
        conditions=MemoryConditions.model_validate(shared),
        fingerprint=found.protocol["fingerprint"],
    )
    if as_json:
        print_json({**_as_json(model, found), "memory_mib": memory.value})
        return
    detail = found.detail
    low, high = found.low, found.high
    print(f"{model.spec.name}  arch_id {model.plan.arch_id}")
    print(f"latency  {found.value:.4g} ms per batch of {conditions.batch} (median)", end="")
    print("" if detail["steady"] else "  UNSTEADY")
    print(
        f"         95 % interval {low:.4g} to {high:.4g} ms, p95 {detail['p95_ms']:.4g} ms, ",
        end="",
    )
    print(f"{detail['count']} samples, {detail['images_per_s']:.4g} images/s")
    print(
        f"         in this process {detail['low_here_ms']:.4g} to {detail['high_here_ms']:.4g} ms; "
        f"others differ by {detail['between_processes_percent']:.2g} %"
    )
    for reason in detail["unsteady"]:
        print(f"unsteady {reason}")
    uncompiled = ", uncompiled" if conditions.compile else ""
    print(f"memory   {memory.value:.4g} MiB at its peak{uncompiled}")
    print(f"device   {_device(found.protocol)}")


def _two(a: Checked, b: Checked, conditions: Conditions, as_json: bool) -> None:
    from archdsl.errors import MeasureError

    if a.plan.image != b.plan.image:
        raise MeasureError(
            f"{a.spec.name} takes images {a.plan.image}, {b.spec.name} {b.plan.image} "
            "(channels, height, width); only models of the same images can be compared"
        )
    from archdsl.compiler.build import build_plan
    from archdsl.measuring.compare import compare_latency

    say(f"timing {a.spec.name} and {b.spec.name} in turns …")
    found = compare_latency(
        build_plan(a.plan), build_plan(b.plan), image_shape=a.plan.image, conditions=conditions
    )
    if as_json:
        print_json(
            {
                "a": {"name": a.spec.name, "arch_id": a.plan.arch_id},
                "b": {"name": b.spec.name, "arch_id": b.plan.arch_id},
                "verdict": found.verdict.value,
                "ratio": found.ratio,
                "low": found.low,
                "high": found.high,
                "disturbances": list(found.disturbances),
                "device": dict(found.telemetry),
                "protocol": dict(found.protocol),
            }
        )
        return
    print(
        f"{found.verdict.value}: {a.spec.name} takes {found.ratio:.3f} of the time of {b.spec.name}"
    )
    print(f"         95 % interval of the ratio {found.low:.3f} to {found.high:.3f}")
    for reason in found.disturbances:
        print(f"unclear  {reason}")
    print(f"device   {_device(found.protocol)}")


def _as_json(model: Checked, found: Measurement) -> dict[str, Any]:
    return {
        "name": model.spec.name,
        "arch_id": model.plan.arch_id,
        "latency_ms": found.value,
        "low_ms": found.low,
        "high_ms": found.high,
        "protocol": dict(found.protocol),
        **found.detail,
    }


def _device(protocol: Any) -> str:
    fingerprint = protocol["fingerprint"]
    return (
        f"{fingerprint['name']}, {protocol['threads']} threads, {protocol['dtype']}, "
        f"torch {fingerprint['torch']}"
    )
