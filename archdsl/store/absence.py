"""A server that was there and is away: waited for, for a stated time, and said to be."""

from __future__ import annotations

import logging
import time
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from archdsl.store.failures import is_absence

RETURN_SECONDS = 30.0
"""How long a server that was there is waited for."""
BETWEEN_SECONDS = 0.5
_LOG = logging.getLogger(__name__)


class Absence:
    """What is known of a server's absence.

    Args:
        place: what messages call the database.
    """

    def __init__(self, *, place: str) -> None:
        self._place = place
        self._expected = False

    def expect(self) -> None:
        """The server is there: from now on it is waited for."""
        self._expected = True

    def wait(self, error: SQLAlchemyError, deadline: float | None) -> float:
        """Wait a moment for a server that has given `error` for an answer.

        Args:
            error: what became of the last attempt.
            deadline: what this returned for the attempt before; None for the first one.

        Returns:
            Until when the server is waited for.

        Raises:
            SQLAlchemyError: the same one, as it is not waited for, or not any longer.
        """
        if not self._expected or not is_absence(error):
            raise error
        if deadline is None:
            deadline = time.monotonic() + RETURN_SECONDS
            since = datetime.now().astimezone()
            _LOG.warning(
                "archdsl: database %s: no answer since %s; trying again for %.0f s",
                self._place,
                f"{since:%H:%M:%S}",
                RETURN_SECONDS,
            )
        elif time.monotonic() > deadline:
            # What is left to be done without it, such as giving claims back, fails at once.
            self._expected = False
            raise error
        time.sleep(BETWEEN_SECONDS)
        return deadline
