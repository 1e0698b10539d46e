"""The `archdsl` command. A command's module is imported when the command is called.

What every call of a command needs is imported at the top of its module; inside functions stands
what takes long to import (torch, matplotlib, Optuna, SQLAlchemy, Ray), where some calls, its help
or a mistake in a document can do without.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer._click.exceptions import UsageError
from typer.core import TyperGroup

from archdsl.cli.arguments import OnceCommand
from archdsl.cli.handling import explain, explained, readable
from archdsl.cli.printing import say
from archdsl.cli.process import prepare
from archdsl.version import __version__

if TYPE_CHECKING:
    from typer._click import Command, Context

COMMANDS = {
    "check": "Check models, studies, recipes and run profiles, and report every problem.",
    "compile": "Compile a model: tokens, parameters, multiply-adds; with -o also spec, plan and "
    "weights.",
    "measure": "Measure latency: median of one batch with its 95 % interval, in ms.",
    "init": "Write a first model that fits images, and a study of what lies around it.",
    "train": "Train one network, and leave it in a folder with all that it takes to use it.",
    "eval": "Score a trained network on labelled images: top-1, top-5, each class, calibration.",
    "predict": "Say of pictures what a trained network takes them for.",
    "search": "Search for the Pareto front. The same command starts, resumes or finds it complete.",
    "watch": "Follow a search that runs elsewhere: trials, time left, what runs now, the front so "
    "far.",
    "confirm": "Train the members of a study's front in full, with seeds that the search did not "
    "use.",
    "front": "Show the members of a study's Pareto front and what distinguishes each from the "
    "base.",
    "show": "Show a model: its drawing, its layers, what is known and measured of it, its "
    "document.",
    "export": "Write architectures as documents that compile to the very same arch_id, a whole "
    "study, or a network for other engines.",
    "report": "Write a study as one page that needs nothing but itself: the front, its members, "
    "why.",
    "runs": "List the trainings of a store that `archdsl train --db` made.",
    "studies": "List the studies of a store; delete, rename or copy one.",
    "reproduce": "Print the figures of the ViTTM paper's tables beside those computed from "
    "documents.",
    "schema": "Print the JSON Schema of a kind of document; it is JSON with or without --json.",
    "data": "Say what a source of images holds: its parts, its classes, how it is read.",
    "doctor": "Look at Python, packages, devices, shelves, the run profile's data and the store.",
}
"""Each command, of the module of that name beside this one, and how its help begins."""


class LazyGroup(TyperGroup):
    """Lists commands by name and summary, and imports the one that is called."""

    def invoke(self, ctx: Context) -> Any:
        """Run the command; a mistake of its arguments is put as any other is."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            error.message = readable(error.message)
            raise

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """Name, command and arguments of a call."""
        name, listed, arguments = super().resolve_command(ctx, args)
        if name is None or listed is None:
            return name, listed, arguments
        with explained(debug="--debug" in arguments):
            return name, load_command(name), arguments


def load_command(name: str) -> Command:
    """A command with its options, from its module."""
    module = import_module(f"archdsl.cli.{name}")
    if hasattr(module, "app"):  # a command with commands of its own
        return typer.main.get_command(module.app)
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, epilog=module.EXAMPLE, cls=OnceCommand)(module.command)
    return typer.main.get_command(single)


app = typer.Typer(
    name="archdsl",
    cls=LazyGroup,
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


def _listed() -> None:
    """Stands in the list for a command that is not imported yet."""


for command_name, summary in COMMANDS.items():
    app.command(command_name, help=summary)(_listed)


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
        say(message)
        sys.exit(code)
