"""What arguments may be: types of pydantic's, as the words of documents are; what is no plain data,
by `instance` or `offering`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from archdsl.document.messages import shown

LONGEST_LIST = 40
"""Characters of a list that is shown whole."""
OURS = "argument"
"""The type of errors whose message is a whole sentence already."""


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


DB = instance(str, Path, wanted="a database; give its path or its URL")
