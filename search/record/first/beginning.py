"""The facts that a run records when it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from search.record import environment
from search.record.difference import asked
from search.record.first.reference import reference
from spaces import DataError, Dataset, SearchSpec
from spaces.families import family_of


def first_facts(
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
        "git": environment.git(Path(__file__).parents[3]),
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


def require_files(spec: SearchSpec, recorded: Mapping[str, str]) -> None:
    """Refuses files under the names of those that a run's models are made of.

    Args:
        spec: The space file.
        recorded: The run's fact `files`.

    Raises:
        DataError: One has other contents.
    """
    if changed := changed_files(recorded, family_of(spec.model).files(spec)):
        raise DataError(f"{changed[0]}: is not the file that this run began with; its models are made of that")


def changed_sources(spec: SearchSpec, recorded: Mapping[str, str]) -> tuple[str, ...]:
    """The files of the user's code that build other models than before, as far as their text tells.

    Args:
        spec: The space file.
        recorded: The run's fact `sources`.
    """
    return changed_files(recorded, family_of(spec.model).sources(spec))


def doubt(source: str) -> str:
    """What somebody should know of one that has changed."""
    return f"{source} has changed since the run began: its models may not be those that are ranked here"


def changed_files(recorded: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """Files with other digests; runs of earlier versions have not recorded all of them.

    Args:
        recorded: Digests by file, as a run has recorded them.
        found: As they are now.
    """
    return tuple(file for file, digest in found.items() if recorded.get(file, digest) != digest)
