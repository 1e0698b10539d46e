"""`archdsl reproduce`: the paper's figures beside the computed ones."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import OURS, handled
from archdsl.cli.options import DEFAULT_DB, Debug, Json
from archdsl.cli.printing import billions, print_json, print_table, put
from archdsl.cli.stores import existing_store
from archdsl.document.messages import rounded
from archdsl.reporting.formatting import format_place
from archdsl.reproduction.published import TITLES

if TYPE_CHECKING:
    from archdsl.reproduction.reproduce import Figure
    from archdsl.store.store import Store

EXAMPLE = "Example: archdsl reproduce 5; archdsl reproduce 5 --measure --batch 8"
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
    measure: Annotated[
        bool, typer.Option("--measure", help="Time the rows here, as shares of ViT-B/16's time.")
    ] = False,
    batch: Annotated[int, typer.Option(help="With --measure: images per call.")] = 8,
    device: Annotated[
        str, typer.Option(help="With --measure: cpu, cuda, or a part of a GPU's name.")
    ] = "cpu",
    limit_minutes: Annotated[
        float, typer.Option(help="With --measure: stop after the round in which these are over.")
    ] = 15,
    db: Annotated[
        str | None,
        typer.Option(
            "--db",
            metavar="URL",
            help="Store whose measurements stand beside latencies and accuracies; "
            "./archdsl.db if there is one.",
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the figures of the ViTTM paper's tables beside those computed from documents.

    Exit code 1 when a computed figure does not come out with the printed digits.

    With --measure, the latencies of Table 2, 3, 4 or 5: all rows are timed in rounds, and each is
    printed as a share of ViT-B/16's beside the paper's share.
    """
    from archdsl.reproduction.reproduce import reproduce, rows_of

    rows = rows_of(table)
    if measure:
        from archdsl.cli.shares import measure_table

        measure_table(
            table, rows, device=device, batch=batch, limit_minutes=limit_minutes, as_json=as_json
        )
        return
    with _store(db) as store:
        figures = reproduce(rows, store)
    if as_json:
        print_json({"rows": [_row(figure) for figure in figures]})
    else:
        for number in dict.fromkeys(figure.row.table for figure in figures):
            _print_table(number, [figure for figure in figures if figure.row.table == number])
        _print_summary(figures)
    if any(figure.verdict == "differs" for figure in figures):
        raise typer.Exit(OURS)


def _store(db: str | None) -> AbstractContextManager[Store | None]:
    """The store that was named, or that lies here."""
    if db is None and not Path(DEFAULT_DB).is_file():
        return nullcontext()
    return existing_store(db or DEFAULT_DB)


def _row(figure: Figure) -> dict[str, Any]:
    return {
        "table": figure.row.table,
        "row": figure.row.label,
        "quantity": figure.quantity,
        "published": float(figure.printed),
        "computed": figure.computed,
        "convention": figure.convention,
        "spec": figure.document.spec,
        "set": list(figure.document.set),
        "measured": [
            {
                "value": ours.value,
                "low": ours.low,
                "high": ours.high,
                "unit": ours.unit,
                "where": format_place(ours),
            }
            for ours in figure.measured
        ],
        "macs": figure.macs,
        "verdict": figure.verdict,
        "note": figure.note,
    }


def _print_table(number: int, figures: list[Figure]) -> None:
    notes = list(dict.fromkeys(figure.note for figure in figures if figure.note))
    rows = [
        [
            figure.row.label,
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
        put(f"[{position}] {note}")
    for figure in figures:
        for ours in figure.measured:
            low, high = rounded(ours.low), rounded(ours.high)
            value = f"{rounded(ours.value)} {ours.unit} ({low} to {high})"
            name = f"{figure.row.label}, {UNITS[figure.quantity]}"
            put(f"{name}: measured {value} on {format_place(ours)}")
    put()


def _print_summary(figures: list[Figure]) -> None:
    verdicts = [figure.verdict for figure in figures]
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts)]
    put(f"{len(figures)} figures: {', '.join(counts)}")
    put("--json adds the document and settings behind each figure")
