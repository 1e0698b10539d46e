"""Constraints: `params_m <= 130`, `process_tokens <= memory_tokens`, `latency <= 250ms`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt

from archdsl.document.messages import one_of, rounded, shown
from archdsl.metrics import MEASURED, METRICS, relative_excess
from archdsl.plan.facts import FACTS

_FORM = re.compile(r"\s*(\S+)\s*(<=|>=|<|>|==)\s*([^\s<>=].*?)\s*")
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([a-zA-Zµ%/]*)")
_HOLDS = {"<=": le, ">=": ge, "<": lt, ">": gt, "==": eq}
_LEAST = 1e-9
"""What a broken `<` or `>` of equal sides exceeds its limit by, and stands for a limit of 0."""


class ConstraintError(ValueError):
    """A constraint that cannot be read; says why."""


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """`left operator right`, where `right` is a name or a number in the unit of `left`."""

    text: str
    left: str
    operator: str
    right: str | float

    @property
    def measured(self) -> str | None:
        """The measured quantity it bounds; None when facts decide it before any cost."""
        return self.left if self.left in MEASURED else None

    def values(self, known: Mapping[str, float]) -> tuple[float, float]:
        """Left and right side."""
        right = known[self.right] if isinstance(self.right, str) else self.right
        return known[self.left], right

    def violation(self, known: Mapping[str, float]) -> float:
        """By how much it is broken, relative to the right side; 0 when it holds."""
        left, right = self.values(known)
        if _HOLDS[self.operator](left, right):
            return 0.0
        return relative_excess(max(abs(left - right), _LEAST), right, at_zero=_LEAST)


def broken(
    constraints: Iterable[Constraint], known: Mapping[str, float]
) -> tuple[str, float] | None:
    """Which constraints on facts a model breaks, in words, and by how much in all; None if none."""
    found = [(each, excess) for each in constraints if (excess := each.violation(known)) > 0]
    if not found:
        return None
    return "; ".join(_format_broken(c, known) for c, _ in found), sum(excess for _, excess in found)


def _format_broken(constraint: Constraint, known: Mapping[str, float]) -> str:
    left, right = constraint.values(known)
    compared = f"{constraint.right} is {right:g}" if isinstance(constraint.right, str) else ""
    found = f"{constraint.left} is {rounded(left)}" + (f" and {compared}" if compared else "")
    return f"{found}, but {constraint.text} is asked for"


def never_kept(constraints: Sequence[Constraint]) -> Iterator[str]:
    """What of constraints with numbers no value can keep, in words: alone, or with each other."""
    names = dict.fromkeys(each.left for each in constraints)
    for name in names:
        mine = [c for c in constraints if c.left == name and not isinstance(c.right, str)]
        least, greatest = METRICS[name].bounds if name in METRICS else (0.0, math.inf)
        low = max([least, *(float(c.right) for c in mine if c.operator in (">=", ">", "=="))])
        high = min([greatest, *(float(c.right) for c in mine if c.operator in ("<=", "<", "=="))])
        strict = any(c.operator in ("<", ">") and c.right == low for c in mine)
        if low > high or (low == high and strict):
            asked = " and ".join(each.text for each in mine)
            unit = METRICS[name].unit if name in METRICS else ""
            most = "" if math.isinf(greatest) else f" and at most {greatest:g} {unit}".rstrip()
            there_is = f"{name} is at least {least:g} {unit}".rstrip() + most
            yield f"no candidate can keep {asked}: {there_is}; mend constraints"


def parse_constraint(text: str) -> Constraint:
    """Read one constraint.

    Raises:
        ConstraintError: not of the form `name <= value`, an unknown name, a missing or wrong unit.
    """
    form = _FORM.fullmatch(text)
    if not form:
        raise ConstraintError("not of the form 'name <= value'; the operators are <=, >=, <, >, ==")
    left, operator, right = form.groups()
    known = [*FACTS, *MEASURED]
    if left not in known:
        raise ConstraintError(one_of(left, known))
    if right in FACTS and left in FACTS:
        return Constraint(text=text, left=left, operator=operator, right=right)
    if left in FACTS and not _NUMBER.fullmatch(right):
        raise ConstraintError(f"{one_of(right, FACTS)}; a number is allowed, too")
    limit = amount(left, right)
    if left in MEASURED and operator not in ("<=", ">="):
        raise ConstraintError(f"a measured quantity is bounded with <= or >=, not {operator}")
    return Constraint(text=text, left=left, operator=operator, right=limit)


def amount(name: str, text: str) -> float:
    """A number with its unit, in the unit that values of the quantity `name` are stored in.

    Raises:
        ConstraintError: no number, or a missing or wrong unit.
    """
    number = _NUMBER.fullmatch(text)
    if not number:
        raise ConstraintError(f"{shown(text)} is not a number with its unit")
    value, unit = float(number[1]), number[2]
    units = _units(name)
    if unit in units:
        return value * units[unit]
    wanted = " or ".join(f"{number[1]}{each}" for each in units)
    if name in FACTS:
        millions = f" (or use {name}_m, in millions)" if f"{name}_m" in FACTS else ""
        raise ConstraintError(f"{name} has no unit; write {wanted}{millions}")
    found = f"the unit {unit!r}" if unit else "a bare number"
    raise ConstraintError(f"{found} does not say how much {name} is meant; write {wanted}")


def only_unit(name: str) -> str:
    """The unit of a quantity that knows no other: what a bare number of it can only mean."""
    units = list(_units(name))
    return units[0] if len(units) == 1 else ""


def _units(name: str) -> Mapping[str, float]:
    return METRICS[name].units if name in METRICS else {"": 1.0}
