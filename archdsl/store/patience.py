"""Connections to PostgreSQL that do not wait for ever, and say what they wait for.

A server whose machine is busy, stopped or unreachable answers nothing, and the system may take
hours to give it up. psycopg asks now and then whether to go on waiting.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg.waiting import Ready

TELL_SECONDS = 5.0
"""After so long without an answer it is told."""
ANSWER_SECONDS = 60.0
"""After so long a server is given up; more than any statement of ours takes, and than any lock is
waited for."""

ASKING_SECONDS = 0.5

_Result = TypeVar("_Result")
_LOG = logging.getLogger(__name__)


class PatientConnection(psycopg.Connection[Any]):
    """A connection whose every wait is told after some seconds, and ends after a minute."""

    def wait(self, gen: Generator[Any, Any, _Result], *args: Any, **kwargs: Any) -> _Result:
        """What `gen` comes to, which waits for the server.

        Raises:
            psycopg.OperationalError: no answer within `ANSWER_SECONDS`; the connection is closed.
        """
        return super().wait(self._limited(gen), *args, **{**kwargs, "interval": ASKING_SECONDS})

    def _limited(self, gen: Generator[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
        begun, told, answer = time.monotonic(), False, None
        since = datetime.now().astimezone()
        while True:
            try:
                wanted = gen.send(answer)
            except StopIteration as done:
                result: _Result = done.value
                return result
            answer = yield wanted
            waited = time.monotonic() - begun
            if answer != Ready.NONE:
                begun, told, since = time.monotonic(), False, datetime.now().astimezone()
            elif waited > ANSWER_SECONDS:
                self.close()
                raise psycopg.OperationalError(f"no answer since {since:%H:%M:%S}")
            elif waited > TELL_SECONDS and not told:
                told = True
                _LOG.warning(
                    "archdsl: the database server gives no answer since %s; waiting for it up to "
                    "%.0f s",
                    f"{since:%H:%M:%S}",
                    ANSWER_SECONDS,
                )
