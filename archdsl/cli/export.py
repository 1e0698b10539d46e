"""`archdsl export`: what was found, as plain documents and for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Force, Json, Output, StudyName
from archdsl.cli.printing import print_json, put
from archdsl.cli.stores import existing_store
from archdsl.errors import ArchdslError

EXAMPLE = (
    "Example: archdsl export --front -o found/   or: archdsl export 7 -o trial-7.yaml   "
    "or: archdsl export --csv trials.csv --optuna study.db"
)


@handled
def command(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[ARCH|TRIAL]", help="Number of a trial, or start of an arch_id."),
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
    output: Output = None,
    force: Force = False,
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write architectures as documents that compile to the very same arch_id, or a whole study.

    --front writes for each member its document, a certificate that says how, where and when its
    values were measured, and of a trained one a bundle, for `archdsl predict` and `archdsl eval`.
    For Optuna, complete trials are COMPLETE, those stopped early PRUNED, those that run RUNNING and
    all others FAIL, with the reason among their attributes.
    """
    from archdsl.cli.export_files import write_members, write_one, write_tables

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
