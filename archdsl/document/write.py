"""Plain data to YAML text that reads back as the same data."""

from __future__ import annotations

from typing import Any

import yaml

from archdsl.document.scalars import resolve
from archdsl.printable import escaped


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # PyYAML quotes what YAML 1.1 would misread; this reader also takes 1e-4 for a number.
    try:
        plain = isinstance(resolve(value), str)
    except ValueError:
        plain = False
    # What is escaped in the end stands between quotes in which escapes are read.
    style = '"' if escaped(value) != value else None if plain else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(document: Any) -> str:
    """YAML text of plain data: keys in their order, innermost collections on one line."""
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100,
        allow_unicode=True,
    )  # fmt: skip
    return escaped(text)
