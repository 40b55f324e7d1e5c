"""The JSON Schema of space files, for editors that complete and check them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Union

from pydantic import TypeAdapter

from spaces.basics.errors import CodeError
from spaces.basics.registry import Registry
from spaces.families import FAMILIES, ModelSection
from spaces.sections.data_section import has_columns
from spaces.sections.sources import OTHER_SOURCES
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


# The target of a table may stand beside its path; validation moves it to the section.
_TARGET = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 2, "uniqueItems": True}],
    "description": "Column to predict, or several, of a table; default the last one.",
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a space file, with what installed packages add to it and can be imported."""
    schema = _finished(_with_families(SearchSpec.model_json_schema()))
    for name in _left_out(schema):
        schema["$defs"][name]["type"] = ["object", "null"]
    schema["$defs"]["When"] = _WHEN
    schema["$defs"]["Source"]["properties"]["target"] = _TARGET
    schema["$defs"]["DataSection"]["properties"]["source"]["anyOf"] += map(_other_source, _importable(OTHER_SOURCES))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Space file"}


def _left_out(schema: dict[str, Any]) -> Iterator[str]:
    """The kinds of sections that may be left out, as null leaves them out too."""
    for section in (schema, *schema["$defs"].values()):
        for key, value in section.get("properties", {}).items():
            if "$ref" in value and key not in section.get("required", ()):
                yield value["$ref"].rpartition("/")[2]


def _with_families(schema: dict[str, Any]) -> dict[str, Any]:
    sections: Any = Union[tuple(_sections())]  # noqa: UP007
    families = TypeAdapter(sections).json_schema()
    defs = schema["$defs"] | families.pop("$defs")
    del defs["ModelSection"]
    model = {"title": "Model", "description": schema["properties"]["model"]["description"]} | families
    return {**schema, "$defs": dict(sorted(defs.items())), "properties": {**schema["properties"], "model": model}}


def _sections() -> Iterator[type[ModelSection]]:
    return (FAMILIES[name].section for name in _importable(FAMILIES))


def _other_source(name: str) -> dict[str, Any]:
    keys = {name: {"type": "string"}} | ({"target": _TARGET} if has_columns(name) else {})
    return {"type": "object", "properties": keys, "required": [name], "additionalProperties": False}


def _importable(registry: Registry[Any]) -> Iterator[str]:
    """The names of what can be imported; of the others it is said why they are left out."""
    for name in registry.names():
        try:
            _ = registry[name]
        except CodeError as error:
            warnings.warn(str(error), stacklevel=2)
        else:
            yield name


def _finished(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_finished(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if DEFINITION in schema:
        return {"$ref": f"#/$defs/{schema[DEFINITION]}"}
    # A default of null stands for "not given"; null itself is no value there.
    return {key: _finished(item) for key, item in schema.items() if (key, item) != ("default", None)}
