"""Turns what pydantic reports into sentences that name the key, what was found and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from spaces.basics.errors import Problem, problem
from spaces.basics.section import KeyPath, Section, shown, suggestion, unknown

_ALLOWED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a word or text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_too_short": "a text that is not empty",
    "finite_number": "a finite number",
}
_LIMITS: dict[str, tuple[str, str]] = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}


def problems_of(error: ValidationError, prefix: KeyPath, section: type[BaseModel] | None) -> list[Problem]:
    """The problems in a pydantic error.

    Args:
        error: what the validation of one section raised.
        prefix: where that section stands in the file.
        section: its model, for the keys that are known there; None for a plain field.
    """
    return [made for details in error.errors(include_url=False) for made in _problems(details, prefix, section)]


def _problems(details: ErrorDetails, prefix: KeyPath, section: type[BaseModel] | None) -> list[Problem]:
    path: KeyPath = (*prefix, *details["loc"])
    context, kind, found = details.get("ctx", {}), details["type"], details["input"]
    if kind == "refused":
        return [problem((*path, *below), message) for below, message in context["found"]]
    if kind == "extra_forbidden":
        known = _keys_at(section, details["loc"][:-1])
        return [problem(path, unknown("key", details["loc"][-1], known))]
    if kind == "missing":
        return [problem(path, "is missing")]
    return [problem(path, f"found {shown(found)}; allowed: {_allowed(kind, context, found, details['msg'])}")]


def _allowed(kind: str, context: dict[str, Any], found: Any, message: str) -> str:
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        return ", ".join(known) + (suggestion(found, known) if isinstance(found, str) else "")
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        return f"{words} {shown(context[key])}"
    return _ALLOWED.get(kind, message)


def _keys_at(section: type[BaseModel] | None, path: tuple[int | str, ...]) -> tuple[str, ...]:
    for part in path:
        if section is not None and isinstance(part, str) and part in section.model_fields:
            section = _model_in(section.model_fields[part].annotation)
    if section is None:
        return ()
    return section.known_keys() if issubclass(section, Section) else tuple(section.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found: Callable[[Any], type[BaseModel] | None] = _model_in
    return next((model for model in map(found, get_args(annotation)) if model is not None), None)
