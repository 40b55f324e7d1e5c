"""The two observations behind the advice, each a significance test on one dimension of the space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from results.ranked.statistics import chance_of_as_many, chance_of_hits, chance_of_none
from results.verdicts.changes import End, Piece, ordered, position
from results.verdicts.evidence import Evidence
from search.record.configuration import Configuration
from spaces.values.dimensions import Choice, Range, Value, number_of
from spaces.values.kinds import Kind

_LEVEL = 0.05
_FEW_VALUES = 10
_OUTERMOST = 0.1
# Of more values the outermost tenth is a tenth, near enough.
_COUNTED = 1000
_MIN_GROUP = 3


@dataclass(frozen=True)
class Searched:
    """A dimension of the space.

    Attributes:
        key: Dotted key in the space file.
        names: The flat names of its hyperparameters, one for each layer where layers have values of their own.
        kind: The values that the setting takes.
        dimension: What the space file says.
        branching: Flat names of the hyperparameters for each of whose values another part of it may be the best.
        parent: Whether others depend on it.
    """

    key: str
    names: tuple[str, ...]
    kind: Kind
    dimension: Choice | Range
    branching: tuple[str, ...] = ()
    parent: bool = False


def with_ties(scores: Sequence[float | None], count: int) -> int:
    """How many are the best `count`: what scores as the last of them does is as good, whatever else put it behind.

    Args:
        scores: In order, the best first.
        count: At least 1.
    """
    while count < len(scores) and scores[count] == scores[count - 1]:
        count += 1
    return count


def at_edge(searched: Searched, best: Sequence[Configuration], tried: Sequence[Configuration], end: End) -> str | None:
    """Whether the best configurations pile up at one end, more than the search itself did, in words.

    At least half of their values (and three in number) lie there, more than a binomial test at 5 % puts down to chance,
    and more than a choice of as many from everything that was tried would have at 5 % (hypergeometric distribution):
    a search that likes ends has its best there for that alone. The end is the outermost tenth, or the outermost value
    where there are at most ten; chance puts as many there as lie there, where all values are as likely.

    Args:
        searched: The dimension.
        best: The best configurations.
        tried: All of them, the best included.
        end: Which end.
    """
    values, every = (
        [c.values[name] for c in some for name in searched.names if name in c.values] for some in (best, tried)
    )
    zone = _edge_zone(searched.dimension, end)
    if zone is None or len(values) < _MIN_GROUP:
        return None
    inside, share = zone
    n, hits = len(values), sum(inside(value) for value in values)
    there = sum(inside(value) for value in every)
    if 2 * hits < n or chance_of_hits(n, share, hits) >= _LEVEL:
        return None
    if chance_of_as_many(len(every), there, n, hits) >= _LEVEL:
        return None
    side, word = ("lower", "smaller") if end == "low" else ("upper", "larger")
    return (
        f"{hits} of {n} values of the best {len(best)} configurations lie at the {side} edge, and {there} of "
        f"{len(every)} of all: try {word} ones too"
    )


def never_won(searched: Searched, evidence: Evidence) -> list[tuple[str, Piece]]:
    """The choices, or thirds at the ends of a range, that many configurations had but none of the best quarter.

    At least three had it, and the chance that none of them is among the best quarter is below 5 %, divided by the
    number of pieces that are looked at (hypergeometric distribution, Bonferroni's bound). All of this has to hold for
    every branch of the space by itself: for each depth and optimizer, say. What others depend on loses nothing. What
    scores as the last of the best quarter does is among it.
    """
    # Layers of one stack share a dimension but not their fate: nothing is cut from it for one of them.
    name = searched.names[0]
    if len(searched.names) > 1 or searched.parent or evidence.of(name) is None:
        return []
    branches = _branches(searched, evidence)
    pieces = _pieces(searched.dimension)
    found = []
    for piece in pieces:
        if all(_never_in(branch, piece, len(pieces)) for branch in branches):
            had = sum(piece.holds(value) for branch in branches for value, _ in branch)
            every = " of each branch" if len(branches) > 1 else ""
            seen = f"{piece.label} was tried {had} times and is never among the best quarter{every}"
            found.append((f"{seen} over {evidence.basis}: leave it out", piece))
    return found


def _branches(searched: Searched, evidence: Evidence) -> list[list[tuple[Value, float]]]:
    """Its values and their scores, best first, apart for each combination of what other settings depend on."""
    found: dict[tuple[Any, ...], list[tuple[Value, float]]] = {}
    for configuration, score in evidence.samples:
        if searched.names[0] in configuration.values:
            branch = tuple(configuration.values.get(parent) for parent in searched.branching)
            found.setdefault(branch, []).append((configuration.values[searched.names[0]], score))
    return list(found.values())


def _never_in(samples: Sequence[tuple[Value, float]], piece: Piece, pieces: int) -> bool:
    top = with_ties([score for _, score in samples], math.ceil(len(samples) / 4))
    has = [piece.holds(value) for value, _ in samples]
    chance = chance_of_none(len(samples), sum(has), top)
    return sum(has) >= _MIN_GROUP and not any(has[:top]) and chance < _LEVEL / pieces


def _edge_zone(dimension: Choice | Range, end: End) -> tuple[Callable[[Any], bool], float] | None:
    """Whether a value is at this end, and the share of all values that are; None where there is no order."""
    values = None if dimension.values is None or number_of(dimension.values) > _COUNTED else ordered(dimension)
    if values is not None and 2 <= len(values) <= _FEW_VALUES:
        edge = values[0] if end == "low" else values[-1]
        return (lambda value: bool(value == edge)), 1 / len(values)
    if not isinstance(dimension, Range):
        return None
    low = end == "low"

    def inside(value: Any) -> bool:
        where = position(dimension, value)
        return where <= _OUTERMOST if low else where >= 1 - _OUTERMOST

    # Of eleven values two lie in the outermost tenth. Where all are as likely, their number is what a draw goes by.
    alike = dimension.step is not None or dimension.scale == "linear"
    share = sum(map(inside, values)) / len(values) if values is not None and alike else _OUTERMOST
    return inside, share


def _pieces(dimension: Choice | Range) -> list[Piece]:
    if isinstance(dimension, Choice):
        return [Piece(dimension, choice=choice) for choice in dimension.choices]
    return [Piece(dimension, end="low"), Piece(dimension, end="high")]
