"""Which hyperparameters matter: the variance that each explains in a surrogate fitted to all configurations.

The surrogate is a forest of randomized trees over the ranks of the scores, those below the median all alike: what makes
good ones good decides, not a few disasters. A hyperparameter's importance is the variance of the forest's mean
prediction over its values, all others spread over their ranges: the main effect of a functional ANOVA. Sources: Hutter,
Hoos, Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014; Geurts, Ernst, Wehenkel,
"Extremely randomized trees", 2006.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from results.reporting.chart import Axis, Bars, Chart, Panel, Tone, View
from results.reporting.comparison.columns import Column
from results.reporting.words import listed, percent
from results.text import plural
from results.verdicts.evidence import MIN_SAMPLES, Evidence

Array = np.ndarray[Any, np.dtype[Any]]

_RESAMPLES = 16
_MOST_ROWS = 300
_TREES, _LEAF = 12, 3
_VALUES, _SPREAD = 9, 64
"""Values at which an effect is looked at, and configurations that it is averaged over."""
_MOST_BARS = 60
_AT_ONCE = 1 << 24
"""Numbers that a forest is asked about at a time: of a thousand hyperparameters all together would fill the memory."""


@dataclass(frozen=True)
class Importance:
    """One hyperparameter.

    Attributes:
        name: Its name.
        share: Its share of the importance of all, 0 to 1.
        low, high: 90 % interval of the share over resampled configurations.
        real: Whether its importance is more than shuffled scores give, at 5 % for all hyperparameters together.
    """

    name: str
    share: float
    low: float
    high: float
    real: bool


@dataclass(frozen=True)
class _Look:
    """Configurations to look at: one column at each value, the others anywhere.

    Attributes:
        index: The column.
        values: Where it is looked at.
        base: What the others are, shape (spread, columns), in the precision in which trees compare.
    """

    index: int
    values: Array
    base: Array

    @property
    def rows(self) -> Array:
        """All of them, those of one value after the other."""
        found = np.repeat(self.base[None], len(self.values), axis=0)
        found[:, :, self.index] = self.values[:, None]
        return found.reshape(-1, self.base.shape[1])


def importances(columns: Sequence[Column], evidence: Evidence) -> list[Importance]:
    """The importance of each hyperparameter, largest first; empty where fewer than two can be judged.

    One that is active only under another one's value is judged among the configurations that have it. The result is
    the same each time: what is drawn is seeded.

    Args:
        columns: The hyperparameters.
        evidence: Scores of all configurations.
    """
    rng = np.random.default_rng(0)
    samples = list(evidence.samples)
    if len(samples) > _MOST_ROWS:
        samples = [samples[i] for i in sorted(rng.choice(len(samples), _MOST_ROWS, replace=False))]
    ids = [configuration.id for configuration, _ in samples]
    ranks = np.maximum(_ranks(np.array([score for _, score in samples])), 0.5)
    judged = [
        column
        for column in columns
        if sum(name in column.values for name in ids) >= MIN_SAMPLES and len(set(column.values.values())) >= 2
    ]
    if len(judged) < 2:
        return []
    rows = np.stack([_positions(column, ids) for column in judged], axis=1)
    several = np.array([len(np.unique(places)) > _VALUES for places in rows.T])
    looks = [_look(rows, index, several, rng) for index in range(len(judged))]
    value = dict(zip([c.name for c in judged], _effects(rows, ranks, looks, 0), strict=True))
    spread: dict[str, list[float]] = defaultdict(list)
    chance: dict[str, list[float]] = defaultdict(list)
    for seed in range(1, _RESAMPLES + 1):
        drawn = rng.choice(len(rows), len(rows))
        for told, effects in (
            (spread, _effects(rows[drawn], ranks[drawn], looks, seed)),
            (chance, _effects(rows, rng.permutation(ranks), looks, seed)),
        ):
            for column, effect in zip(judged, effects, strict=True):
                told[column.name].append(effect)
    return sorted(_shares(list(value), value, spread, chance), key=lambda one: -one.share)


def _ranks(scores: Array) -> Array:
    """0 to 1, the best highest; equal scores share their mean rank."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray((ends - (count + 1) / 2)[place] / len(scores))


def _positions(column: Column, ids: Sequence[str]) -> Array:
    """Where each configuration lies, 0 to 1; -1 where it has no such value."""
    return np.array([column.position(column.values[name]) if name in column.values else -1.0 for name in ids])


def _look(rows: Array, index: int, several: Array, rng: np.random.Generator) -> _Look:
    """Where to look at a column.

    What is active follows from configurations of the search, so that nothing impossible is asked.

    Args:
        rows: The configurations, shape (n, columns).
        index: The column.
        several: Which columns have many values.
        rng: Draws what the others are.
    """
    known = rows[rows[:, index] >= 0]
    # Most categories and choices have few values, which are looked at as they are.
    seen = np.unique(known[:, index])
    values = seen if len(seen) <= _VALUES else np.linspace(seen[0], seen[-1], _VALUES)
    base = known[rng.choice(len(known), _SPREAD)]
    anywhere = rng.random(base.shape)
    return _Look(index, values, np.where((base >= 0) & several, anywhere, base).astype(np.float32))


def _effects(rows: Array, ranks: Array, looks: Sequence[_Look], seed: int) -> list[float]:
    """The variance of the mean prediction over the values of each column, weighted by how many have it."""
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, random_state=seed).fit(rows, ranks)
    at_once = max(1, _AT_ONCE // (_VALUES * _SPREAD * rows.shape[1]))
    found = []
    for start in range(0, len(looks), at_once):
        some = looks[start : start + at_once]
        told = forest.predict(np.concatenate([look.rows for look in some]))
        ends = np.cumsum([len(look.values) * _SPREAD for look in some])
        for look, predicted in zip(some, np.split(told, ends[:-1]), strict=True):
            means = predicted.reshape(len(look.values), _SPREAD).mean(axis=1)
            found.append(float(np.var(means)) * float(np.mean(rows[:, look.index] >= 0)))
    return found


def _shares(
    names: Sequence[str],
    value: Mapping[str, float],
    spread: Mapping[str, Sequence[float]],
    chance: Mapping[str, Sequence[float]],
) -> list[Importance]:
    total = sum(value.values()) or 1.0
    # Each resample has a total of its own, so that the shares of one resample add up to 1 as well.
    totals = np.sum([spread[name] for name in names], axis=0)
    totals[totals == 0] = 1.0
    # One limit for all of them at once: with many hyperparameters chance alone would lift one above its own.
    usual = {name: float(np.quantile(chance[name], 0.95)) or 1.0 for name in names}
    limit = float(np.quantile(np.max([np.array(chance[name]) / usual[name] for name in names], axis=0), 0.95))
    found = []
    for name in names:
        low, high = np.quantile(np.array(spread[name]) / totals, (0.05, 0.95))
        share = value[name] / total
        real = value[name] > limit * usual[name]
        found.append(Importance(name, share, min(share, float(low)), max(share, float(high)), real))
    return found


def importance_chart(found: Sequence[Importance], evidence: Evidence) -> Chart:
    """The chart of `importances`."""
    # A picture of thousands of bars is larger than pictures can be.
    drawn = found[:_MOST_BARS]

    def bars(real: bool, tone: Tone, name: str) -> Bars:
        shown = [one for one in drawn if one.real is real]
        shares, low, high = ([getattr(one, part) for one in shown] for part in ("share", "low", "high"))
        return Bars([one.name for one in shown], shares, tone, name, low, high)

    marks = []
    if any(one.real for one in drawn):
        marks.append(bars(True, Tone.ACCENT, "more than chance"))
    if not all(one.real for one in drawn):
        marks.append(bars(False, Tone.FAINT, "not told from chance"))
    axis = Axis("share of importance, 90 % interval")
    order = Axis(categories=tuple(one.name for one in drawn))
    view = View((Panel(marks, axis, order),), height=90 + 32 * len(drawn))
    return Chart("importance", _caption(found, evidence), (view,))


def _caption(found: Sequence[Importance], evidence: Evidence) -> str:
    real = [one for one in found if one.real]
    basis = f"It rests on {evidence.basis}."
    if evidence.count > _MOST_ROWS:
        basis += f" The trees have learnt from {_MOST_ROWS} configurations drawn at random."
    if len(found) > _MOST_BARS:
        basis += f" The {_MOST_BARS} hyperparameters with the largest shares are shown."
    if not real:
        return f"No hyperparameter can be told from chance. {basis}"
    told = listed(f"{one.name} ({percent(one.share)})" for one in real[:3])
    text = f"What explains the order of the better half, as a forest of trees has learnt it: {told}"
    rest = len(found) - len(real)
    text += f"; {plural(rest, 'other')} cannot be told from chance." if rest else "."
    return f"{text} {basis}"
