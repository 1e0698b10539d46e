"""Opening the store that a command was told, and finding a study in it.

What imports SQLAlchemy is imported once a store is opened: a command's help does without.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archdsl.cli.printing import say
from archdsl.errors import ArchdslError, StoreError

if TYPE_CHECKING:
    from archdsl.store.rows import StudyRow
    from archdsl.store.store import Store


def existing_store(db: str, *, read_only: bool = True) -> Store:
    """Open a database that is there; see `open_store`."""
    from archdsl.store.store import open_store

    return open_store(db, create=False, read_only=read_only)


def damage_of(db: str) -> StoreError | None:
    """What is wrong with the rows and the documents of a database, if anything is."""
    from archdsl.searching.stored import unreadable
    from archdsl.store.errors import DamagedError

    try:
        with existing_store(db) as store:
            store.database.refuse(store.database.damages() or unreadable(store))
    except DamagedError as damage:
        return damage
    except ArchdslError:  # it cannot be looked at either
        return None
    return None


@contextmanager
def opened_study(
    db: str, name: str | None, *, read_only: bool = True
) -> Iterator[tuple[Store, StudyRow]]:
    """A database that is there, open, and the study that is meant; see `pick_study`."""
    with existing_store(db, read_only=read_only) as store:
        yield store, pick_study(store, name, db=db, likely=read_only)


def pick_study(store: Store, name: str | None, *, db: str, likely: bool = True) -> StudyRow:
    """The named study, or the only one.

    Args:
        store: an open one.
        name: of the study, if it is said.
        db: what the database is called.
        likely: of several take the likely one, and say so: enough where nothing is changed.

    Raises:
        StudyError: no such study, none at all, or several and no name.
    """
    from archdsl.searching.stored import find_study, likely_study
    from archdsl.store.location import shown

    if likely and name is None and (found := likely_study(store)):
        row, why = found
        say(f"'{row.name}', {why} of the studies in {shown(db)}; another: --study NAME")
        return row
    return find_study(store, name, option=lambda each: f"--study {shlex.quote(each)}", db=shown(db))
