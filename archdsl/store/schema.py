"""Which schema a database has, and bringing it up to date.

Migrations make and change tables only. The views hold no data: they are dropped before the tables
change and made anew from `front` afterwards, so they always are those of this version.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from archdsl.errors import StoreError
from archdsl.store.front import VIEWS, create_views, drop_views
from archdsl.store.tables import metadata

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every schema so far, oldest first; the last one is this version's."""

_OURS_ALONE = frozenset({"architectures", "claims", "epoch_values", "trial_values"})
"""Tables of every schema, which no other program's database holds all of."""

MIGRATIONS = Path(__file__).with_name("migrations")

VERSION_TABLE = "archdsl_version"
"""Of its own name: with Alembic's usual one, other programs' databases would pass for ours."""


def present_revision(connection: Connection, *, place: str) -> str | None:
    """The schema of a database; None when it is empty.

    Raises:
        StoreError: the tables are another program's, of a later version of this one, or damaged.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if VERSION_TABLE not in tables and not _OURS_ALONE.issubset(tables):
        shown = ", ".join(sorted(tables)[:3]) + (", …" if len(tables) > 3 else "")
        raise StoreError(
            f"database {place} belongs to another program (it holds the tables {shown}); "
            "nothing was changed: say another --db"
        )
    versioned = VERSION_TABLE in tables
    read_version = f"SELECT version_num FROM {VERSION_TABLE}"
    found = connection.exec_driver_sql(read_version).scalar() if versioned else None
    lost = sorted(metadata.tables.keys() - tables) if is_current(found) else []
    if lost or (found is None and _OURS_ALONE.issubset(tables)):
        what = f"table {', '.join(lost)}" if lost else f"version (the row of {VERSION_TABLE})"
        raise StoreError(
            f"database {place} is damaged: its {what} is gone; nothing was changed: bring back a "
            "copy of it"
        )
    if found is not None and found not in REVISIONS:
        raise StoreError(
            f"database {place} has schema {found}, later than this archdsl's {REVISIONS[-1]}; "
            "nothing was changed: upgrade archdsl (pip install --upgrade archdsl)"
        )
    return None if found is None else str(found)


def has_views(connection: Connection) -> bool:
    """Whether the views are there, which are made anew where they are not: they hold no data."""
    return set(inspect(connection).get_view_names()) >= VIEWS


def is_current(revision: str | None) -> bool:
    return revision == REVISIONS[-1]


def upgrade(connection: Connection) -> None:
    """Make or upgrade all tables, inside the caller's transaction."""
    # Only here: an up-to-date database opens without the time that importing Alembic takes.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    drop_views(connection)
    command.upgrade(config, "head")
    create_views(connection)
