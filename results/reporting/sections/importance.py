"""Which hyperparameters matter: PED-ANOVA through Optuna, with intervals and with what chance alone would give.

PED-ANOVA compares, for each hyperparameter, the values of the best configurations with those of all. Source:
Watanabe, Bansal, Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces",
IJCAI 2023. It asks what good configurations have in common, so a few disastrous ones do not decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from results.reporting.chart import Axis, Bars, Chart, Panel, Tone, View
from results.reporting.comparison.columns import Column
from results.reporting.comparison.comparable import FEWEST, Comparable
from results.reporting.words import listed, percent
from results.text import plural

_RESAMPLES = 25
_MOST_ROWS = 200
_TARGET = 0.25
"""The share of configurations that count as the best; a smaller one needs more configurations than a night has."""


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


def importances(columns: Sequence[Column], equal: Comparable, maximize: bool) -> list[Importance]:
    """The importance of each hyperparameter, largest first; empty where fewer than two can be judged.

    One that is active only under another one's value is judged among the configurations that have it. The result is
    the same each time: the resampling is seeded.

    Args:
        columns: The hyperparameters.
        equal: Scores after equally many epochs.
        maximize: Whether more is better.
    """
    rng = np.random.default_rng(0)
    samples = list(equal.scores)
    if len(samples) > _MOST_ROWS:
        samples = [samples[i] for i in sorted(rng.choice(len(samples), _MOST_ROWS, replace=False))]
    scores = np.array([score if maximize else -score for _, score in samples])
    ids = [configuration.id for configuration, _ in samples]
    groups: dict[tuple[int, ...], list[Column]] = defaultdict(list)
    for column in columns:
        active = tuple(i for i, configuration in enumerate(ids) if configuration in column.values)
        if len(active) >= FEWEST and len({column.values[ids[i]] for i in active}) >= 2:
            groups[active].append(column)
    names = [column.name for found in groups.values() for column in found]
    if len(names) < 2:
        return []
    value: dict[str, float] = {}
    spread: dict[str, list[float]] = defaultdict(list)
    chance: dict[str, list[float]] = defaultdict(list)
    for active, found in groups.items():
        rows = np.array(active)
        value |= _ped_anova(found, ids, rows, scores[rows])
        for _ in range(_RESAMPLES):
            drawn = rng.choice(rows, len(rows))
            for name, one in _ped_anova(found, ids, drawn, scores[drawn]).items():
                spread[name].append(one)
            for name, one in _ped_anova(found, ids, rows, rng.permutation(scores[rows])).items():
                chance[name].append(one)
    return sorted(_shares(names, value, spread, chance), key=lambda one: -one.share)


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


def _ped_anova(found: Sequence[Column], ids: Sequence[str], rows: Any, scores: Any) -> dict[str, float]:
    import optuna

    class Row(optuna.trial.FrozenTrial):  # type: ignore[misc]
        """A study keeps a deep copy of each trial it is given: half of the time, for what nobody changes."""

        def __deepcopy__(self, memo: object) -> Row:
            return copy(self)

    now = datetime.now()
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        distributions = {str(k): _distribution(column) for k, column in enumerate(found)}
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                Row(
                    number=number,
                    trial_id=number,
                    state=optuna.trial.TrialState.COMPLETE,
                    value=float(score),
                    params={str(k): _parameter(column, ids[row]) for k, column in enumerate(found)},
                    distributions=distributions,
                    datetime_start=now,
                    datetime_complete=now,
                    user_attrs={},
                    system_attrs={},
                    intermediate_values={},
                )
                for number, (row, score) in enumerate(zip(rows, scores, strict=True))
            ]
        )
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_TARGET)
        shares = evaluator.evaluate(study, params=list(distributions))
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {column.name: float(shares.get(str(k), 0.0)) for k, column in enumerate(found)}


def _distribution(column: Column) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if column.categories:
        return CategoricalDistribution(tuple(range(len(column.categories))))
    return FloatDistribution(column.low, column.high, log=column.log)


def _parameter(column: Column, configuration: str) -> int | float:
    value = column.values[configuration]
    return column.categories.index(value) if column.categories else float(value)


def importance_chart(found: Sequence[Importance], equal: Comparable) -> Chart:
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
    return Chart("importance", _caption(found, equal), (view,))


def _caption(found: Sequence[Importance], equal: Comparable) -> str:
    every = len(equal.scores)
    of = f"{_MOST_ROWS} of {every:,} configurations" if every > _MOST_ROWS else plural(every, "configuration")
    basis = f"over {of} after {plural(equal.epochs, 'epoch')}"
    real = [one for one in found if one.real]
    if not real:
        return f"No hyperparameter can be told from chance {basis}."
    told = listed(f"{one.name} ({percent(one.share)})" for one in real[:3])
    text = f"What the best quarter has in common by PED-ANOVA, {basis}: {told}"
    rest = len(found) - len(real)
    text += f"; {plural(rest, 'other')} cannot be told from chance." if rest else "."
    if 3 * equal.epochs < equal.longest:
        text += f" The longest training had {equal.longest} epochs, where others may matter."
    return text
