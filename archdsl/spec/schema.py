"""JSON Schema of model documents, and of partial ones."""

from __future__ import annotations

from typing import Any

from archdsl.spec.layers import LayerSpec
from archdsl.spec.model import ModelSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def model_schema() -> dict[str, Any]:
    """The JSON Schema of a model document; exceptions by layer complete like whole layers do."""
    schema = ModelSpec.model_json_schema()
    layer = LayerSpec.model_json_schema()
    definitions = schema["$defs"]
    for name, definition in {**layer.pop("$defs"), "LayerSpec": layer}.items():
        definitions[f"Partial{name}"] = partial(definition)
    words = definitions["LayerException"]["properties"]
    for word in ("process", "memory", "exchange"):
        inner = definitions["PartialLayerSpec"]["properties"][word]
        words[word] = {**inner, "description": words[word].get("description", "")}
    return {"$schema": DIALECT, **schema}


def partial(schema: Any) -> Any:
    """The schema of a patch: nothing is required, and `null` deletes any word."""
    if isinstance(schema, list):
        return [partial(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {}
    for key, value in schema.items():
        if key in ("required", "default", "discriminator"):
            continue
        if key == "$ref":
            changed[key] = value.replace("#/$defs/", "#/$defs/Partial")
        elif key == "properties":
            changed[key] = {name: _or_null(partial(each)) for name, each in value.items()}
        elif key == "oneOf":
            # Without its type a patch may fit several members of a union.
            changed["anyOf"] = partial(value)
        else:
            changed[key] = partial(value)
    return changed


def _or_null(schema: Any) -> Any:
    return {"anyOf": [schema, {"type": "null"}]}
