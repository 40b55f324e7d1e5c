"""What a search says about its space: where to look further, and what not to search again.

Silent where there is too little to go by. It hints at where to look; nothing of it is proof.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from results.ranked.ranking import Source
from results.ranked.sample import sampled
from results.verdicts.changes import ordered, widened
from results.verdicts.evidence import Evidence, collect
from results.verdicts.rules import Searched, at_edge, never_won, with_ties
from search.files.rundir import open_run
from search.record.configuration import Configuration, configurations, ranked
from spaces import SearchSpec
from spaces.values.dimensions import Choice, Dimension, Range, plain

_MIN_CONFIGURATIONS = 10


class Rule(StrEnum):
    """Why something is advised."""

    EDGE = "edge"
    """The best configurations pile up at an end of a range, and values beyond are allowed."""
    NEVER_WON = "never won"
    """A choice, or the third of a range, that was tried often and is never among the best quarter."""


@dataclass(frozen=True)
class Advice:
    """One piece of advice.

    Attributes:
        rule: Why.
        setting: Dotted key in the space file, for example `training.learning_rate`.
        message: The observation and what to do, in one sentence.
        change: What the space file would say there, plain data. Later advice on the same setting includes
            earlier.
    """

    rule: Rule
    setting: str
    message: str
    change: Any


def advise(run: Source) -> list[Advice]:
    """What a search says about its space, in the order of the space file; empty below 10 configurations with a score.

    Where the best pile up at an end of a range, it is to be widened; a choice, or the third of a range, that was tried
    often and is never among the best, is to be left out. It hints at where to look, and is no proof.

    Args:
        run: A run or its directory.

    Raises:
        RunError: There is no run, or it is damaged.
        SpaceError: Its space file is damaged.
    """
    opened = open_run(run)
    with opened.read() as reader:
        objective = reader.meta("objective")
        found = configurations(sampled(reader, objective["direction"]))
    return advise_on(opened.spec, found, objective["name"], objective["direction"])


def advise_on(spec: SearchSpec, found: Iterable[Configuration], objective: str, direction: str) -> list[Advice]:
    """Advice from configurations, in the order of the space file; empty below 10 scored ones.

    The rules are those of `results.verdicts.rules`. The edge rule looks at the best tenth (3 to 10 configurations, and
    those that score as the last of them does); the other one at all configurations, at least 20. Where no difference is
    seen nothing is advised.

    Args:
        spec: The space that was searched.
        found: What was tried; baselines and failures are passed over.
        objective: The objective's name.
        direction: `min` or `max`.
    """
    order = ranked(found, direction)
    scored = [c for c in order if not c.baseline and c.failure is None and c.score is not None]
    if len(scored) < _MIN_CONFIGURATIONS:
        return []
    best = scored[: with_ties([c.score for c in scored], min(10, max(3, math.ceil(len(scored) / 10))))]
    evidence = collect(scored, objective, direction)
    return [advice for searched in _searched(spec) for advice in _about(searched, best, scored, evidence)]


def _searched(spec: SearchSpec) -> list[Searched]:
    found: dict[str, Searched] = {}
    parents = {condition.name for one in spec.space.hyperparameters for condition in one.conditions}
    dimensions = [setting.dimension for setting in spec.space.settings if setting.dimension]
    written = {parent for dimension in dimensions for parent, _ in dimension.when}
    words = {setting.name for setting in spec.space.settings if _is_unordered(setting.dimension)}
    for setting in spec.space.settings:
        if isinstance(setting.dimension, Choice | Range):
            key = ".".join(setting.path)
            names = (*(found[key].names if key in found else ()), setting.name)
            # Where a number is best may be another place for every optimizer, activation or kind of block.
            apart = written if setting.name in words else written | words
            branching = tuple(sorted(apart - {setting.name}))
            found[key] = Searched(key, names, setting.kind, setting.dimension, branching, setting.name in parents)
    return list(found.values())


def _is_unordered(dimension: Dimension | None) -> bool:
    return isinstance(dimension, Choice) and ordered(dimension) is None


def _about(
    searched: Searched, best: Sequence[Configuration], tried: Sequence[Configuration], evidence: Evidence | None
) -> list[Advice]:
    advice: list[Advice] = []
    now: Dimension = searched.dimension
    for message, piece in never_won(searched, evidence) if evidence else ():
        left = piece.cut_from(now)
        if left is not None:
            now = left
            advice.append(Advice(Rule.NEVER_WON, searched.key, message, plain(now)))
    ends: tuple[Literal["low"], Literal["high"]] = ("low", "high")
    for end in ends:
        seen = at_edge(searched, best, tried, end)
        wider = None if seen is None else widened(now, searched.kind, end)
        if seen is not None and wider is not None:
            now = wider
            advice.append(Advice(Rule.EDGE, searched.key, seen, plain(now)))
    return advice
