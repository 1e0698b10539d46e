"""`archdsl compile`: a document as a module, and what it costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Force, Json, Output, Sets
from archdsl.cli.printing import billions, millions, print_json, print_table, put, say
from archdsl.cli.writing import refuse_others
from archdsl.document.messages import rounded
from archdsl.errors import ArchdslError
from archdsl.files import refuse_dash
from archdsl.free_memory import refuse_beyond_memory
from archdsl.plan.read import Checked, read_model

if TYPE_CHECKING:
    from archdsl.measuring.optimizing import Explanation

MOST_LINES = 3
"""Of what one rewrite did, that are shown; JSON has all."""
EXAMPLE = "Example: archdsl compile vittm-b-32-16 --set exchange.read.latent_ratio=0.5 -o out/"


@handled
def command(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="Model document: a file or a name.")],
    sets: Sets = None,
    output: Output = None,
    force: Force = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Of the initial weights that -o writes.")
    ] = 0,
    optimize: Annotated[
        bool, typer.Option("--optimize", help="Tell what its rewrites for this device do.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Each rewrite with its latency, timed in turns.")
    ] = False,
    passes: Annotated[
        str | None, typer.Option(metavar="NAMES", help="These rewrites alone, by commas.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where it will run: cpu, cuda, …")] = "cpu",
    batch: Annotated[int, typer.Option(min=1, help="Images per call.")] = 1,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    max_seconds: Annotated[float, typer.Option(help="Limit of timed seconds for each.")] = 8,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compile a model: tokens, parameters, multiply-adds; with -o also spec, plan and weights."""
    if not optimize and (explain or passes is not None):
        raise ArchdslError("--explain and --passes are of --optimize; add it, or leave them out")
    model = read_model(spec, sets or [])
    # Not before the document is known to be whole: this takes the time that importing torch takes.
    from archdsl.measuring.count import count

    counted = count(model.plan)
    result: dict[str, Any] = {
        "name": model.spec.name,
        "arch_id": model.plan.arch_id,
        "streams": {
            name: {"tokens": stream.tokens, "dim": stream.dim}
            for name, stream in model.plan.streams.items()
        },
        "params": counted.params,
        "params_allocated": counted.params_allocated,
        "macs": counted.macs,
        "macs_fvcore": counted.macs_fvcore,
    }
    if output is not None:
        # Weights and their file are both held.
        refuse_beyond_memory(
            8 * counted.params_allocated,
            what=f"writing {millions(counted.params_allocated)} weights",
            remedy="compile without -o, or set smaller widths or a smaller depth",
        )
        result["files"] = _write(model, output, seed=seed, force=force)
    explanation = None
    if optimize:
        conditions = {
            "device": device,
            "batch": batch,
            "dtype": dtype,
            "threads": threads,
            "max_seconds": float(max_seconds),
        }
        explanation = _explained(model, conditions, passes, timed=explain, seed=seed)
        result["optimize"] = _optimize_record(explanation)
    if as_json:
        print_json(result)
        return
    rows = [[name, str(s["tokens"]), str(s["dim"])] for name, s in result["streams"].items()]
    put(f"{model.spec.name}  arch_id {model.plan.arch_id}")
    print_table(["stream", "tokens", "width"], rows)
    put(f"parameters     {millions(counted.params)} used, ", end="")
    put(f"{millions(counted.params_allocated)} allocated")
    put(
        f"multiply-adds  {billions(counted.macs)} for one image, LayerNorms at 5 an element; ",
        end="",
    )
    put(f"{billions(counted.macs_fvcore)} as fvcore counts")
    if explanation is not None:
        _put_explanation(explanation)
    for file in result.get("files", []):
        say(f"wrote {file}")


def _explained(
    model: Checked, words: dict[str, Any], names: str | None, *, timed: bool, seed: int
) -> Explanation:
    from archdsl.compiler.build import build
    from archdsl.compiler.optimize import PASSES, passes_named
    from archdsl.measuring.measure import conditions_of
    from archdsl.measuring.optimizing import explain

    chosen = [*PASSES.values()] if names is None else passes_named(names.split(","))
    conditions = conditions_of(**words, heads="predicted")
    if timed:
        say(f"timing {model.spec.name} with each rewrite in turns …")
    return explain(
        build(model.spec, seed=seed),
        image_shape=model.plan.image,
        conditions=conditions,
        passes=chosen,
        timed=timed,
    )


def _optimize_record(explanation: Explanation) -> dict[str, Any]:
    return {
        "passes": [
            {**asdict(each), "share": each.share and each.share._asdict()}
            for each in explanation.stages
        ],
        "protocol": dict(explanation.protocol),
        "disturbances": list(explanation.disturbances),
    }


def _put_explanation(explanation: Explanation) -> None:
    put()
    timed = explanation.stages[0].latency_ms is not None
    rows = []
    for each in explanation.stages:
        row = [each.name, billions(each.macs), f"{each.weight_bytes / 2**20:.1f}"]
        if each.latency_ms is not None and each.share is not None:
            low, high, _ = each.share.interval
            row += [f"{rounded(each.latency_ms)}", f"{each.share.value:.3f}"]
            row += [f"{low:.3f} to {high:.3f}"]
        rows.append([*row, f"{each.difference:.1e}"])
    timings = ["ms", "of plain", "95 %"] if timed else []
    print_table(["with", "multiply-adds", "MiB of weights", *timings, "difference"], rows)
    for each in explanation.stages[1:]:
        what = each.lines or (f"nothing: it needs {each.needs}",)
        shown = [
            *what[:MOST_LINES],
            *([f"and {len(what) - MOST_LINES} more"] if len(what) > MOST_LINES else []),
        ]
        for line in shown:
            put(f"{each.name:<13} {line}")
    for reason in explanation.disturbances:
        put(f"unsteady      {reason}")


def _write(model: Checked, folder: Path, *, seed: int, force: bool) -> list[str]:
    """Into a folder of its own first, where what is there already must not be lost unseen."""
    from archdsl.compiler.files import write_compiled

    refuse_dash([folder])
    if not folder.is_dir():
        return [str(path) for path in write_compiled(model.spec, model.plan, folder, seed=seed)]
    with TemporaryDirectory(prefix=".compile-", dir=folder) as draft:
        drafts = write_compiled(model.spec, model.plan, Path(draft), seed=seed)
        targets = [folder / path.name for path in drafts]
        contents = {target: path.read_bytes() for target, path in zip(targets, drafts, strict=True)}
        refuse_others(contents, force=force)
        for target, path in zip(targets, drafts, strict=True):
            path.replace(target)
    return [str(path) for path in targets]
