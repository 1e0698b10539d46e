"""Arguments of the functions that notebooks call: every wrong one at once, before anything is done.

A parameter is described by a type of pydantic's, as the words of documents are; what is no plain
data, by `instance` or `offering`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from archdsl.document.messages import sentence, shown
from archdsl.document.tree import path_text, plain_scalar
from archdsl.errors import ArgumentError

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_LIST = 40
"""Characters of a list that is shown whole."""
OURS = "argument"
"""The type of errors whose message is a whole sentence already."""


def arguments(**kinds: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check arguments of a function before it runs; it is given what their types make of them.

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
            return function(*given.args, **given.kwargs)

        return checked

    return checked_by


def words_of(model: type[BaseModel], *names: str) -> dict[str, Any]:
    """Parameters that are what the words of those names in a document are."""
    return {name: _kind(model.model_fields[name]) for name in names}


def _kind(field: FieldInfo) -> Any:
    return Annotated[(field.annotation, *field.metadata, field)]


def instance(*types: type, wanted: str) -> Any:
    """An object of one of `types`.

    Args:
        types: that are taken.
        wanted: what such an object is and what to give: `a study; give its name or its path`.
    """
    return where(lambda value: isinstance(value, types), wanted=wanted)


def where(holds: Callable[[Any], bool], *, wanted: str) -> Any:
    """An object of which something holds."""

    def check(value: Any) -> Any:
        if not holds(value):
            message = {"found": found(value), "wanted": wanted}
            raise PydanticCustomError(OURS, "{found} is not {wanted}", message)
        return value

    return Annotated[Any, AfterValidator(check)]


def several(*, wanted: str, separator: str | None = None) -> Any:
    """Texts in their order, as a tuple; a text alone is one of them.

    Args:
        wanted: as for `instance`.
        separator: what stands between several in one text.
    """

    def made(value: Any) -> Any:
        if isinstance(value, str):
            value = [each.strip() for each in value.split(separator)] if separator else [value]
        unordered = isinstance(value, Mapping | set | frozenset)
        return tuple(value) if isinstance(value, Iterable) and not unordered else value

    def are_texts(value: Any) -> bool:
        return isinstance(value, tuple) and all(isinstance(each, str) for each in value)

    return Annotated[where(are_texts, wanted=wanted), BeforeValidator(made)]


def offering(*, wanted: str, **methods: Mapping[str, Any]) -> Any:
    """An object with methods that can be called.

    Args:
        wanted: what such an object is.
        methods: name to how it is called: parameters that are given by position (as `args`), and
            by name (as `kwargs`).
    """

    def check(value: Any) -> Any:
        if isinstance(value, type):
            told = f"{found(value)} is not {wanted}; give an object of it: {value.__name__}()"
        elif wrong := list(_wrong_methods(value, methods)):
            told = f"{found(value)} is not {wanted}; {'; '.join(wrong)}"
        else:
            return value
        raise PydanticCustomError(OURS, "{told}", {"told": told})

    return Annotated[Any, AfterValidator(check)]


def found(value: Any) -> str:
    """What was given, in a few words."""
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if isinstance(value, list | tuple) and len(repr(value)) <= LONGEST_LIST:
        return repr(value)
    return "None" if value is None else shown(value)


def _wrong_methods(value: Any, methods: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, call in methods.items():
        method = getattr(value, name, None)
        named = [*call.get("args", ()), *(f"{each}=" for each in call.get("kwargs", ()))]
        written = f"{name}({', '.join(named)})"
        if not callable(method):
            yield f"it has no method {written}"
        elif not _takes(method, call.get("args", ()), call.get("kwargs", ())):
            yield f"its {name} cannot be called as {written}"


def _takes(method: Callable[..., Any], args: Sequence[str], kwargs: Sequence[str]) -> bool:
    try:
        inspect.signature(method).bind(*args, **dict.fromkeys(kwargs))
    except TypeError:
        return False
    except ValueError:  # written in C, without a signature
        return True
    return True


def _lines(place: str, error: ValidationError) -> list[str]:
    found_here = error.errors(include_url=False)
    return [f"{path_text((place, *item['loc']))}: {_sentence(item)}" for item in found_here]


def _sentence(item: Any) -> str:
    text = item["msg"] if item["type"] == OURS else sentence(item)
    # In documents None is what nothing was written for.
    return text.replace("nothing", "None", 1) if item["input"] is None else text


DB = instance(str, Path, wanted="a database; give its path or its URL")
