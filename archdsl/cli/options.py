"""Options that several commands share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from archdsl.cli.printing import say

DEFAULT_DB = "archdsl.db"


def tell_repeated(settings: list[str] | None) -> list[str] | None:
    """Say which words are set more than once."""
    for word, times in Counter(each.partition("=")[0].strip() for each in settings or ()).items():
        if times > 1:
            say(f"{word} is set {times} times; each --set is laid over those before it")
    return settings


Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout, for machines.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Lay a value over the document; repeatable.",
        callback=tell_repeated,
    ),
]
Db = Annotated[
    str, typer.Option("--db", metavar="URL", help="The store: an SQLite file, or postgresql://…")
]
StudyName = Annotated[
    str | None,
    typer.Option(
        "--study", metavar="NAME", help="Study in the store; else the only, running or last one."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that hold something else.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="PATH", help="Where to.")]
