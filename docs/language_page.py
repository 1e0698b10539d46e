"""The page of the language: every word of every document, made of the JSON schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from archdsl.cli.schema import Kind, schema
from archdsl.document.shelves import names
from archdsl.training.read import read_recipe
from archdsl.training.recipe import Recipe

Json = Mapping[str, Any]

KINDS = {
    Kind.MODEL: ("Model documents", "One vision architecture."),
    Kind.STUDY: ("Studies", "One search: what is tried, how it is judged, when it ends."),
    Kind.RECIPE: ("Recipes", "How a network is trained."),
    Kind.RUNNER: ("Run profiles", "Where candidates run, and for how long."),
}
INTRODUCTION = """\
# The language

Written by `python docs/generate.py` from the schemas that documents are checked against
(`archdsl schema model`, `study`, `recipe`, `runner`): change the words there, not here. Words
under a `type` belong to that type alone; a word that has no effect is an error.
"""
# What the schemas derive from other definitions: partial documents, all words of them optional.
_DERIVED = "Partial"


def language_page() -> str:
    """Markdown: for each kind of document its words, then those of each node."""
    parts = [INTRODUCTION]
    for kind, (title, meaning) in KINDS.items():
        parts.append(f"## {title}\n\n{meaning}\n")
        parts += _Kind(kind.value, schema(kind)).sections()
        if kind is Kind.RECIPE:
            parts.append(_named_recipes())
    return "\n".join(parts)


class _Kind:
    """The sections of one kind of document.

    Args:
        name: of the kind; stands in its headings, so that no two are equal.
        whole: its JSON schema.
    """

    def __init__(self, name: str, whole: Json) -> None:
        self._name = name
        self._whole = whole
        self._nodes: dict[str, Json] = {
            key: node
            for key, node in whole.get("$defs", {}).items()
            if not key.startswith(_DERIVED)
        }

    def sections(self) -> Iterator[str]:
        if "properties" in self._whole:
            yield self._table(self._whole)
        else:
            yield self._choice(self._whole)
        shown: set[str] = set()
        # Nodes that are written in place show up while tables are made.
        while waiting := [key for key in self._nodes if key not in shown]:
            for key in waiting:
                shown.add(key)
                yield self._section(key, self._nodes[key])

    def _section(self, key: str, node: Json) -> str:
        parts = [f"### {self._heading(key)}", _name(key, node), _text(node), self._table(node)]
        if parts[1] == _plain(key):
            del parts[1]
        return "\n\n".join(part.strip() for part in parts if part) + "\n"

    def _table(self, node: Json) -> str:
        words = node.get("properties", {})
        if not words:
            return ""
        rows = ["| word | values | default | meaning |", "|---|---|---|---|"]
        for word, value in words.items():
            needed = word in node.get("required", [])
            default = "required" if needed else _default(value)
            meaning = _text(value) or self._borrowed(value)
            rows.append(f"| `{word}` | {self._values(value)} | {default} | {meaning} |")
        return "\n".join(rows) + "\n"

    def _borrowed(self, value: Json) -> str:
        """What the one node that may stand there says of itself."""
        inside = [each["$ref"] for each in [value, *value.get("anyOf", [])] if "$ref" in each]
        return _text(self._nodes.get(inside[0].rpartition("/")[2], {})) if len(inside) == 1 else ""

    def _choice(self, node: Json) -> str:
        return f"One of: {self._values(node)}.\n"

    def _values(self, value: Json) -> str:
        """What may stand there, in words and links."""
        if "$ref" in value:
            return self._link(value["$ref"].rpartition("/")[2])
        for union in ("anyOf", "oneOf", "allOf"):
            if union in value:
                said = ", ".join(filter(None, map(self._values, value[union])))
                return ", ".join(dict.fromkeys(re.split(r", (?![^{]*})", said)))
        if "const" in value:
            return _code(value["const"])
        if "enum" in value:
            return ", ".join(map(_code, value["enum"]))
        return self._typed(value)

    def _typed(self, value: Json) -> str:
        kind = value.get("type")
        if kind == "array":
            inner = value.get("prefixItems") or [value.get("items", {})]
            said = " or ".join(dict.fromkeys(filter(None, map(self._values, inner))))
            return f"list{_sizes(value)} of: {said or 'any value'}"
        if kind == "object":
            return self._mapping(value)
        if kind == "string" and "pattern" in value:
            return f"text like {_code(value['pattern'])}"
        names = {"integer": "whole number", "number": "number", "string": "text",
                 "boolean": "`true` or `false`", "null": "`null`"}  # fmt: skip
        return f"{names.get(str(kind), 'any value')}{_bounds(value)}"

    def _mapping(self, value: Json) -> str:
        if "title" in value and "properties" in value:
            self._nodes.setdefault(value["title"], value)
            return self._link(value["title"])
        inner = value.get("additionalProperties")
        return f"mapping to {self._values(inner)}" if isinstance(inner, dict) else "mapping"

    def _link(self, key: str) -> str:
        if key == f"{_DERIVED}Model":
            return "[a partial model](#model-documents) with holes"
        whole = key.removeprefix(_DERIVED)
        node = self._nodes.get(whole) or self._whole["$defs"][key]
        if whole not in self._nodes:
            self._nodes[whole] = node
        partly = "parts of " if key != whole else ""
        return f"{partly}[{_name(whole, node)}](#{self._anchor(whole)})"

    def _heading(self, key: str) -> str:
        return f"{_plain(key)} ({self._name})"

    def _anchor(self, key: str) -> str:
        """The slug of the heading, as GitHub and MyST make it."""
        return re.sub(r"[^\w\- ]", "", self._heading(key).lower()).replace(" ", "-")


def _named_recipes() -> str:
    """Every word of each recipe on the shelf."""
    named = {name: read_recipe(name) for name in names("recipes")}
    rows = [f"| word | {' | '.join(map(_code, named))} |", "|---" * (len(named) + 1) + "|"]
    for word in Recipe.model_fields:
        told = [
            _code(recipe.model_dump(mode="json").get(word, getattr(recipe, word)))
            for recipe in named.values()
        ]
        rows.append(f"| `{word}` | {' | '.join(told)} |")
    return "What the recipes on the shelf hold:\n\n" + "\n".join(rows) + "\n"


def _plain(key: str) -> str:
    """`LinearAttention` as `Linear attention`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).capitalize()


def _name(key: str, node: Json) -> str:
    """What a document would say: `{type: linear_attention, …}`."""
    properties = node.get("properties", {})
    for word in ("type", "executor"):
        if "const" in properties.get(word, {}):
            return (
                f"`{{{word}: {properties[word]['const']}{', …' if len(properties) > 1 else ''}}}`"
            )
    return _plain(key)


def _text(node: Json) -> str:
    text = " ".join(str(node.get("description", "")).split())
    return re.sub(r"([|<>{}*_\[\]](?![^`]*`(?:[^`]*`[^`]*`)*[^`]*$))", r"\\\1", text)


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`".replace("|", "\\|")


def _default(value: Json) -> str:
    if "default" not in value:
        return ""
    default = value["default"]
    if isinstance(default, dict) and default and "type" not in default:
        return "its own"
    return "none" if default is None else _code(default)


def _bounds(value: Json) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    above, below = value.get("exclusiveMinimum"), value.get("exclusiveMaximum")
    parts = [f"from {low:,}"] if low is not None else []
    parts += [f"above {above:,}"] if above is not None else []
    parts += [f"to {high:,}"] if high is not None else []
    parts += [f"below {below:,}"] if below is not None else []
    return f" {' '.join(parts)}" if parts else ""


def _sizes(value: Json) -> str:
    low, high = value.get("minItems"), value.get("maxItems")
    if low is None and high is None:
        return ""
    if high is None:
        return f" (at least {low})"
    return f" ({low})" if low == high else f" ({low or 0} to {high})"
