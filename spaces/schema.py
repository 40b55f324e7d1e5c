"""The JSON Schema of space files, for editors that complete and check them."""

from __future__ import annotations

from typing import Any

from spaces.kinds import DEFINITION
from spaces.spec import SearchSpec

_WHEN = {
    "type": "object",
    "description": "Hyperparameters and the value, or list of values, under which this one is active.",
    "minProperties": 1,
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "number", "boolean"]},
            {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1},
        ]
    },
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a space file."""
    schema = _finished(SearchSpec.model_json_schema())
    schema["$defs"]["When"] = _WHEN
    # The target of a table may stand beside its path; validation moves it to the section.
    schema["$defs"]["Source"]["properties"]["target"] = {
        "type": "string",
        "description": "Column to predict, of a csv source; default the last one.",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Space file"}


def _finished(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_finished(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if DEFINITION in schema:
        return {"$ref": f"#/$defs/{schema[DEFINITION]}"}
    # A default of null stands for "not given"; null itself is no value there.
    return {key: _finished(item) for key, item in schema.items() if (key, item) != ("default", None)}
