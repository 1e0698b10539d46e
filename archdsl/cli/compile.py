"""`archdsl compile`: a document as a module, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import Debug, Json, Output, Sets
from archdsl.cli.printing import billions, millions, print_json, print_table, say

NAME = "compile"
EXAMPLE = "Example: archdsl compile vittm-b-32-16 --set exchange.read.latent_ratio=0.5 -o out/"


@handled
def command(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="Model document: a file or a name.")],
    sets: Sets = None,
    output: Output = None,
    seed: Annotated[int, typer.Option(help="Of the initial weights that -o writes.")] = 0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Compile a model: tokens, parameters, multiply-adds; with -o also spec, plan and weights."""
    from archdsl.plan.read import read_model

    model = read_model(spec, sets or [])
    # Not before the document is known to be whole: this takes the time that importing torch takes.
    from archdsl.measure.count import count

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
        result["files"] = _write(model, output, seed)
    if as_json:
        print_json(result)
        return
    rows = [[name, str(s["tokens"]), str(s["dim"])] for name, s in result["streams"].items()]
    print(f"{model.spec.name}  arch_id {model.plan.arch_id}")
    print_table(["stream", "tokens", "width"], rows)
    print(f"parameters     {millions(counted.params)} used, ", end="")
    print(f"{millions(counted.params_allocated)} allocated")
    print(f"multiply-adds  {billions(counted.macs)} for one image; ", end="")
    print(f"{billions(counted.macs_fvcore)} as fvcore counts")
    for file in result.get("files", []):
        say(f"wrote {file}")


def _write(model: Any, folder: Path, seed: int) -> list[str]:
    from archdsl.compiler.files import write_compiled

    return [str(path) for path in write_compiled(model.spec, model.plan, folder, seed=seed)]
