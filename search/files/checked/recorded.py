"""What the facts of a run look like: the checks of the store's table `meta`, by key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from search.files.checked.door import Damaged, instant, mapping, name, number, text, whole

Check = Callable[[str, Any], Any]

_MOST_AXES = 4
_MOST_UNITS = 10**7
# No machine has more cores: so many as a stranger's store may say would end the process that goes on with its run.
MOST_THREADS = 4096
"""Threads of one operation that a run may begin with."""


def fact(key: str, value: Any) -> Any:
    """The value of a fact, checked; facts that nothing here knows pass as they are.

    Raises:
        Damaged: It is not what a run records under this key.
    """
    check = _FACTS.get(key)
    return value if check is None else check(key, value)


def _optional(check: Check) -> Check:
    return lambda key, value: None if value is None else check(key, value)


def _list(of: Check) -> Check:
    def check(key: str, value: Any) -> Any:
        if not isinstance(value, list):
            raise Damaged(f"{key} is not a list")
        return [of(f"{key}[{i}]", item) for i, item in enumerate(value)]

    return check


def _fields(needed: dict[str, Check], known: dict[str, Check] | None = None) -> Check:
    """A mapping that has the needed keys; the known ones may be there, and any other."""

    def check(key: str, value: Any) -> Any:
        found = mapping(key, value)
        missing = [field for field in needed if field not in found]
        if missing:
            raise Damaged(f"{key} has no {missing[0]}")
        checks = {**needed, **(known or {})}
        return {
            field: checks[field](f"{key}.{field}", item) if field in checks else item for field, item in found.items()
        }

    return check


def _by_name(of: Check) -> Check:
    return lambda key, value: {k: of(f"{key}.{k}", v) for k, v in mapping(key, value).items()}


def _one_of(*allowed: str) -> Check:
    def check(key: str, value: Any) -> Any:
        if value not in allowed:
            raise Damaged(f"{key} is {ascii(value)[:60]}, none of {', '.join(allowed)}")
        return value

    return check


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Damaged(f"{key} is {ascii(value)[:60]}, neither true nor false")
    return value


def _count(key: str, value: Any) -> int:
    return whole(key, value, 1, _MOST_UNITS)


def _threads(key: str, value: Any) -> int:
    return whole(key, value, 1, MOST_THREADS)


def _real(key: str, value: Any) -> float:
    return number(key, value, -1e300, 1e300)


def _label(key: str, value: Any) -> int:
    return whole(key, value, -(2**53), 2**53)


def _shape(key: str, value: Any) -> Any:
    found = _list(_count)(key, value)
    if not 1 <= len(found) <= _MOST_AXES:
        raise Damaged(f"{key} has {len(found)} axes")
    return found


_ENCODING = _fields(
    {"name": text, "kind": _one_of("number", "boolean", "category", "text", "date")},
    {
        "form": text,
        "values": _list(text),
        "fill": _real,
        "other": _flag,
        "missing": _flag,
        "times": _flag,
        "lenient": _flag,
        "sign": text,
        "guessed": _flag,
    },
)
_STRUCTURE = _fields({"pieces": _list(_fields({"name": text, "shape": _list(_count), "dtype": text})), "named": _flag})
_WRITTEN = _fields({"separator": text, "encoding": text})
_TARGET = _fields({"scale": _one_of("standard", "log"), "mean": _list(_real), "std": _list(_real)})


def _info(key: str, value: Any) -> Any:
    found = _fields(
        {
            "kind": _one_of("image", "series", "tabular"),
            "input_shape": _shape,
            "dtype": text,
            "task": _one_of("classification", "regression"),
            "labels": text,
            "outputs": _count,
        },
        {
            "class_names": _list(text),
            "scale": _optional(_real),
            "mean": _optional(_list(_real)),
            "std": _optional(_list(_real)),
            "image_size": _optional(_shape),
            "resized": _flag,
            "antialias": _flag,
            "white": _optional(_real),
            "columns": _list(text),
            "categories": _by_name(_list(text)),
            "table": _list(_ENCODING),
            "target": _optional(_TARGET),
            "inputs": _optional(_STRUCTURE),
            "targets": _optional(_STRUCTURE),
            "weighted": _flag,
            "written": _optional(_WRITTEN),
            "label_values": _list(_label),
            "frame_columns": _list(text),
        },
    )(key, value)
    names = len(found.get("class_names") or ())
    if len(found.get("label_values") or ()) not in (0, found["outputs"]):
        raise Damaged(f"{key} has {len(found['label_values'])} labels for {found['outputs']} outputs")
    if names not in (0, found["outputs"]):
        raise Damaged(f"{key} has {names} class names for {found['outputs']} outputs")
    return found


_COLUMN: dict[str, Check] = {
    "name": text,
    "role": text,
    "kind": text,
    "missing": whole,
    "how": text,
    "notes": _list(text),
}
_GUESS = _fields({"what": text, "scores": _by_name(_by_name(_real))}, {"values": _list(_real)})
_UNDERSTOOD = _fields(
    {},
    {
        "columns": _list(_fields(_COLUMN)), "notes": _list(text), "guess": _GUESS, "folds": text,
        "targets": _list(text), "parts": _by_name(text), "prepared": _list(text),
    },
)  # fmt: skip

_THRESHOLD = _fields(
    {"value": _real}, {"score": _real, "plain": _real, "class": text, "measure": text, "rows": whole, "models": whole}
)
_NODE = _fields({"name": text, "room": whole, "refused": _optional(text)}, {"cpus": _real, "gpus": _real})
_CLUSTER = _fields({"workers": whole, "room": whole, "needs": text, "nodes": _list(_NODE)})
_SITTING = _fields({"started": instant, "ended": _optional(instant)}, {"command": _list(text), "reason": text})


def _cluster(key: str, value: Any) -> Any:
    """Where trials are trained; nothing, or an empty mapping, of a run that trains here."""
    return value if value is None or value == {} else _CLUSTER(key, value)


_FACTS: dict[str, Check] = {
    "name": text,
    "space": text,
    "command": _list(text),
    "fork_of": text,
    "objective": _fields({"name": text, "direction": _one_of("min", "max")}),
    "algorithm": text,
    "seed": _optional(whole),
    "asked": _by_name(_one_of("auto")),
    "versions": _by_name(text),
    "sources": _by_name(text),
    "hardware": _fields({}, {"cpu": text, "cores": whole, "memory_bytes": whole, "gpus": _list(text), "host": text}),
    "threads": _optional(_threads),
    "workers": _optional(_count),
    "alone": _optional(_fields({"threads": _threads, "factor": _real})),
    "trained_alone": _list(name),
    "git": _optional(_fields({}, {"commit": text, "dirty": _flag})),
    "data": _fields(
        {"name": text, "origin": text, "fingerprint": text, "rows": _by_name(whole), "info": _info},
        {"understood": _UNDERSTOOD},
    ),
    "threshold": _optional(_THRESHOLD),
    "reference": _optional(_fields({"name": text, "scores": _by_name(_by_name(_real))}, {"failed": text})),
    "started": instant,
    "finished": _optional(instant),
    "phase": _one_of("search", "final", "done"),
    "step": _optional(text),
    "morning": _optional(_one_of("export", "report")),
    "exit": _optional(text),
    "winner": _optional(name),
    "ensemble": _optional(
        _fields(
            {"trials": _list(name), "measure": text, "together": _real, "alone": _real, "rows": whole},
            {"certainty": _real, "times": _real, "rival": name},
        )
    ),
    "sessions": _list(_SITTING),
    "sitting": _optional(instant),
    "planned": _fields({}, {"trials": _optional(whole)}),
    "until": _optional(instant),
    "budget": _optional(_real),
    "told": whole,
    "idle_seconds": _real,
    "fixed_workers": _optional(whole),
    "at_once": whole,
    "reached": _by_name(whole),
    "work": _list(_fields({"what": _one_of("data", "export", "report"), "started": instant, "ended": instant})),
    "search_ended": text,
    "hourly_gain": _optional(_real),
    "files": _by_name(text),
    "feature_bytes": whole,
    "cluster": _cluster,
}

ESSENTIAL = frozenset({"objective", "data", "started", "phase"})
"""Facts without which nothing can be said about a run."""
