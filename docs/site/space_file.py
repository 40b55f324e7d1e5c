"""The reference of the space file, from its JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from docs.site.tables import table

Schema = Mapping[str, Any]

_NOT_SHOWN = ("When",)
_BELOW = "#/$defs/"

Titles = Mapping[str, str]
"""Heading of the table of each kind of mapping, by its name in the schema."""

_HEAD = """# Space file

One rule: **a scalar is fixed, a list is a choice, a mapping with `min` and `max` is a range.** The column *may vary*
says which keys take a list, or a list and a range. The long forms `{value: ...}` and `{choices: [...]}` take `when`
beside them, as a range does: `{min: 0.8, max: 0.99, when: {optimizer: sgd}}` is active under these values only. A key
in bold has to be there.

This page is made from the schema that `run-search schema` prints.
"""


def space_file_page(schema: Schema) -> str:
    """The page, in Markdown: the keys of the file, then one table for every kind of mapping in it.

    Args:
        schema: What `spaces.json_schema` gives.
    """
    titles = {name: _title(schema, name) for name in _in_order(schema)}
    parts = [_HEAD, "## The file\n", _table(schema, schema, titles)]
    for name, title in titles.items():
        made = schema["$defs"][name]
        also = _places(schema, name)[1:]
        places = f" The same stands at {', '.join(f'`{place}`' for place in also)}." if also else ""
        parts += [f"## {title}\n", f"{made.get('description', '')}{places}\n", _table(schema, made, titles)]
    return "\n".join(parts)


def _title(schema: Schema, name: str) -> str:
    """`data.source`: where it stands first; `model (mlp)` where several kinds may stand."""
    place, properties = _places(schema, name)[0], schema["$defs"][name]["properties"]
    if place != "model":
        return place.removesuffix("[]")
    return f"{place} ({properties['family'].get('const', 'python')})"


def _anchor(title: str) -> str:
    """The anchor that Python-Markdown gives a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())


def _table(schema: Schema, section: Schema, titles: Titles) -> str:
    required = section.get("required", ())
    rows = []
    for key, value in section["properties"].items():
        name = f"**`{key}`**" if key in required else f"`{key}`"
        default = f"`{_plain(value['default'])}`" if "default" in value else ""
        meaning = value.get("description") or _meaning(schema, value)
        rows.append((name, " or ".join(_takes(value, titles)), _varies(value), default, meaning))
    return table(("key", "takes", "may vary", "default", "meaning"), rows)


def _meaning(schema: Schema, value: Schema) -> str:
    """What is said of the mapping that stands at a key, where nothing is said of the key itself."""
    made = schema["$defs"].get(str(value.get("$ref", "")).removeprefix(_BELOW), {})
    return str(made.get("description", ""))


def _plain(default: Any) -> str:
    if isinstance(default, dict):
        default = {key: value for key, value in default.items() if value is not None}
    return json.dumps(default).replace('"', "")


def _forms(value: Schema) -> list[Schema]:
    return list(value.get("anyOf", [value]))


def _keys(form: Schema) -> set[str]:
    return set(form.get("properties", ()))


def _varies(value: Schema) -> str:
    keys = [_keys(form) for form in _forms(value)]
    ranged = any("min" in found for found in keys)
    chosen = any("choices" in found for found in keys)
    by_layer = any("shared" in found for found in keys)
    words = "list, range" if ranged else "list" if chosen else ""
    return f"{words}; `shared`" if by_layer else words


def _takes(value: Schema, titles: Titles) -> list[str]:
    """What may stand at a key, without the forms that say how it varies."""
    found: list[str] = []
    dimension = bool(_varies(value))
    for form in _forms(value):
        if dimension and form.get("type") in ("array", "object"):
            continue
        words = _words(form, titles)
        if words and words not in found:
            found.append(words)
    return found


def _words(form: Schema, titles: Titles) -> str:
    if "$ref" in form:
        title = titles[form["$ref"].removeprefix(_BELOW)]
        return f"[{title}](#{_anchor(title)})"
    if "enum" in form:
        return ", ".join(f"`{word}`" for word in form["enum"])
    if "const" in form:
        return f"`{form['const']}`"
    if "anyOf" in form:
        # Several kinds of text, as paths with this or that ending, are all called so.
        return " or ".join(dict.fromkeys(filter(None, (_words(inner, titles) for inner in form["anyOf"]))))
    kind = form.get("type")
    if kind == "array":
        return f"list: {_words(form.get('items', {}), titles)}"
    if kind == "object":
        inner = form.get("properties") or {}
        return f"`{{{', '.join(f'{key}: …' for key in inner)}}}`" if inner else "mapping"
    simple = {"string": "text", "boolean": "`true`, `false`", "integer": "whole number", "number": "number"}
    return (simple.get(str(kind), "") + _limits(form)).strip()


def _limits(form: Schema) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {form[key]:,}" for key, word in words.items() if key in form)


def _in_order(schema: Schema) -> list[str]:
    """The definitions as a reader meets them, each before those that stand in it."""
    found: list[str] = []

    def visit(part: Any) -> None:
        names = [name for name in _references(part) if name not in (*found, *_NOT_SHOWN)]
        found.extend(names)
        for name in names:
            visit(schema["$defs"][name])

    for value in schema["properties"].values():
        visit(value)
    return found


def _references(part: Any) -> list[str]:
    if isinstance(part, Mapping):
        if "$ref" in part:
            return [part["$ref"].removeprefix(_BELOW)]
        part = list(part.values())
    return [name for item in part for name in _references(item)] if isinstance(part, list) else []


def _places(schema: Schema, name: str) -> list[str]:
    """Dotted keys at which a definition may stand, `[]` for an item of a list."""
    found = []

    def visit(section: Schema, prefix: str) -> None:
        for key, value in section.get("properties", {}).items():
            for reference in dict.fromkeys(_references(value)):
                place = f"{prefix}{key}{'[]' if value.get('type') == 'array' else ''}"
                if reference == name:
                    found.append(place)
                elif reference not in _NOT_SHOWN:
                    visit(schema["$defs"][reference], f"{place}.")

    visit(schema, "")
    return list(dict.fromkeys(found))
