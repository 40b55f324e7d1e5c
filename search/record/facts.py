"""The facts that a run records when it begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search.record import environment
from search.record.changes import asked
from search.record.reference import reference
from spaces import Dataset, SearchSpec
from spaces.families import family_of


def facts(
    spec: SearchSpec, data: Dataset, *, space: str, command: Sequence[str], threads: int, started: float
) -> dict[str, Any]:
    """What the store's `meta` holds from the first moment on.

    Args:
        spec: The space file.
        data: The data set.
        space: How the user named the space.
        command: The command line.
        threads: Threads of one operation.
        started: Unix time.
    """
    return {
        "name": spec.name,
        "space": space or spec.name,
        "command": list(command),
        "objective": {"name": spec.objective.name, "direction": spec.objective.direction},
        "algorithm": spec.search.algorithm,
        "seed": spec.search.seed,
        "asked": asked(spec),
        "versions": environment.versions(),
        "hardware": environment.hardware(),
        "threads": threads,
        "git": environment.git(Path(__file__).parents[2]),
        "data": {
            "name": data.name,
            "origin": data.origin,
            "fingerprint": data.fingerprint,
            "rows": data.rows,
            "info": data.info.to_json(),
            "understood": dict(data.understood),
        },
        "reference": reference(spec, data),
        "files": family_of(spec.model).files(spec),
        "sources": family_of(spec.model).sources(spec),
        "started": started,
        "finished": None,
        "phase": "search",
        "exit": None,
        "winner": None,
        "sessions": [],
    }
