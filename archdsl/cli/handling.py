"""What becomes of errors: one clear message on stderr and an exit code, never a traceback."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from archdsl.cli.printing import say
from archdsl.cli.process import behind
from archdsl.cli.stores import damage_of
from archdsl.document.masking import masked_message
from archdsl.errors import ArchdslError
from archdsl.files import noting_use
from archdsl.free_memory import lacks_memory
from archdsl.printable import one_line

USERS_MISTAKE = 2
OURS = 1
BY_SIGNAL = 128
"""Plus the number of the signal: 130 after Ctrl-C."""
LONGEST_SHOWN, ENDING_SHOWN = 100, 20
_ENDLESS = re.compile(r"\S{1000,}")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def handled(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that every error becomes a message and an exit code."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        debug, db = bool(kwargs.get("debug")), kwargs.get("db")
        with explained(debug=debug, db=db), noting_use():
            command(*args, **kwargs)
            sys.stdout.flush()

    return run


@contextmanager
def explained(*, debug: bool, db: str | None = None) -> Iterator[None]:
    """Turn every error into a message and an exit code.

    Args:
        debug: but an error that is no interruption is to show its traceback.
        db: the database that was worked with; what is wrong with it is told in place of what
            followed from that.

    Raises:
        typer.Exit: with that code.
    """
    try:
        yield
    except typer.Exit:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if debug and isinstance(error, Exception):
            raise
        message, code = explain(error)
        if code == OURS and db and (damage := damage_of(db)):
            message, code = explain(damage)
        say(message)
        raise typer.Exit(code) from None


def readable(message: str) -> str:
    """A message without passwords, line breaks in names, and the middle of endless words."""
    return _ENDLESS.sub(_with_its_length, masked_message(_without_breaks(message)))


def _without_breaks(message: str) -> str:
    """A message whose lines do not end within a name that the command was given."""
    for word in sys.argv:
        for found in re.finditer(r"(?<=[^\n])\n(?=[^\n])", word):
            around = word[found.start() - 1 : found.end() + 1]
            message = message.replace(around, one_line(around))
    return message


def _with_its_length(word: re.Match[str]) -> str:
    return f"{word[0][:LONGEST_SHOWN]}… ({len(word[0]):,} characters) …{word[0][-ENDING_SHOWN:]}"


def explain(error: BaseException) -> tuple[str, int]:
    """The message and exit code of an error."""
    message, code = _explain(error)
    return readable(message), code


def _explain(error: BaseException) -> tuple[str, int]:
    if isinstance(error, ArchdslError):
        return f"archdsl: {error}", USERS_MISTAKE
    if isinstance(error, KeyboardInterrupt):
        known = behind(error)
        return f"archdsl: {known.message}", BY_SIGNAL + known.number
    if isinstance(error, FileNotFoundError) and _folder_is_gone():
        message = "the current folder is not there any more; change to another and run again"
        return f"archdsl: {message}", USERS_MISTAKE
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        where = f" for {error.filename}" if error.filename else ""
        return f"archdsl: the disk is full: no space left{where}; free some and run again", 2
    if isinstance(error, OSError) and error.filename:
        reason = (error.strerror or str(error)).lower()
        return f"archdsl: {error.filename}: {reason}", USERS_MISTAKE
    if isinstance(error, ImportError):
        return f"archdsl: a package is missing or broken: {error}; see `archdsl doctor`", 2
    if lacks_memory(error):
        return f"archdsl: memory is full: {error}; close other programs, or ask for less", 2
    name = type(error).__name__
    return f"archdsl: internal error: {name}: {error} (--debug shows where; please report it)", OURS


def _folder_is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False
