"""The JSON Schema of space files, for editors that complete and check them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Union

from pydantic import TypeAdapter

from spaces.basics.errors import CodeError
from spaces.families import FAMILIES, ModelSection
from spaces.specs.spec import SearchSpec
from spaces.values.kinds import DEFINITION

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
    """JSON Schema (draft 2020-12) of a space file, with the families of installed packages that can be imported."""
    schema = _finished(_with_families(SearchSpec.model_json_schema()))
    schema["$defs"]["When"] = _WHEN
    # The target of a table may stand beside its path; validation moves it to the section.
    schema["$defs"]["Source"]["properties"]["target"] = {
        "type": "string",
        "description": "Column to predict, of a csv source; default the last one.",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Space file"}


def _with_families(schema: dict[str, Any]) -> dict[str, Any]:
    sections: Any = Union[tuple(_sections())]  # noqa: UP007
    families = TypeAdapter(sections).json_schema()
    defs = schema["$defs"] | families.pop("$defs")
    del defs["ModelSection"]
    model = {"title": "Model", "description": schema["properties"]["model"]["description"]} | families
    return {**schema, "$defs": dict(sorted(defs.items())), "properties": {**schema["properties"], "model": model}}


def _sections() -> Iterator[type[ModelSection]]:
    for name in FAMILIES.names():
        try:
            yield FAMILIES[name].section
        except CodeError as error:
            warnings.warn(str(error), stacklevel=2)


def _finished(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_finished(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if DEFINITION in schema:
        return {"$ref": f"#/$defs/{schema[DEFINITION]}"}
    # A default of null stands for "not given"; null itself is no value there.
    return {key: _finished(item) for key, item in schema.items() if (key, item) != ("default", None)}
