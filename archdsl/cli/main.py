"""The `archdsl` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from archdsl import __version__
from archdsl.cli import (
    check,
    compile,
    doctor,
    export,
    front,
    measure,
    report,
    reproduce,
    schema,
    search,
    show,
    watch,
)
from archdsl.cli.handling import explain
from archdsl.cli.process import prepare

app = typer.Typer(
    name="archdsl",
    help="Vision architectures as short YAML documents: compiled, measured, searched.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"archdsl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Vision architectures as short YAML documents: compiled, measured, searched."""


for module in (
    *(check, compile, measure, search, watch, front, show, export, report),
    *(reproduce, schema, doctor),
):
    app.command(module.NAME, epilog=module.EXAMPLE)(module.command)


def app_main() -> None:
    """Entry point of the console script."""
    prepare()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except (OSError, KeyboardInterrupt) as error:  # of the help and of reading arguments
        message, code = explain(error)
        print(message, file=sys.stderr)
        sys.exit(code)
