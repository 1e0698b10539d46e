"""`archdsl reproduce`: the paper's figures beside the computed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from archdsl.cli.handling import OURS, handled
from archdsl.cli.options import Debug, Json
from archdsl.cli.printing import billions, print_json, print_table, say

if TYPE_CHECKING:
    from archdsl.report.reproduce import Figure
    from archdsl.report.shares import Share, Shares

NAME = "reproduce"
EXAMPLE = "Example: archdsl reproduce 5; archdsl reproduce 5 --measure --batch 8"
BLOCK_SECONDS = 2.0
"""Of one row's timed calls in one round."""
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
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print the figures of the ViTTM paper's tables beside those computed from documents.

    Exit code 1 when a figure that has a document does not come out with the printed digits.

    With --measure, the latencies of Table 2, 3, 4 or 5: all rows that have a document are timed in
    rounds, and each is printed as a share of ViT-B/16's beside the paper's share.
    """
    from archdsl.report.reproduce import reproduce, rows_of

    if measure:
        _measure(table, device=device, batch=batch, limit_minutes=limit_minutes, as_json=as_json)
        return
    figures = reproduce(rows_of(table))
    if as_json:
        print_json({"rows": [_row(figure) for figure in figures]})
    else:
        for number in dict.fromkeys(figure.table for figure in figures):
            _print_table(number, [figure for figure in figures if figure.table == number])
        _print_summary(figures)
    if any(figure.verdict == "differs" for figure in figures):
        raise typer.Exit(OURS)


def _measure(
    table: str | None, *, device: str, batch: int, limit_minutes: float, as_json: bool
) -> None:
    from archdsl.measure.conditions import Conditions
    from archdsl.measure.settings import settings_of
    from archdsl.report.reproduce import rows_of
    from archdsl.report.shares import measure_shares, timed_rows

    words = {"device": device, "batch": batch, "max_seconds": BLOCK_SECONDS}
    found = measure_shares(
        timed_rows(table, rows_of(table)),
        conditions=settings_of(Conditions, words, "reproduce"),
        limit_s=60 * limit_minutes,
        tell=lambda number, label: say(f"round {number}: {label}"),
    )
    if as_json:
        rows = [_share_row(share) for share in found.rows]
        print_json({"rows": rows, "rounds": found.rounds, "protocol": dict(found.protocol)})
    else:
        _print_shares(found)


def _share_row(share: Share) -> dict[str, Any]:
    document = share.row.document
    return {
        "table": share.row.table,
        "row": share.row.label,
        "published_ms": float(share.published_ms),
        "published_share": share.published_share,
        "latency_ms": share.latency_ms,
        "share": share.share,
        "low": share.low,
        "high": share.high,
        "spec": document.spec if document else None,
        "set": list(document.set) if document else [],
        "disturbances": list(share.disturbances),
    }


def _print_shares(found: Shares) -> None:
    from archdsl.report.published import TITLES

    rows = [
        [
            share.row.label,
            share.published_ms,
            f"{share.published_share:.3f}",
            "" if share.latency_ms is None else f"{share.latency_ms:.4g}",
            "" if share.share is None else f"{share.share:.3f}",
            "no document yet" if share.low is None else f"{share.low:.3f} to {share.high:.3f}",
            "UNSTEADY" if share.disturbances else "",
        ]
        for share in found.rows
    ]
    number = found.rows[0].row.table
    columns = ["row", "published ms", "of ViT-B/16", "ms here", "of ViT-B/16 here", "95 %", ""]
    print_table(columns, rows, title=f"Table {number}: {TITLES[number]}")
    for reason in dict.fromkeys(line for share in found.rows for line in share.disturbances):
        print(f"unsteady {reason}")
    protocol, device = found.protocol, found.protocol["fingerprint"]
    print(f"published: A100 80 GB, batch 256; here: {device['name']}, batch {protocol['batch']},")
    print(f"{protocol['threads']} threads, {protocol['dtype']}, {found.rounds} rounds")


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
