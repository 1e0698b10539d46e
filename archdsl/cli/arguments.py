"""Commands that refuse what click passes over: an option of one value that is given twice."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from typer._click.exceptions import UsageError
from typer.core import TyperCommand, TyperGroup, TyperOption

if TYPE_CHECKING:
    from typer._click import Context


class OnceCommand(TyperCommand):
    """A command; the last of several values never wins in silence."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        _refuse_repeated(self, ctx, args)
        return super().parse_args(ctx, args)


class OnceGroup(TyperGroup):
    """The same of a command with commands of its own."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        _refuse_repeated(self, ctx, args)
        return super().parse_args(ctx, args)


def _refuse_repeated(command: TyperCommand | TyperGroup, ctx: Context, args: list[str]) -> None:
    """
    Raises:
        UsageError: names the options that may be given once, and are more often.
    """
    _, _, order = command.make_parser(ctx).parse_args(args=list(args))
    given = Counter(
        max(each.opts, key=len)
        for each in order
        if isinstance(each, TyperOption) and not (each.multiple or each.is_flag or each.count)
    )
    often = [f"{name} is given {times} times" for name, times in given.items() if times > 1]
    if often:
        raise UsageError(f"{', '.join(often)}; say which value is meant, once", ctx=ctx)
