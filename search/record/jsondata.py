"""Records to JSON text and back.

JSON knows no NaN or infinity; Python's `json` writes them as bare words that other readers refuse. Here they
become the strings of `_SPECIAL`, inside a one-key mapping that no record uses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from search.record.trial import Outcome

_SPECIAL = "$float"


def dumps(data: Any) -> str:
    """Compact JSON text of plain data (mappings, sequences, scalars, numpy scalars), keys in their order."""
    return json.dumps(_plain(data), separators=(",", ":"), allow_nan=False)


def loads(text: str) -> Any:
    """The inverse of `dumps`; tuples come back as lists.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deeply.
    """
    return (_REVIVING if _SPECIAL in text else _PLAIN).decode(text)


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """Plain data of an outcome without its epochs, which the store keeps in a table of their own."""
    plain = {name: vars(value) if is_dataclass(value) else value for name, value in vars(outcome).items()}
    del plain["epochs"]
    return plain


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple, set, frozenset)):
        return [_plain(value) for value in data]
    if hasattr(data, "item") and getattr(data, "shape", None) == ():
        data = data.item()
    if isinstance(data, float) and not math.isfinite(data):
        return {_SPECIAL: repr(data)}
    return data


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _revive(data: dict[str, Any]) -> Any:
    if len(data) == 1 and isinstance(data.get(_SPECIAL), str):
        return float(data[_SPECIAL])
    return data


_PLAIN = json.JSONDecoder(parse_constant=_refuse)
_REVIVING = json.JSONDecoder(object_hook=_revive, parse_constant=_refuse)
