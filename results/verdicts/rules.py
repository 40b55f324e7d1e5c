"""The three observations behind the advice, each a significance test on one dimension of the space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from results.ranked.statistics import chance_of_none, kruskal_wallis
from results.verdicts.changes import End, Piece, ordered, position
from results.verdicts.evidence import Evidence
from search.record.configuration import Configuration
from spaces.values.dimensions import Choice, Range, Value
from spaces.values.kinds import Kind

_LEVEL = 0.05
_NO_EFFECT = 0.3
_FEW_VALUES = 10
_MIN_GROUP = 3


@dataclass(frozen=True)
class Searched:
    """A dimension of the space.

    Attributes:
        key: Dotted key in the space file.
        names: The flat names of its hyperparameters, one for each layer where layers have values of their own.
        kind: The values that the setting takes.
        dimension: What the space file says.
    """

    key: str
    names: tuple[str, ...]
    kind: Kind
    dimension: Choice | Range


def at_edge(searched: Searched, best: Sequence[Configuration], end: End) -> str | None:
    """Whether the best configurations pile up at one end, in words.

    At least half of their values (and three in number) lie there, and more than a binomial test at 5 % puts down
    to chance. The end is the outermost tenth, or the outermost value where there are at most ten.
    """
    values = [c.values[name] for c in best for name in searched.names if name in c.values]
    zone = _edge_zone(searched.dimension, end)
    if zone is None or len(values) < _MIN_GROUP:
        return None
    inside, share = zone
    n, hits = len(values), sum(inside(value) for value in values)
    tail = sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(hits, n + 1))
    if 2 * hits < n or tail >= _LEVEL:
        return None
    side, word = ("lower", "smaller") if end == "low" else ("upper", "larger")
    return f"{hits} of {n} values of the best {len(best)} configurations lie at the {side} edge: try {word} ones too"


def never_won(searched: Searched, evidence: Evidence) -> list[tuple[str, Piece]]:
    """The choices, or thirds at the ends of a range, that many configurations had but none of the best quarter.

    At least three had it, and the chance that none of them is among the best quarter is below 5 %, divided by
    the number of pieces that are looked at (hypergeometric distribution, Bonferroni's bound).
    """
    # Layers of one stack share a dimension but not their fate: nothing is cut from it for one of them.
    samples = evidence.of(searched.names[0]) if len(searched.names) == 1 else None
    if samples is None:
        return []
    top = math.ceil(len(samples) / 4)
    pieces = _pieces(searched.dimension)
    found = []
    for piece in pieces:
        has = [piece.holds(value) for value, _ in samples]
        chance = chance_of_none(len(samples), sum(has), top)
        if sum(has) >= _MIN_GROUP and not any(has[:top]) and chance < _LEVEL / len(pieces):
            tried = f"{piece.label} was tried {sum(has)} times and is never among the best {top}"
            found.append((f"{tried} of {len(samples)} after {evidence.length}: leave it out", piece))
    return found


def no_effect(searched: Searched, evidence: Evidence) -> str | None:
    """Whether the score does not depend on the setting, as far as can be seen: Kruskal-Wallis gives p >= 0.3."""
    chances = []
    for name in searched.names:
        samples = evidence.of(name)
        groups = [] if samples is None else _by_value(samples)
        if len(groups) >= 2:
            chances.append(kruskal_wallis(groups))
    if not chances or min(chances) < _NO_EFFECT:
        return None
    seen = f"{evidence.count} configurations after {evidence.length}"
    return f"no difference to be seen over {seen} (p = {min(chances):.2f})"


def _edge_zone(dimension: Choice | Range, end: End) -> tuple[Callable[[Any], bool], float] | None:
    """Whether a value is at this end, and the share of all values that are; None where there is no order."""
    values = ordered(dimension)
    if values is not None and 2 <= len(values) <= _FEW_VALUES:
        edge = values[0] if end == "low" else values[-1]
        return (lambda value: bool(value == edge)), 1 / len(values)
    if not isinstance(dimension, Range):
        return None
    if end == "low":
        return (lambda value: position(dimension, value) <= 0.1), 0.1
    return (lambda value: position(dimension, value) >= 0.9), 0.1


def _pieces(dimension: Choice | Range) -> list[Piece]:
    if isinstance(dimension, Choice):
        return [Piece(dimension, choice=choice) for choice in dimension.choices]
    return [Piece(dimension, end="low"), Piece(dimension, end="high")]


def _by_value(samples: Sequence[tuple[Value, float]]) -> list[list[float]]:
    """Scores by value where there are few values, else by thirds; groups of fewer than three are left out."""
    values = {value for value, _ in samples}
    groups: dict[Any, list[float]] = {}
    if len(values) <= 5 or any(isinstance(value, str) for value in values):
        for value, score in samples:
            groups.setdefault(value, []).append(score)
    else:
        order = sorted(float(value) for value, _ in samples)
        cuts = order[len(order) // 3], order[2 * len(order) // 3]
        for value, score in samples:
            groups.setdefault(sum(float(value) >= cut for cut in cuts), []).append(score)
    return [group for group in groups.values() if len(group) >= _MIN_GROUP]
