"""Rules that tie several words together, collected so that a user sees all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archdsl.errors import ArchdslError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Rule:
    """One broken rule: the path of the word to change, and what is wrong."""

    path: Path
    message: str


class InvalidSpecError(ArchdslError):
    """A model whose words are each valid but do not fit together; holds every broken rule."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        lines = [f"{'.'.join(map(str, rule.path))}: {rule.message}" for rule in rules]
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Rules:
    """Collects broken rules; `at` gives a view under a longer path."""

    broken: list[Rule] = field(default_factory=list)
    prefix: Path = ()

    def at(self, *steps: str | int) -> Rules:
        return Rules(self.broken, (*self.prefix, *steps))

    def refuse(self, message: str, *steps: str | int) -> None:
        rule = Rule((*self.prefix, *steps), message)
        if rule not in self.broken:
            self.broken.append(rule)

    def raise_broken(self) -> None:
        """
        Raises:
            InvalidSpecError: at least one rule is broken.
        """
        if self.broken:
            raise InvalidSpecError(self.broken)
