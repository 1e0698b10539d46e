"""`archdsl measure`: the latency of a model here, or of two against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.measure_import import take_in
from archdsl.cli.options import Debug, Json, Sets
from archdsl.cli.printing import print_json, print_table, put, say
from archdsl.document.messages import counted, rounded
from archdsl.errors import ArchdslError
from archdsl.measuring.conditions import Conditions
from archdsl.plan.baseline import TIMM
from archdsl.plan.read import read_model
from archdsl.printable import one_line
from archdsl.records import Measurement

if TYPE_CHECKING:
    from archdsl.measuring.models import Subject

EXAMPLE = (
    "Example: archdsl measure vittm-b-28-28 --vs vit-b-16 --batch 1 --max-seconds 2   (against a "
    "model of timm's: --vs timm:vit_base_patch16_224)"
)


@handled
def command(
    spec: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC",
            help="Model document: a file or a name; or timm:NAME, a model of timm's.",
        ),
    ] = None,
    versus: Annotated[
        str | None, typer.Option("--vs", metavar="SPEC", help="Time against this one, in turns.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or a part of a GPU's name such as A100.")
    ] = "cpu",
    batch: Annotated[int, typer.Option(help="Images per call.")] = 1,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    threads: Annotated[int | None, typer.Option(help="CPU threads; torch's default.")] = None,
    heads: Annotated[
        str | None,
        typer.Option(help="all classifiers (where the models have them), or the predicted one."),
    ] = None,
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
    optimize: Annotated[
        bool, typer.Option("--optimize", help="Rewrite SPEC for the device first.")
    ] = False,
    versus_optimize: Annotated[
        bool, typer.Option("--vs-optimize", help="The same of the one after --vs.")
    ] = False,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="What computes it: torch, onnxruntime, openvino.")
    ] = "torch",
    backends: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Torch and these, by commas, side by side; or all."),
    ] = None,
    precision: Annotated[
        float, typer.Option(help="Half-width of the interval, over the median, to stop at.")
    ] = 0.01,
    max_seconds: Annotated[float, typer.Option(help="Limit of timed seconds for each model.")] = 8,
    imported: Annotated[
        Path | None,
        typer.Option(
            "--import", metavar="FILE", help="What bench.py of an export measured elsewhere."
        ),
    ] = None,
    db: Annotated[
        str | None,
        typer.Option(help="Keep the measurement in this database: a path or URL.", metavar="DB"),
    ] = None,
    sets: Sets = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure latency: median of one batch with its 95 % interval, in ms.

    The device is locked for it: other trainings and measurements of archdsl on this host wait.
    Other programs cannot be made to wait, but are noticed, and said to have been there.
    """
    if imported is not None:
        if spec is not None or versus is not None or backends is not None or sets:
            raise ArchdslError("--import is about what that file holds; leave the models out")
        take_in(imported, db=db, as_json=as_json)
        return
    if spec is None:
        raise ArchdslError("say what to measure: archdsl measure SPEC, or --import FILE")
    if versus is not None and db is not None:
        raise ArchdslError("--db keeps the latency of one model; leave --vs out, or --db")
    if backends is not None and (versus is not None or db is not None or backend != "torch"):
        raise ArchdslError("--backends is about one model, in torch and others; leave out the rest")
    if versus_optimize and versus is None:
        raise ArchdslError("--vs-optimize is about the model after --vs; name one, or leave it out")
    if sets and spec.startswith(TIMM):
        raise ArchdslError(f"--set lays values over a document, and {spec} is none; leave it out")
    from archdsl.measuring.measure import conditions_of, optimized, with_common_heads
    from archdsl.measuring.models import resolve_all

    conditions = conditions_of(
        device=device,
        batch=batch,
        dtype=dtype,
        threads=threads,
        heads=heads or (None if backend == "torch" and backends is None else "predicted"),
        backend=backend,
        autocast=autocast,
        tf32=tf32,
        channels_last=channels_last,
        compile=compile_mode,
        cuda_graphs=cuda_graphs,
        precision=precision,
        max_seconds=float(max_seconds),
    )
    first = read_model(spec, sets).spec if sets else spec
    subjects = resolve_all([first] if versus is None else [first, versus])
    if heads is None and backend == "torch" and backends is None:
        conditions = with_common_heads(conditions, subjects)
    if backends is not None:
        asked = conditions.model_copy(update={"optimize": optimize})
        _side_by_side(subjects[0], asked, backends.split(","), as_json)
    elif versus is None:
        _one(subjects[0], conditions.model_copy(update={"optimize": optimize}), db, as_json)
    else:
        words = [" ".join([spec, *(f"--set {each}" for each in sets or [])]), versus]
        names = _told_apart(subjects, words)
        flags = [optimize, versus_optimize]
        names = [
            f"{name}, optimized" if on else name for name, on in zip(names, flags, strict=True)
        ]
        chosen = [
            optimized(each, conditions) if on else each
            for each, on in zip(subjects, flags, strict=True)
        ]
        _two(chosen, names, conditions, as_json)


def _one(subject: Subject, conditions: Conditions, db: str | None, as_json: bool) -> None:
    from archdsl.measuring.measure import keeping, measure_memory_of, measure_subject

    say(f"measuring {one_line(subject.label)} …")
    with keeping(subject, db) as keep:
        found = measure_subject(subject, conditions)
        made = [found]
        if conditions.backend == "torch":  # of others, memory is not known
            fingerprint = found.protocol["fingerprint"]
            made.append(measure_memory_of(subject, conditions, fingerprint=fingerprint))
        keep(made)
    if db is not None:
        from archdsl.store.location import shown

        say(f"kept in {shown(db)}")
    if as_json:
        memory_mib = made[1].value if made[1:] else None
        print_json({**_as_json(subject, found), "memory_mib": memory_mib})
        return
    detail = found.detail
    low, high = rounded(found.low), rounded(found.high)
    p95, low_here, high_here = (
        rounded(detail[f"{name}_ms"]) for name in ("p95", "low_here", "high_here")
    )
    put(f"{subject.label}  arch_id {subject.identity}")
    put(f"latency  {rounded(found.value)} ms per batch of {conditions.batch} (median)", end="")
    put("" if detail["steady"] else "  UNSTEADY")
    put(f"         95 % interval {low} to {high} ms, p95 {p95} ms, ", end="")
    put(f"{counted(detail['count'], 'sample')}, {rounded(detail['images_per_s'])} images/s")
    put(
        f"         in this process {low_here} to {high_here} ms; "
        f"others differ by {detail['between_processes_percent']:.2g} %"
    )
    for reason in detail["unsteady"]:
        put(f"unsteady {reason}")
    if conditions.optimize:
        put("rewritten for this device first; `archdsl compile --optimize --explain` tells how")
    uncompiled = ", uncompiled" if conditions.compile else ""
    for memory in made[1:]:
        put(f"memory   {rounded(memory.value)} MiB at its peak{uncompiled}")
    put(f"device   {_device(found.protocol)}")


def _side_by_side(
    subject: Subject, conditions: Conditions, names: Sequence[str], as_json: bool
) -> None:
    from archdsl.measuring.engines import side_by_side

    say(f"timing {one_line(subject.label)} in several engines, in turns …")
    found = side_by_side(subject, conditions, names)
    if as_json:
        rows = [{**asdict(each), "share": each.share._asdict()} for each in found.rows]
        told = {"backends": rows, "missing": dict(found.missing)}
        print_json({**_named(subject), **told, "protocol": dict(found.protocol)})
        return
    table: list[list[str]] = []
    for each in found.rows:
        low, high, _ = each.share.interval
        share = [f"{each.share.value:.3f}", f"{low:.3f} to {high:.3f}"]
        ms = f"{rounded(each.latency_ms)}"
        table.append([each.version, ms, *share, f"{each.difference:.1e}"])
    print_table(["in", "ms", "of torch", "95 %", "difference"], table)
    for why in found.missing.values():
        put(f"left out {why}")
    for reason in found.disturbances:
        put(f"unsteady {reason}")
    put(f"device   {_device(found.protocol)}")


def _told_apart(subjects: Sequence[Subject], words: Sequence[str]) -> list[str]:
    """What two models are called: by their names, and what a user wrote where these are equal."""
    names = [each.label for each in subjects]
    if names[0] != names[1] or words[0] == words[1]:
        return names
    return [f"{name} ({said})" for name, said in zip(names, words, strict=True)]


def _two(
    subjects: Sequence[Subject], names: Sequence[str], conditions: Conditions, as_json: bool
) -> None:
    from archdsl.measuring.measure import compare_subjects

    a, b = subjects
    say(one_line(f"timing {names[0]} and {names[1]} in turns …"))
    found = compare_subjects(subjects, conditions)
    if as_json:
        print_json(
            {
                "a": _named(a),
                "b": _named(b),
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
    put(f"{found.verdict.value}: {names[0]} takes {found.ratio:.3f} of the time of {names[1]}")
    put(f"         95 % interval of the ratio {found.low:.3f} to {found.high:.3f}")
    for reason in found.disturbances:
        put(f"{'unclear' if found.verdict.value == 'UNCLEAR' else 'busy   '}  {reason}")
    if a.image_shape != b.image_shape:
        shapes = (f"{name} {each.image_shape}" for name, each in zip(names, subjects, strict=True))
        put(f"images   {', '.join(shapes)} (channels, height, width): each its own")
    put(f"device   {_device(found.protocol)}")


def _named(subject: Subject) -> dict[str, Any]:
    return {
        "name": subject.label,
        "arch_id": subject.identity,
        "image_shape": list(subject.image_shape),
    }


def _as_json(subject: Subject, found: Measurement) -> dict[str, Any]:
    return {
        "name": subject.label,
        "arch_id": subject.identity,
        "latency_ms": found.value,
        "low_ms": found.low,
        "high_ms": found.high,
        "protocol": dict(found.protocol),
        **found.detail,
    }


def _device(protocol: Any) -> str:
    fingerprint = protocol["fingerprint"]
    return (
        f"{fingerprint['name']}, {counted(protocol['threads'], 'thread')}, {protocol['dtype']}, "
        f"torch {fingerprint['torch']}"
    )
