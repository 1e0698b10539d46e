"""What is said of a database whose rows are damaged: which, and what can be read all the same."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from archdsl.store.damage import Damage, Within
from archdsl.store.errors import DamagedError
from archdsl.store.tables import studies, trials

_MOST = 20
"""Lines; of more, `archdsl doctor` says all."""


def damaged(
    connection: Connection, found: Sequence[Damage], *, place: str, within: Within
) -> DamagedError:
    """The error that names every damaged value, and what is whole.

    Args:
        connection: a transaction.
        found: at least one.
        place: what messages call the database.
        within: what was looked at.
    """
    lines = [f"  {each}" for each in found[:_MOST]]
    if len(found) > _MOST:
        more = f"and {len(found) - _MOST} more; archdsl doctor --db {place} says all"
        lines.append(f"  {more}")
    values = "a value is" if len(found) == 1 else f"{len(found)} values are"
    return DamagedError(
        "\n".join(
            [
                f"database {place}: {values} damaged, so nothing was done with it",
                *lines,
                f"{_whole(connection, found, within)}mend these rows, or bring back a copy of the "
                "database",
            ]
        )
    )


def _whole(connection: Connection, found: Sequence[Damage], within: Within) -> str:
    """Which trials of the study can be read, if it is a study that was looked at."""
    if within.study_id is None or within.number is not None:
        return ""
    wanted = studies.c.id == within.study_id
    name = connection.scalar(select(studies.c.name).where(wanted))
    count = connection.scalar(select(func.count()).where(trials.c.study_id == within.study_id))
    lost = {each.number for each in found if each.study == name and each.number is not None}
    left = (count or 0) - len(lost)
    if left <= 0:
        return ""
    return (
        f"the other {left} of {count} trials of '{name}' can be read one by one (archdsl show "
        "NUMBER, archdsl export NUMBER); "
    )
