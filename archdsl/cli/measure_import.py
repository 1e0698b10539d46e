"""`archdsl measure --import`: a latency that `bench.py` measured where archdsl is not."""

from __future__ import annotations

from pathlib import Path

from archdsl.cli.printing import print_json, put, say
from archdsl.document.messages import counted, rounded


def take_in(path: Path, *, db: str | None, as_json: bool) -> None:
    """Print a result, and keep it where a database is named.

    Args:
        path: the file that the script wrote.
        db: a path or URL, made where there is none.
        as_json: print it for machines.

    Raises:
        MeasureError: it is no such file.
        StoreError: the database cannot be opened or written.
    """
    from archdsl.measuring.benched import read_result

    architecture, found = read_result(path)
    name = architecture.spec.get("name", architecture.label)
    if db is not None:
        from archdsl.store.location import shown
        from archdsl.store.store import open_store

        with open_store(db) as store:
            store.measurements.add(architecture, [found])
        say(f"kept in {shown(db)}")
    if as_json:
        told = {"name": name, "arch_id": architecture.arch_id, "latency_ms": found.value}
        told |= {"low_ms": found.low, "high_ms": found.high, "protocol": dict(found.protocol)}
        print_json({**told, **found.detail})
        return
    low, high, protocol = rounded(found.low), rounded(found.high), found.protocol
    fingerprint = protocol["fingerprint"]
    put(f"{name}  arch_id {architecture.arch_id}")
    put(
        f"latency  {rounded(found.value)} ms per batch of {protocol['batch']} (median)"
        f"{'' if found.detail['steady'] else '  UNSTEADY'}"
    )
    put(f"         95 % interval {low} to {high} ms, {counted(found.detail['count'], 'sample')}")
    for reason in found.detail["unsteady"]:
        put(f"unsteady {reason}")
    threads = counted(protocol["threads"], "thread")
    put(f"device   {fingerprint['name']}, {threads}, {protocol['dtype']}, {protocol['engine']}")
