"""`archdsl reproduce`: the paper's figures beside the computed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import OURS, handled
from archdsl.cli.options import Debug, Json
from archdsl.cli.printing import billions, print_json, print_table

if TYPE_CHECKING:
    from archdsl.report.reproduce import Figure

NAME = "reproduce"
EXAMPLE = "Example: archdsl reproduce 5"
UNITS = {
    "params_m": "parameters (M)",
    "gflops": "GFLOPs",
    "latency_ms": "latency (ms)",
    "top1": "top-1 (%)",
}


@handled
def command(
    table: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="Number of a table, 1 to 5; all if omitted."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the figures of the ViTTM paper's tables beside those computed from documents.

    Exit code 1 when a figure that has a document does not come out with the printed digits.
    """
    from archdsl.report.reproduce import reproduce, rows_of

    figures = reproduce(rows_of(table))
    if as_json:
        print_json({"rows": [_row(figure) for figure in figures]})
    else:
        for number in dict.fromkeys(figure.table for figure in figures):
            _print_table(number, [figure for figure in figures if figure.table == number])
        _print_summary(figures)
    if any(figure.verdict == "differs" for figure in figures):
        raise typer.Exit(OURS)


def _row(figure: Figure) -> dict[str, Any]:
    document = figure.document
    return {
        "table": figure.table,
        "row": figure.row,
        "quantity": figure.quantity,
        "published": float(figure.printed),
        "computed": figure.computed,
        "convention": figure.convention,
        "spec": document.spec if document else None,
        "set": list(document.set) if document else [],
        "macs": figure.macs,
        "verdict": figure.verdict,
        "note": figure.note,
    }


def _print_table(number: int, figures: list[Figure]) -> None:
    from archdsl.report.published import TITLES

    notes = list(dict.fromkeys(figure.note for figure in figures if figure.note))
    rows = [
        [
            figure.row,
            UNITS[figure.quantity],
            figure.printed,
            "" if figure.computed is None else f"{figure.computed:.4f}",
            "" if figure.macs is None else billions(figure.macs),
            figure.verdict,
            f"[{notes.index(figure.note) + 1}]" if figure.note else "",
        ]
        for figure in figures
    ]
    columns = ["row", "quantity", "published", "computed", "with attention", "verdict", "note"]
    print_table(columns, rows, title=f"Table {number}: {TITLES[number]}")
    for position, note in enumerate(notes, start=1):
        print(f"[{position}] {note}")
    print()


def _print_summary(figures: list[Figure]) -> None:
    verdicts = [figure.verdict for figure in figures]
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)]
    print(f"{len(figures)} figures: {', '.join(counts)}")
    print("--json adds the document and settings behind each figure")
