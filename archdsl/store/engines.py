"""What every kind of database gives: connections whose transactions read, and such that write."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from archdsl.records import Json
from archdsl.store.liveness import Liveness


@dataclass(frozen=True, kw_only=True)
class Engines:
    """Two ways to begin a transaction, on one pool of connections.

    Args:
        reader: a transaction sees one state of the database, whatever others commit meanwhile.
        writer: no other process's changes come between the start of a transaction and its commit.
        liveness: tells processes on other machines that this one runs; None where there are none.
    """

    reader: Engine
    writer: Engine
    liveness: Liveness | None = None


def json_text(value: Json) -> str:
    """A document as the database stores it; NaN and infinity are refused."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as error:
        # Not every driver's layer of SQLAlchemy makes this one of its own.
        raise SQLAlchemyError(str(error)) from error
