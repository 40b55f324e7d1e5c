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
    looks = [_looks(rows, index, rng) for index in range(len(judged))]
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


def _looks(rows: Array, index: int, rng: np.random.Generator) -> Array:
    """Configurations to look at, shape (values, spread, columns): one column at each value, the others anywhere.

    What is active follows from configurations of the search, so that nothing impossible is asked.
    """
    known = rows[rows[:, index] >= 0]
    # Most categories and choices have few values, which are looked at as they are.
    seen = np.unique(known[:, index])
    values = seen if len(seen) <= _VALUES else np.linspace(seen[0], seen[-1], _VALUES)
    base = known[rng.choice(len(known), _SPREAD)]
    several = np.array([len(np.unique(rows[:, one])) > _VALUES for one in range(rows.shape[1])])
    anywhere = rng.random(base.shape)
    base = np.where((base >= 0) & several, anywhere, base)
    found = np.repeat(base[None], len(values), axis=0)
    found[:, :, index] = values[:, None]
    return found


def _effects(rows: Array, ranks: Array, looks: Sequence[Array], seed: int) -> list[float]:
    """The variance of the mean prediction over the values of each column, weighted by how many have it."""
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, random_state=seed).fit(rows, ranks)
    told = forest.predict(np.concatenate([look.reshape(-1, rows.shape[1]) for look in looks]))
    found, start = [], 0
    for index, look in enumerate(looks):
        end = start + look.shape[0] * look.shape[1]
        means = told[start:end].reshape(look.shape[:2]).mean(axis=1)
        found.append(float(np.var(means)) * float(np.mean(rows[:, index] >= 0)))
        start = end
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

    def bars(real: bool, tone: Tone, name: str) -> Bars:
        shown = [one for one in found if one.real is real]
        shares, low, high = ([getattr(one, part) for one in shown] for part in ("share", "low", "high"))
        return Bars([one.name for one in shown], shares, tone, name, low, high)

    marks = []
    if any(one.real for one in found):
        marks.append(bars(True, Tone.ACCENT, "more than chance"))
    if not all(one.real for one in found):
        marks.append(bars(False, Tone.FAINT, "not told from chance"))
    axis = Axis("share of importance, 90 % interval")
    order = Axis(categories=tuple(one.name for one in found))
    view = View((Panel(marks, axis, order),), height=90 + 32 * len(found))
    return Chart("importance", _caption(found, evidence), (view,))


def _caption(found: Sequence[Importance], evidence: Evidence) -> str:
    real = [one for one in found if one.real]
    basis = f"It rests on {evidence.basis}."
    if evidence.count > _MOST_ROWS:
        basis += f" The trees have learnt from {_MOST_ROWS} configurations drawn at random."
    if not real:
        return f"No hyperparameter can be told from chance. {basis}"
    told = listed(f"{one.name} ({percent(one.share)})" for one in real[:3])
    text = f"What explains the order of the better half, as a forest of trees has learnt it: {told}"
    rest = len(found) - len(real)
    text += f"; {plural(rest, 'other')} cannot be told from chance." if rest else "."
    return f"{text} {basis}"
