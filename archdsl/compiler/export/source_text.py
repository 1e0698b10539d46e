"""Python source as text: expressions that are broken where they do not fit, classes by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 100
CLASS = "CLASS"
"""Stands for its name in the text of a class."""


@dataclass(frozen=True)
class Call:
    """`function(arguments)`; each argument is text or a call, with or without a keyword."""

    function: str
    arguments: Sequence[tuple[str, Any]]
    brackets: tuple[str, str] = ("(", ")")


Expression = str | Call


def call(function: str, *places: Expression, **words: Any) -> Call:
    """A call; words that are neither text nor calls are written as Python writes them."""
    named = [(f"{name}=", _expression(value)) for name, value in words.items()]
    return Call(function, [*(("", each) for each in places), *named])


def _expression(value: Any) -> Expression:
    return value if isinstance(value, str | Call) else repr(value)


def line(start: str, expression: Expression, end: str = "", *, indent: int = 8) -> str:
    """`start` and an expression: in one line, or with a line for each argument."""
    margin = " " * indent
    whole = f"{margin}{start}{flat(expression)}{end}"
    if isinstance(expression, str) or len(whole) <= WIDTH:
        return whole
    inside = [line(name, each, ",", indent=indent + 4) for name, each in expression.arguments]
    opening, closing = expression.brackets
    first = f"{margin}{start}{expression.function}{opening}"
    return "\n".join([first, *inside, f"{margin}{closing}{end}"])


def flat(expression: Expression) -> str:
    """In one line."""
    if isinstance(expression, str):
        return expression
    inside = ", ".join(f"{name}{flat(each)}" for name, each in expression.arguments)
    opening, closing = expression.brackets
    return f"{expression.function}{opening}{inside}{closing}"


def lines(*each: str | bool) -> list[str]:
    """Those that are not left out: indented as in a method."""
    return [f"        {one}" if one else "" for one in each if not isinstance(one, bool)]


def class_text(
    doc: str,
    *,
    init: Iterable[str],
    forward: Iterable[str],
    takes: str,
    shapes: str,
    arguments: str = "",
    gives: str = "Tensor",
) -> str:
    """A module's class, whose name is still `CLASS`.

    Args:
        doc: what it computes.
        init: lines of its constructor, behind that of the base.
        forward: lines of its method.
        takes: arguments of `forward`.
        shapes: what these are, and what it gives.
        arguments: of the constructor.
        gives: type of the result.
    """
    made = f"self, *, {arguments}" if arguments else "self"
    return "\n".join(
        [
            f"class {CLASS}(nn.Module):",
            f'    """{doc}"""',
            "",
            *_head("__init__", made, "None"),
            "        super().__init__()",
            *init,
            "",
            *_head("forward", f"self, {takes}", gives),
            f'        """{shapes}"""',
            *forward,
        ]
    )


def _head(name: str, arguments: str, gives: str) -> list[str]:
    whole = f"    def {name}({arguments}) -> {gives}:"
    if len(whole) <= WIDTH:
        return [whole]
    return [f"    def {name}(", f"        {arguments}", f"    ) -> {gives}:"]


@dataclass
class Classes:
    """The classes of a file, in the order they were asked for; equal ones are one."""

    _names: dict[str, str] = field(default_factory=dict)

    def name(self, base: str, text: str) -> str:
        """The name of the class of that text; of several of one base, the others are numbered."""
        if text not in self._names:
            number = 1 + sum(name.rstrip("0123456789") == base for name in self._names.values())
            self._names[text] = base if number == 1 else f"{base}{number}"
        return self._names[text]

    def texts(self) -> list[str]:
        """Each under its name."""
        return [
            text.replace(f"class {CLASS}(", f"class {name}(", 1)
            for text, name in self._names.items()
        ]
