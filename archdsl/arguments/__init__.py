"""The functions that notebooks call: every wrong argument at once, before anything is done, and
errors in words of Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from archdsl.arguments.kinds import OURS
from archdsl.arguments.wording import in_python
from archdsl.document.messages import sentence
from archdsl.document.tree import path_text, plain_scalar
from archdsl.errors import ArchdslError, ArgumentError

P = ParamSpec("P")
R = TypeVar("R")


def arguments(**kinds: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check arguments of a function before it runs; it is given what their types make of them, and
    its errors say what to do in words of Python.

    Args:
        kinds: parameter to the type of its values. Parameters without one the function checks
            itself.

    Raises:
        ArgumentError: by the function, every argument that is refused.
    """

    @cache
    def adapter(name: str) -> TypeAdapter[Any]:
        return TypeAdapter(kinds[name], config=ConfigDict(strict=True))

    def checked_by(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError:
                return function(*args, **kwargs)  # Python says best what is missing or surplus
            problems: list[str] = []
            for name, value in given.arguments.items():
                if name in kinds:
                    try:
                        made = adapter(name).validate_python(plain_scalar(value))
                    except ValidationError as error:
                        problems += _lines(f"{function.__name__}.{name}", error)
                    else:
                        given.arguments[name] = made
            if problems:
                raise ArgumentError("\n".join(problems))
            try:
                return function(*given.args, **given.kwargs)
            except ArchdslError as error:
                error.args = tuple(map(in_python, error.args))
                raise

        return checked

    return checked_by


def _lines(place: str, error: ValidationError) -> list[str]:
    found_here = error.errors(include_url=False)
    return [f"{path_text((place, *item['loc']))}: {_sentence(item)}" for item in found_here]


def _sentence(item: Any) -> str:
    text = item["msg"] if item["type"] == OURS else sentence(item)
    # In documents None is what nothing was written for.
    return text.replace("nothing", "None", 1) if item["input"] is None else text
