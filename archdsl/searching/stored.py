"""Finding a study in a store."""

from __future__ import annotations

from collections.abc import Callable

from archdsl.document.messages import nearest
from archdsl.errors import StudyError
from archdsl.store.rows import StudyRow
from archdsl.store.store import Store


def find_study(
    store: Store, name: str | None, *, option: Callable[[str], str], db: str | None = None
) -> StudyRow:
    """The named study, or the only one.

    Args:
        store: an open one.
        name: of the study.
        option: how the name of a study is said where one is asked for, such as `--study NAME`.
        db: what the database is called; the store's own name for it unless given.

    Raises:
        StudyError: no such study, none at all, or several and no name.
    """
    db, studies = db or store.place, store.studies.all()
    names = [study.name for study in studies]
    if not studies:
        raise StudyError(f"{db} holds no study yet; `archdsl search` starts one")
    if name is None and len(studies) == 1:
        return studies[0]
    if name is None:
        choices = " or ".join(option(each) for each in names)
        raise StudyError(f"{db} holds several studies; say which: {choices}")
    if name not in names:
        hint = nearest(name, names)
        ending = f"did you mean '{hint}'?" if hint else f"it has: {', '.join(names)}"
        raise StudyError(f"{db} has no study '{name}'; {ending}")
    return studies[names.index(name)]
