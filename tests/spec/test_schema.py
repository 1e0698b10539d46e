"""The JSON Schemas editors complete and check documents with."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from archdsl.document.shelves import documents, packaged
from archdsl.plan.read import read_model
from archdsl.spec.schema import model_schema

SCHEMA = packaged("specs") / "model.schema.json"
SHELF = documents(packaged("specs"))


@cache
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def document(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((packaged("specs") / "vittm-b-32-16.yaml").read_text())
    return {**found, **changes}


def test_the_file_on_the_shelf_is_the_generated_one() -> None:
    assert json.loads(SCHEMA.read_text()) == model_schema()


@pytest.mark.parametrize("path", SHELF, ids=lambda path: path.stem)
def test_shelf_documents_validate(path: Path) -> None:
    validator().validate(yaml.safe_load(path.read_text()))
    first = path.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=model.schema.json"
    assert read_model(str(path)).spec.name == path.stem


@pytest.mark.parametrize(
    "layers",
    [
        [{"at": [0], "process": {"blocks": 2}}],
        [{"at": {"last": 4}, "exchange": {"write": None}}],
        [{"at": {"every": 3}, "exchange": None}],
        [{"at": [-1], "exchange": {"read": {"latent_ratio": 0.5}}, "memory": {"block": None}}],
    ],
)
def test_exceptions_validate_as_partial_layers(layers: list[Any]) -> None:
    validator().validate(document(layers=layers))


@pytest.mark.parametrize(
    "changes",
    [
        {"archdsl": 2},
        {"depth": "two"},
        {"zzz": 1},
        {"image": {"size": [1, 2, 3]}},
        {"process": {"dim": 768}},
        {"layers": [{"process": {"blocks": 2}}]},
        {"layers": [{"at": [0], "process": {"blcks": 2}}]},
        {"layers": [{"at": [0], "exchange": {"read": {"latent_rato": 1}}}]},
        {"layers": [{"at": [0], "exchange": {"read": {"latent_ratio": "big"}}}]},
    ],
)
def test_mistakes_do_not_validate(changes: dict[str, Any]) -> None:
    assert not validator().is_valid(document(**changes))


def described(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """Names of properties an editor has nothing to say about."""
    return [
        name
        for name, each in schema.get("properties", {}).items()
        if name not in ("type", "archdsl", "kind")
        and not ("description" in each or describes(each, definitions))
    ]


def describes(schema: Any, definitions: dict[str, Any]) -> bool:
    if isinstance(schema, list):
        return any(describes(each, definitions) for each in schema)
    if not isinstance(schema, dict):
        return False
    if "$ref" in schema:
        return "description" in definitions[schema["$ref"].rpartition("/")[2]]
    return "description" in schema or describes(list(schema.values()), definitions)


def test_every_word_is_described_inside_exceptions_too() -> None:
    schema = model_schema()
    definitions = schema["$defs"]
    silent = {
        name: words
        for name, each in {"document": schema, **definitions}.items()
        if (words := described(each, definitions))
    }
    assert silent == {}
    inside = {name.removeprefix("Partial") for name in definitions if name.startswith("Partial")}
    assert {"Exchange", "ExchangeNorm", "TransformerBlock", "LinearAttention"} <= inside
