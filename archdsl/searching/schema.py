"""JSON Schema of study documents: in `space`, every value of a model may be a hole."""

from __future__ import annotations

from typing import Any

from archdsl.searching.study import Study
from archdsl.spec.model import ModelSpec
from archdsl.spec.schema import DIALECT, partial

_NAME = {"type": "string", "description": "Names the hole for {same: NAME}."}


def _hole(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    """An object that has the first of its properties always."""
    return {
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties)[:1],
        "additionalProperties": False,
    }


_OPTIONS = {"anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "minProperties": 1}]}
_ENDS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_STEP = {"type": "number", "exclusiveMinimum": 0}
_HOLES = {
    "Choose": _hole(
        "One of several values, or of several labelled partial documents.",
        {"choose": _OPTIONS, "as": _NAME},
    ),
    "Range": _hole(
        "Numbers from low to high, both included.", {"range": _ENDS, "step": _STEP, "as": _NAME}
    ),
    "Same": _hole("The value of a named hole again.", {"same": {"type": "string"}}),
}
_HOLE = [{"$ref": f"#/$defs/{name}"} for name in _HOLES]


def study_schema() -> dict[str, Any]:
    """The JSON Schema of a study document."""
    schema = Study.model_json_schema()
    model = partial(ModelSpec.model_json_schema())
    definitions = {f"Partial{name}": _open(each) for name, each in model.pop("$defs").items()}
    definitions["PartialModel"] = _open(model)
    schema["$defs"] = {**schema.get("$defs", {}), **definitions, **_HOLES}
    space = schema["properties"]["space"]
    schema["properties"]["space"] = {
        "description": space["description"],
        "anyOf": [{"$ref": "#/$defs/PartialModel"}, *_HOLE],
    }
    return {"$schema": DIALECT, **schema}


def _open(schema: Any) -> Any:
    """Each property of a partial schema may be a hole as well."""
    if isinstance(schema, list):
        return [_open(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _open(value) for key, value in schema.items() if key != "properties"}
    if "properties" in schema:
        changed["properties"] = {
            name: {"anyOf": [*_HOLE, _open(value)]} for name, value in schema["properties"].items()
        }
    return changed
