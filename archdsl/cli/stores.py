"""Finding a study in a store."""

from __future__ import annotations

import shlex

from archdsl.searching.stored import find_study
from archdsl.store.location import shown
from archdsl.store.rows import StudyRow
from archdsl.store.store import Store


def pick_study(store: Store, name: str | None, *, db: str) -> StudyRow:
    """The named study, or the only one.

    Raises:
        StudyError: no such study, none at all, or several and no name.
    """
    return find_study(store, name, option=lambda each: f"--study {shlex.quote(each)}", db=shown(db))
