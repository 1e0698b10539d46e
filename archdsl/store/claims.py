"""Claims: which process works on a running trial, proved by a token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)

from archdsl.records import MOST_FRUITLESS
from archdsl.store.database import Database
from archdsl.store.errors import StaleClaimError
from archdsl.store.owner import Owner
from archdsl.store.tables import claims, epoch_values, now, record_of, studies, trials

_GIVEN_BACK = ""
"""The token of a claim whose owner does not want it any more, whether it still lives or not."""

# Statements that every trial needs are built once.
_CLAIMED: Select[Any] = (
    select(
        *(trials.c[name] for name in ("id", "number", "study_id", "arch_id", "state")),
        studies.c.objectives,
        claims,
    )
    .join(studies, studies.c.id == trials.c.study_id)
    .outerjoin(claims, claims.c.trial_id == trials.c.id)
    .where(trials.c.id == bindparam("trial"))
)
# No join: a database might begin with all trials of the study instead of the few claims.
_NUMBER = (
    select(trials.c.number)
    .where(trials.c.id == claims.c.trial_id, trials.c.study_id == bindparam("study"))
    .scalar_subquery()
)
_OF_STUDY = select(claims, _NUMBER.label("number")).where(_NUMBER.is_not(None)).order_by("number")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A running trial and who works on it.

    Args:
        trial_id: row of the trial.
        number: number of the trial.
        owner: the process that claimed it.
        claimed_at: when, ISO 8601 in UTC.
        alive: whether that process still works on it, as far as can be known.
        fruitless: claims since the last new epoch, this one included.
        epochs: epochs reported before this claim.
    """

    trial_id: int
    number: int
    owner: Owner
    claimed_at: str
    alive: bool
    fruitless: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class Claims:
    """Who works on the running trials of a database."""

    database: Database

    def of_study(self, study_id: int) -> list[Claim]:
        """Who works on the running trials of a study, by trial number."""
        with self.database.read() as connection:
            living = self.database.living(connection)
            return claims_of(connection, study_id=study_id, living=living)

    def give_back(self, *, trial_id: int, token: str) -> None:
        """Say that this process does not go on with a trial, which is not the trial's fault.

        Whoever asks next may have it, while this process lives, too.

        Raises:
            StaleClaimError: `token` is not the present one.
        """
        with self.database.write() as connection:
            check(connection, trial_id=trial_id, token=token)
            _give_back(connection, claims.c.trial_id == trial_id)

    def give_back_all(self, *, study_id: int, owner: Owner) -> None:
        """The same of every claim of an owner to a trial of a study."""
        mine = [getattr(claims.c, name) == value for name, value in vars(owner).items()]
        of_study = select(trials.c.id).where(trials.c.study_id == study_id)
        with self.database.write() as connection:
            not_yet = claims.c.token != _GIVEN_BACK
            _give_back(connection, and_(*mine, not_yet, claims.c.trial_id.in_(of_study)))


def _give_back(connection: Connection, condition: ColumnElement[bool]) -> None:
    connection.execute(
        update(claims).where(condition).values(token=_GIVEN_BACK, fruitless=claims.c.fruitless - 1)
    )


def grant(connection: Connection, *, trial_id: int, owner: Owner) -> str:
    """The first claim of a trial; returns its token."""
    token = secrets.token_hex(16)
    first = {"trial_id": trial_id, "fruitless": 1, "epochs": 0}
    connection.execute(insert(claims), first | _claimed(owner=owner, token=token))
    return token


def give_out(connection: Connection, *, trial_id: int, owner: Owner) -> None:
    """A claim that was given back at once: whoever asks next may have the trial."""
    told = {"trial_id": trial_id, "fruitless": 0, "epochs": _told(connection, trial_id)}
    connection.execute(insert(claims), told | _claimed(owner=owner, token=_GIVEN_BACK))


def pass_on(connection: Connection, *, claim: Claim, owner: Owner) -> str | None:
    """Claim a dead owner's trial again; None when that has been fruitless too often."""
    epochs = _told(connection, claim.trial_id)
    progressed = epochs > claim.epochs
    fruitless = 1 if progressed else claim.fruitless + (not _lost_power(claim.owner, owner))
    if fruitless > MOST_FRUITLESS:
        return None
    token = secrets.token_hex(16)
    connection.execute(
        update(claims)
        .where(claims.c.trial_id == claim.trial_id)
        .values(fruitless=fruitless, epochs=epochs, **_claimed(owner=owner, token=token))
    )
    return token


def _told(connection: Connection, trial_id: int) -> int:
    """How many epochs a trial has reported."""
    epochs = func.count(epoch_values.c.epoch.distinct())
    return connection.scalar(select(epochs).where(epoch_values.c.trial_id == trial_id)) or 0


def check(connection: Connection, *, trial_id: int, token: str) -> Row[Any]:
    """The trial with its claim and its study's objectives, if `token` proves the claim.

    Raises:
        StaleClaimError: it does not, or not any more.
    """
    row = connection.execute(_CLAIMED, {"trial": trial_id}).one_or_none()
    if row is None:
        raise StaleClaimError(f"there is no trial with the row {trial_id}")
    if row.token is None:
        raise StaleClaimError(f"trial {row.number} is finished already ({row.state})")
    if row.token == _GIVEN_BACK:
        raise StaleClaimError(f"trial {row.number} was given back by {_owner(row)}")
    if row.token != token:
        raise StaleClaimError(f"trial {row.number} was taken over by {_owner(row)}")
    return row


def claims_of(
    connection: Connection, *, study_id: int, living: Callable[[Owner], bool]
) -> list[Claim]:
    """All claims of a study, by trial number.

    Args:
        connection: a transaction.
        study_id: row of the study.
        living: whether an owner still runs.
    """
    rows = connection.execute(_OF_STUDY, {"study": study_id})
    return [
        record_of(
            Claim,
            row,
            owner=_owner(row),
            alive=row.token != _GIVEN_BACK and living(_owner(row)),
        )
        for row in rows
    ]


def _lost_power(dead: Owner, owner: Owner) -> bool:
    """Whether the whole machine was started anew in between: no trial's doing.

    Of another machine it is not known whether it was lost or only the process on it was killed,
    which may well be the trial's doing.
    """
    return dead.host == owner.host and dead.boot_id != owner.boot_id


def _claimed(*, owner: Owner, token: str) -> dict[str, Any]:
    return {**vars(owner), "token": token, "claimed_at": now()}


def _owner(row: Row[Any]) -> Owner:
    return record_of(Owner, row)
