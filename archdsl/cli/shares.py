"""`archdsl reproduce TABLE --measure`: the rows of a table timed here, beside the paper's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archdsl.cli.printing import print_json, print_table, put, say
from archdsl.document.messages import counted, rounded
from archdsl.measuring.conditions import Conditions
from archdsl.measuring.settings import settings_of
from archdsl.reproduction.published import TITLES, Row
from archdsl.reproduction.shares import Share, Shares, measure_shares, timed_rows

BLOCK_SECONDS = 2.0
"""Of one row's timed calls in one round."""


def measure_table(
    table: str | None,
    rows: Iterable[Row],
    *,
    device: str,
    batch: int,
    limit_minutes: float,
    as_json: bool,
) -> None:
    """Time the rows of a table here and print each as a share of ViT-B/16's time.

    Args:
        table: its number; one that prints latencies.
        rows: of that table.
        device: cpu, cuda, or a part of a GPU's name.
        batch: images per call.
        limit_minutes: no round begins after these.
        as_json: print JSON.

    Raises:
        NameNotFoundError: no table is named, or one without latencies.
        DeviceError: the device is not there.
    """
    words = {"device": device, "batch": batch, "max_seconds": BLOCK_SECONDS}
    found = measure_shares(
        timed_rows(table, rows),
        conditions=settings_of(Conditions, words, "reproduce"),
        limit_s=60 * limit_minutes,
        on_start=lambda number, label: say(f"round {number}: {label}"),
    )
    if as_json:
        shares = [_share_row(share) for share in found.rows]
        print_json({"rows": shares, "rounds": found.rounds, "protocol": dict(found.protocol)})
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
        "spec": document.spec,
        "set": list(document.set),
        "disturbances": list(share.disturbances),
    }


def _print_shares(found: Shares) -> None:
    rows = [
        [
            share.row.label,
            share.published_ms,
            f"{share.published_share:.3f}",
            rounded(share.latency_ms),
            f"{share.share:.3f}",
            f"{share.low:.3f} to {share.high:.3f}",
            "UNSTEADY" if share.disturbances else "",
        ]
        for share in found.rows
    ]
    number = found.rows[0].row.table
    columns = ["row", "published ms", "of ViT-B/16", "ms here", "of ViT-B/16 here", "95 %", ""]
    print_table(columns, rows, title=f"Table {number}: {TITLES[number]}")
    for reason in dict.fromkeys(line for share in found.rows for line in share.disturbances):
        put(f"unsteady {reason}")
    protocol, device = found.protocol, found.protocol["fingerprint"]
    put(f"published: A100 80 GB, batch 256; here: {device['name']}, batch {protocol['batch']},")
    threads, rounds = counted(protocol["threads"], "thread"), counted(found.rounds, "round")
    put(f"{threads}, {protocol['dtype']}, {rounds}")
