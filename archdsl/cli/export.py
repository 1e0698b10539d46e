"""`archdsl export`: what was found, as plain documents and for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Force, Json, Output, StudyName
from archdsl.cli.printing import print_json, put
from archdsl.cli.stores import existing_store
from archdsl.errors import ArchdslError

EXAMPLE = (
    "Example: archdsl export --front -o found/   or: archdsl export 7 -o trial-7.yaml   "
    "or: archdsl export --csv trials.csv --optuna study.db   "
    "or: archdsl export runs/digits --to onnx,torch -o taken/"
)


@handled
def command(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[ARCH|TRIAL|BUNDLE|SPEC]",
            help="Number of a trial, or start of an arch_id; with --to number of a trial, bundle "
            "(or its training's folder), or model document.",
        ),
    ] = None,
    front: Annotated[
        bool,
        typer.Option("--front", help="Every member of the front, with a measurement certificate."),
    ] = False,
    optuna: Annotated[
        Path | None,
        typer.Option(metavar="FILE.db", help="All trials for Optuna and optuna-dashboard."),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="All trials, a row for each.")
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="As Parquet; needs pyarrow, the extra `export`."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMATS",
            help="The network without archdsl, into the folder -o: source, onnx or torch, several "
            "with commas.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=2**31 - 1,
            help="With --to: of the weights of a model document (0).",
        ),
    ] = None,
    output: Output = None,
    force: Force = False,
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write architectures as documents that compile to the very same arch_id, a whole study, or a
    network for other engines.

    --front writes for each member its document, a certificate that says how, where and when its
    values were measured, and of a trained one a bundle, for `archdsl predict` and `archdsl eval`.
    For Optuna, complete trials are COMPLETE, those stopped early PRUNED, those that run RUNNING and
    all others FAIL, with the reason among their attributes.

    --to writes what a network computes, with its weights, for any number of images: `source` a
    readable Python file that imports torch alone, `onnx` a file for ONNX Runtime and others (the
    extra `onnx`), `torch` a program of torch.export. Each is checked against the module and timed;
    beside them lie what pictures become, a script that classifies one, and a report.
    """
    from archdsl.cli.export_files import write_members, write_one, write_tables

    if to is not None:
        if front or optuna or csv or parquet:
            raise ArchdslError("--to writes a network; --front and whole studies are written alone")
        _export_network(
            what, to, output, seed=seed, db=db, study=study, force=force, as_json=as_json
        )
        return
    if seed is not None:
        raise ArchdslError("--seed has an effect only with --to")
    whole = optuna is not None or csv is not None or parquet is not None
    _check(what, front=front, whole=whole, output=output)
    with existing_store(db) as store:
        if whole:
            files = {"optuna": optuna, "csv": csv, "parquet": parquet}
            written = write_tables(store, study=study, db=db, force=force, **files)
        elif front:
            written = write_members(store, output or Path(), study=study, db=db, force=force)
        else:
            written = write_one(store, what or "", output, study=study, db=db, force=force)
    if as_json:
        print_json({"files": written})
        return
    for each in written:
        put(f"wrote {each['path']} ({each.get('arch_id') or each['study']})")


def _export_network(
    what: str | None, to: str, output: Path | None, *, as_json: bool, **words: Any
) -> None:
    """
    Raises:
        ArchdslError: it is not said what to export, or where to.
    """
    if what is None:
        raise ArchdslError(
            "say what to export: the number of a trial, a bundle or the folder of a training, or a "
            "model document"
        )
    if output is None:
        raise ArchdslError("say where to: -o names the folder to write")
    from archdsl.cli.export_network import put_report, write_network

    report = write_network(what, to, output, **words)
    if as_json:
        print_json(report)
    else:
        put_report(report)


def _check(what: str | None, *, front: bool, whole: bool, output: Path | None) -> None:
    """See that it is said what to export, once.

    Raises:
        ArchdslError: nothing is said, or two things that do not go together.
    """
    if what is not None and front:
        raise ArchdslError(f"say what to export: either '{what}' or --front, not both")
    if whole and (what is not None or front):
        raise ArchdslError(
            "--optuna, --csv and --parquet write a whole study; export documents by themselves"
        )
    if whole and output is not None:
        raise ArchdslError("-o has no effect here: --optuna, --csv and --parquet name their files")
    if what is None and not front and not whole:
        raise ArchdslError(
            "say what to export: the number of a trial, an arch_id, --front, or a whole study with "
            "--optuna, --csv or --parquet"
        )
