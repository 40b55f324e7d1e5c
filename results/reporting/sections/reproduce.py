"""What is needed to do it again: command, seeds, versions, hardware, data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from results.reporting.document import Code, Item, Pairs, Section, Text
from results.reporting.facts import Facts
from results.reporting.words import DASH, count, listed, moment, size
from results.text import plural
from spaces.basics.figures import duration

_FROM_PYTHON = (
    "It was begun from Python: the same call, given another run_dir, or where it forks another fork, runs the same "
    "search again"
)


def reproduce(facts: Facts) -> Section:
    """The section."""
    meta = facts.meta
    command = [str(word) for word in meta["command"] or []]
    named = {word.partition("=")[0] for word in command}
    # Of a fork --run-dir is the run that it began with.
    place = next((option for option in ("--fork", "--run-dir") if option in named), None)
    elsewhere = "" if place is None else f", given another {place}"
    what = f"This command runs the same search again{elsewhere}" if command else _FROM_PYTHON
    items: list[Item] = [
        Text(
            f"{what}; with the same versions, the same number of threads, one worker and no deadline it gives the same "
            "table."
        ),
        *([Code(shlex.join(command))] if command else []),
    ]
    later = [s for s in meta["sessions"] or [] if s.get("command") and s["command"] != meta["command"]]
    if later:
        items.append(
            Text(
                f"The run went on after an interruption, {len(later)} times:"
                if len(later) > 1
                else "The run went on once after an interruption:"
            )
        )
        items.append(Code("\n".join(shlex.join(str(word) for word in s["command"]) for s in later)))
    items.append(Pairs([(name, value) for name, value in _pairs(facts) if value]))
    return Section("reproduce", "How to reproduce it", items, "Reproduce")


def _pairs(facts: Facts) -> list[tuple[str, str]]:
    meta = facts.meta
    data: dict[str, Any] = meta["data"] or {}
    rows = data.get("rows") or {}
    hardware = meta["hardware"] or {}
    git = meta["git"] or {}
    end = meta["finished"]
    return [
        ("space", str(meta["space"] or "")),
        ("algorithm", str(meta["algorithm"] or "")),
        ("objective", f"{facts.objective}, {'higher' if facts.maximize else 'lower'} is better"),
        ("seed of the search", str(meta["seed"])),
        ("seed of the winner", str(facts.winner.seed) if facts.winner else ""),
        (
            "data",
            f"{data.get('name', '')}, from {data['origin']}" if data.get("origin") else str(data.get("name", "")),
        ),
        ("rows", ", ".join(f"{count(n)} {part}" for part, n in rows.items() if n)),
        ("data fingerprint", str(data.get("fingerprint", ""))),
        (
            "versions",
            ", ".join(f"{name.replace('_', '-')} {v}" for name, v in (meta["versions"] or {}).items()),
        ),
        ("hardware", _hardware(hardware)),
        ("training", _training(meta)),
        (
            "Nightshift's commit",
            f"{git['commit']}{' with changes' if git.get('dirty') else ''}" if git.get("commit") else "",
        ),
        ("started", moment(meta["started"])),
        ("finished", moment(end) if end else "not yet"),
        ("running time", duration(facts.clock.total) if meta["started"] else DASH),
        ("sessions", str(len(meta["sessions"] or [])) if len(meta["sessions"] or []) > 1 else ""),
    ]


def _training(meta: Mapping[str, Any]) -> str:
    workers, threads = meta["workers"], meta["threads"]
    parts = [
        f"{plural(workers, 'worker process', 'worker processes')}, found to be fastest" if workers else "",
        f"{plural(threads, 'thread')} for one operation" if threads else "",
    ]
    return ", ".join(part for part in parts if part)


def _hardware(hardware: dict[str, Any]) -> str:
    gpus = [str(gpu) for gpu in hardware.get("gpus") or []]
    memory = hardware.get("memory_bytes")
    parts = [
        str(hardware.get("cpu") or ""),
        f"{hardware['cores']} cores" if hardware.get("cores") else "",
        f"{size(memory)} memory" if memory else "",
        listed(gpus) if gpus else "no GPU",
        f"on {hardware['host']}" if hardware.get("host") else "",
    ]
    return ", ".join(part for part in parts if part)
