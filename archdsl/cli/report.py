"""`archdsl report`: a whole study as one page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import handled
from archdsl.cli.options import DEFAULT_DB, Db, Debug, Force, Json, StudyName
from archdsl.cli.printing import print_json, put, say
from archdsl.cli.stores import opened_study
from archdsl.cli.writing import refuse_foreign
from archdsl.document.messages import counted
from archdsl.errors import ArchdslError
from archdsl.files import write_whole
from archdsl.runners.read import read_profile

if TYPE_CHECKING:
    from archdsl.reporting.pages.findings import Findings, MemberMistakes
    from archdsl.runners.profile import RunProfile

EXAMPLE = "Example: archdsl report --study digits -o report.html"


@handled
def command(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="The page to write.")
    ] = Path("report.html"),
    mistakes: Annotated[
        bool,
        typer.Option("--mistakes", help="On each member's card its surest mistakes, as pictures."),
    ] = False,
    runner: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --mistakes: the run profile (local)."),
    ] = None,
    db: Db = DEFAULT_DB,
    study: StudyName = None,
    force: Force = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a study as one page that needs nothing but itself: the front, its members, why.

    With --mistakes, the trained networks are asked once more of the validation images, never of
    test images. A report of this study that is there already is replaced; any other file only with
    --force.
    """
    from archdsl.reporting.pages.findings import read_findings
    from archdsl.reporting.pages.report_page import report_html

    if runner and not mistakes:
        raise ArchdslError("--runner has an effect only with --mistakes")
    with opened_study(db, study) as (store, row):
        refuse_foreign([output], study=row, force=force)
        found = read_findings(store, row)
    if mistakes:
        found = _with_mistakes(found, folder=store.folder, profile=read_profile(runner or "local"))
    page = report_html(found).encode()
    write_whole(output, page)
    scored = {each.row.trial.number: each.mistakes for each in found.members if each.mistakes}
    if as_json:
        told = {"study": row.name, "file": str(output), "bytes": len(page)}
        print_json({**told, **({"mistakes": _records(scored)} if mistakes else {})})
        return
    put(f"report    {output}  ({len(page) / 1e6:.2g} MB)")
    for number, each in scored.items():
        if isinstance(each, str):
            say(f"no mistakes of trial {number}: {each}")
        else:
            images = counted(each.images, "image")
            put(f"mistakes  trial {number}: {each.wrong:,} in {images} of {each.scored_on}")


def _with_mistakes(found: Findings, *, folder: Path | None, profile: RunProfile) -> Findings:
    """The findings with the mistakes of each member that has a card."""
    from rich.console import Console
    from rich.progress import track

    from archdsl.reporting.pages.member_mistakes import MistakesOf

    mistakes_of = MistakesOf(study=found.results.study, folder=folder, profile=profile)
    watched = track(
        found.members,
        description="mistakes of members",
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    return replace(found, members=[mistakes_of(each) for each in watched])


def _records(scored: Mapping[int, MemberMistakes | str]) -> list[dict[str, Any]]:
    return [
        {"trial": number, "none": each}
        if isinstance(each, str)
        else {"trial": number, **vars(each), "pictures": len(each.pictures)}
        for number, each in scored.items()
    ]
