"""Value types that several words share, with their limits."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from archdsl.document.messages import shown
from archdsl.spec.rules import Rules

LARGEST = 65_536
"""No width, token count or image side is larger: a typing error is more likely than a model."""

Count = Annotated[int, Field(ge=1, le=LARGEST)]
Ratio = Annotated[float, Field(gt=0, le=64)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
TimmName = Annotated[str, Field(pattern=r"^timm:[\w.]+$")]


def _pair(value: Any) -> tuple[int, int]:
    sides = value if isinstance(value, list | tuple) else (value, value)
    if len(sides) != 2 or any(type(side) is not int for side in sides):
        text = str(list(sides))
        short = isinstance(value, list | tuple) and len(text) <= 40
        found = text if short else shown(value)
        raise PydanticCustomError(
            "pair", "{found} is not a whole number or a list [height, width]", {"found": found}
        )
    for side in sides:
        if not 1 <= side <= LARGEST:
            raise PydanticCustomError(
                "pair", "{side} is not between 1 and {most}", {"side": side, "most": LARGEST}
            )
    return sides[0], sides[1]


def _unpair(value: tuple[int, int]) -> int | list[int]:
    return value[0] if value[0] == value[1] else list(value)


_PAIR_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": LARGEST},
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": LARGEST},
            "minItems": 2,
            "maxItems": 2,
        },
    ]
}

Pair = Annotated[
    tuple[int, int],
    BeforeValidator(_pair),
    PlainSerializer(_unpair),
    WithJsonSchema(_PAIR_SCHEMA),
]
"""`(height, width)`; written as one whole number or as `[height, width]`."""


def whole(value: float) -> int | None:
    """The whole number a product of a ratio and a width is, if it is one."""
    nearest = round(value)
    return nearest if abs(value - nearest) < 1e-6 else None


def floored(value: float) -> int:
    """`int(value)` as timm computes hidden widths, but not led astray by binary fractions."""
    exact = whole(value)
    return exact if exact is not None else int(value)


def hidden_width(dim: int, ratio: float, rules: Rules) -> int | None:
    """Hidden width of an MLP; a ratio that leaves no channel is refused."""
    hidden = floored(ratio * dim)
    if hidden < 1:
        rules.refuse(f"{ratio} of the width {dim} leaves no hidden channel", "mlp_ratio")
        return None
    return hidden
