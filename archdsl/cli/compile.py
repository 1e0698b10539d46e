"""`archdsl compile`: a document as a module, and what it costs."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Force, Json, Output, Sets
from archdsl.cli.printing import billions, millions, print_json, print_table, put, say
from archdsl.cli.writing import refuse_others
from archdsl.files import refuse_dash
from archdsl.free_memory import refuse_beyond_memory
from archdsl.plan.read import Checked, read_model

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
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compile a model: tokens, parameters, multiply-adds; with -o also spec, plan and weights."""
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
    for file in result.get("files", []):
        say(f"wrote {file}")


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
