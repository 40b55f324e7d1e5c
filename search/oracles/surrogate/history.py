"""What an oracle was told so far, as curves: its own trials, and configurations that were trained elsewhere."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from search.oracles import SECONDS_METRIC
from search.oracles._columns import Floats
from search.oracles._space import Space
from search.oracles.surrogate.curves import Curve, Stage, stretch
from search.oracles.surrogate.standard import bounded


class History:
    """Reads curves from trials, and keeps the evidence from elsewhere."""

    def __init__(self, objective: str, sign: int) -> None:
        """Args:
        objective: name of the metric that scores.
        sign: 1 if more of it is better, else -1.
        """
        self._objective, self._sign = objective, sign
        self._evidence: list[dict[str, Any]] = []
        # Of ended trials, which change no more: scores by step, and seconds of an epoch.
        self._reports: dict[str, tuple[dict[int, float], float | None]] = {}
        # Of the evidence, in one space: they change no more either.
        self._codes_elsewhere: list[Floats] = []
        self._space: Space | None = None

    def add_evidence(
        self, values: Mapping[str, Any], curve: Sequence[float], seconds: float | None
    ) -> dict[str, Any] | None:
        """Takes up a configuration; `curve` is the objective after each epoch, NaN where unknown.

        Returns:
            What `get_state` has of it; None if no score is known, so that nothing is taken up.
        """
        scores = {epoch: float(score) for epoch, score in enumerate(curve, start=1) if math.isfinite(score)}
        if not scores:
            return None
        times = [] if seconds is None else [seconds]
        # The state is written as JSON, which has no numbers of NumPy.
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
        self._evidence.append({"values": plain, "scores": scores, "seconds": _typical(times)})
        return _plain(self._evidence[-1])

    def evidence(self, space: Space, last_counts: bool) -> list[Curve]:
        """The configurations from elsewhere; `last_counts` is that of `Curve`."""
        if space is not self._space:
            # It has grown.
            self._space, self._codes_elsewhere = space, []
        new = self._evidence[len(self._codes_elsewhere) :]
        self._codes_elsewhere += [space.codes(one["values"]) for one in new]
        return [
            Curve(
                codes=codes,
                stage=Stage.KNOWN,
                epochs=max(one["scores"]),
                scores={epoch: bounded(self._sign * score) for epoch, score in one["scores"].items()},
                seconds=one["seconds"],
                last_counts=last_counts,
            )
            for one, codes in zip(self._evidence, self._codes_elsewhere, strict=True)
        ]

    def curves(
        self, trials: Iterable[tuple[str, Trial]], space: Space, blameless: Collection[str], last_counts: bool
    ) -> list[Curve]:
        """The configurations of trials, which come with a key of their configuration, in order of first trials.

        `last_counts` is that of `Curve`. The end of those of `blameless`, ids, says nothing of them. A configuration of
        which nothing else is known is left out.

        If any trial has scores of several steps, the loop reports epochs: a step is an epoch, and one that is
        missing at the end was not trained. If any step is then 0, the loop counts from there, as Keras does. It may
        also count those of each trial by themselves.
        """
        reports = [(key, trial, *self._report(trial)) for key, trial in trials]
        by_epoch = any(len(scores) > 1 for _, _, scores, _ in reports)
        from_zero = by_epoch and any(0 in scores for _, _, scores, _ in reports)
        if from_zero:
            reports = [(key, trial, _later(scores, 1), seconds) for key, trial, scores, seconds in reports]
        # Our own loop, which counts from 1, reports the best epoch of all where a trial has none that is better.
        others = 0 if from_zero else 1
        if by_epoch and _counts_anew(reports, others, same=not last_counts):
            reports = [
                (key, trial, _later(scores, stretch(trial)[0]), seconds) for key, trial, scores, seconds in reports
            ]
        curves: dict[str, Curve] = {}
        for key, trial, scores, seconds in reports:
            if key not in curves:
                codes = space.encoded(key, trial.hyperparameters.values)
                curves[key] = Curve(codes, last_counts=last_counts)
            curves[key].add(trial, scores, seconds, by_epoch, trial.trial_id in blameless)
        return [curve for curve in curves.values() if curve.scores or curve.stage is not Stage.ENDED]

    def _report(self, trial: Trial) -> tuple[dict[int, float], float | None]:
        if trial.trial_id in self._reports:
            return self._reports[trial.trial_id]
        metrics, name = trial.metrics, self._objective
        history = metrics.get_history(name) if metrics.exists(name) else []
        scores = {int(o.step): bounded(self._sign * float(o.mean())) for o in history if math.isfinite(o.mean())}
        times = metrics.get_history(SECONDS_METRIC) if metrics.exists(SECONDS_METRIC) else []
        seconds = _typical([float(o.mean()) for o in times])
        if trial.status != TrialStatus.RUNNING:
            self._reports[trial.trial_id] = (scores, seconds)
        return scores, seconds

    def forget(self, trial_id: str) -> None:
        """Reads anew what a trial has reported, although it has ended."""
        self._reports.pop(trial_id, None)

    def get_state(self) -> list[dict[str, Any]]:
        """The evidence as JSON-able data."""
        return [_plain(one) for one in self._evidence]

    def set_state(self, state: list[dict[str, Any]]) -> None:
        """Takes up a state of `get_state`."""
        self._evidence = [{**one, "scores": dict(one["scores"])} for one in state]
        self._reports, self._codes_elsewhere = {}, []


def _later(scores: Mapping[int, float], steps: int) -> dict[int, float]:
    return {step + steps: score for step, score in scores.items()}


def _counts_anew(
    reports: Iterable[tuple[str, Trial, Mapping[int, float], float | None]], others: int, *, same: bool
) -> bool:
    """Whether a loop counts the steps of a trial that goes on by themselves, not on from those before.

    Some steps are then no later than the epoch that it went on from, and none is beyond the number that it was to add.

    Args:
        reports: of each trial a key of its configuration, itself, and its scores by step, from 1 on and ascending.
        others: so many earlier steps of a trial say nothing.
        same: whether they do only where they repeat what the configuration scored there.
    """
    told: dict[str, list[Mapping[int, float]]] = {}
    anew = False
    for key, trial, scores, _ in reports:
        start, target = stretch(trial)
        before = told.setdefault(key, [])
        if start and scores:
            if max(scores) > target - start:
                return False
            earlier = [step for step in islice(scores, others + 1) if step <= start]
            differs = same and any(one.get(step, scores[step]) != scores[step] for one in before for step in earlier)
            anew = anew or differs or len(earlier) > others
        before.append(scores)
    return anew


def _typical(seconds: Iterable[float]) -> float | None:
    """The median of what epochs took; None where nothing of it can have been measured."""
    measured = [one for one in seconds if 0 < one < math.inf]
    return float(np.median(measured)) if measured else None


def _plain(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "scores": list(one["scores"].items())}
