"""Rules that tie several words together, collected so that a user sees all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archdsl.document.tree import KeyPath
from archdsl.errors import ArchdslError


@dataclass(frozen=True)
class Rule:
    """One broken rule: the path of the word to change, and what is wrong.

    Args:
        path: of the word, from the root of the document.
        message: what was found, what is allowed.
        on_key: whether it is about the key itself rather than about its value.
    """

    path: KeyPath
    message: str
    on_key: bool = False


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
    prefix: KeyPath = ()

    def at(self, *steps: str | int) -> Rules:
        return Rules(self.broken, (*self.prefix, *steps))

    def refuse(self, message: str, *steps: str | int, on_key: bool = False) -> None:
        rule = Rule((*self.prefix, *steps), message, on_key)
        if rule not in self.broken:
            self.broken.append(rule)

    def at_path(self, path: KeyPath) -> Rule | None:
        """The first broken rule about the word at `path`."""
        return next((rule for rule in self.broken if rule.path == path), None)

    def raise_broken(self) -> None:
        """
        Raises:
            InvalidSpecError: at least one rule is broken.
        """
        if self.broken:
            raise InvalidSpecError(self.broken)
