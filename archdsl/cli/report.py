"""`archdsl report`: a whole study as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Force, Json, StudyName
from archdsl.cli.printing import print_json, put
from archdsl.cli.stores import opened_study
from archdsl.cli.writing import refuse_foreign
from archdsl.files import write_whole

EXAMPLE = "Example: archdsl report --study digits -o report.html"


@handled
def command(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="The page to write.")
    ] = Path("report.html"),
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a study as one page that needs nothing but itself: the front, its members, why.

    A report of this study that is there already is replaced; any other file only with --force.
    """
    from archdsl.reporting.pages.findings import read_findings
    from archdsl.reporting.pages.report_page import report_html

    with opened_study(db, study) as (store, row):
        refuse_foreign([output], study=row, force=force)
        page = report_html(read_findings(store, row)).encode()
    write_whole(output, page)
    if as_json:
        print_json({"study": row.name, "file": str(output), "bytes": len(page)})
        return
    put(f"report    {output}  ({len(page) / 1e6:.2g} MB)")
