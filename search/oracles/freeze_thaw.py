"""Freeze-thaw Bayesian search."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from threadpoolctl import threadpool_limits

from search.oracles.surrogate.acquisition import log_improvement, maximise, quasi_random, refine
from search.oracles.surrogate.cost import cost_of, dear_epochs, has_phases, spent_seconds
from search.oracles.surrogate.curves import Curve, Stage, codes_of, stretch
from search.oracles.surrogate.early import EarlyTrend
from search.oracles.surrogate.full_length import FullLength, improvement_with_slopes
from search.oracles.surrogate.gp import FIRM, SELECTIVE, YIELDING, GaussianProcess, Kernel, Points, fit_kernel
from search.oracles.surrogate.history import History
from search.oracles.surrogate.observations import Observations
from search.oracles.surrogate.outlook import MOST, Outlook
from search.oracles.surrogate.standard import MOST_OBSERVATIONS, fit_sample
from search.oracles.surrogate.success import success_of
from search.oracles.surrogate.trust import finished, inconspicuous, least_favoured, stable_length, telling_length

from . import SECONDS_METRIC
from ._base import BaseOracle
from ._columns import Floats
from ._space import Values
from .plan import MANY_HYPERPARAMETERS, MOST_PAUSED, first_length, new_length, next_length

__all__ = ["INITIAL_POINTS", "SECONDS_METRIC", "FreezeThawOracle"]

INITIAL_POINTS = 10
"""Quasi-random configurations, at the shortest training, before the model decides."""

_EVIDENCE, _RETIRED = "evidence", "retired"
_FINISHING = 0.25
_FINISHING_TIME = 0.9
_FIRST_FINISH = 2.0
_BETWEEN = 10
# A probe each: after so many full trainings' epochs, unless so many unfavoured ones are finished, to this share of one.
_PROBES = ((3.0, 1, 0.5), (6.0, 1, 1.0), (12.0, 2, 1.0))
_TELLING = 3
_SHORT_FIRST = 8
_FAINT = 4
_WIDER = 1.5
# Over many hyperparameters it takes more to tell which ones matter.
_FIT_POINTS, _MORE_FIT_POINTS = 160, 200
# Of so many configurations all are compared, of more those that can go on and so many of the others.
_ALL_COMPARED, _BEST_COMPARED = 1000, 200
# A step of a climb takes time with the square of the observations.
_CLIMBS, _FEWER_CLIMBS, _MANY = 40, 8, 400


class FreezeThawOracle(BaseOracle):
    """Keeps many configurations at different stages of training and goes on where the final score promises most.

    At each step it either continues a paused configuration or starts a new one. The values of a trial say what to
    train, as Hyperband's do: `tuner/epochs`, `tuner/initial_epoch`, and `tuner/trial_id` for a continued one.

    Model: a Gaussian process over configuration and training length (see `gp`). It sees the best score so far at a
    few lengths of each curve, so that the value at full length is the score of the table, whether a configuration is
    still learning or already overfits. Scores further below the median configuration than the best is above it are
    drawn in. A curve that has ended early counts as known to its end; a running trial as if it had reached the score
    that the model expects. Failed configurations are left out: a model of its own learns where training succeeds (see
    `success`), and its probability multiplies the improvement that a new configuration promises.

    Acquisition: expected improvement of the score at full length, with the deviation widened by half because the
    kernel's parameters are themselves estimates. A new configuration must improve on the best score *expected* of any
    configuration at hand, a paused one only on the best *observed*: what is promising goes on before its neighbours
    are tried. A quarter of all epochs is kept for the configuration of the highest expected score: whenever enough
    are saved, that one is trained to its end at once, so that the best is not only known but there. The first time
    comes early, after two full trainings' epochs; after that the rest of a curve is taken to be as long as earlier
    ones turned out, which early stopping may have ended. Where the loop reports seconds, the improvement counts per
    expected second.

    Phases: where later epochs of a training are seen to be far dearer than its first ones, one of the most promising
    configurations is trained to the end after every ten new ones: the short trainings cost next to nothing, and tell
    nothing of what only the dear epochs depend on. Where the loop does not say whether that may be so, several
    configurations have to show it: a single one may have been compiled on its way.

    Lengths: new configurations get 1/16 of the longest training at first, and later 1/20 of all epochs spent so far:
    short trainings tell good from bad regions, but not the good configurations from the best. Observations much
    shorter than that leave the model, in which they would bind the ranking at full length to that of the first
    epochs. A continued configuration gets half as many epochs again. While other trials run, new ones get less, and
    over more than twenty hyperparameters. They do not grow beyond what ranks the better ones as their ends do.

    Trust: that short trainings tell good from bad is believed until something speaks against it (see `trust`). After 3
    full trainings' epochs one of the first configurations, neither the best nor the worst of them early on, is trained
    half the way beside the favourites, after 6 to its end, and after 12 another. The model of curves is shown what
    that came to only if it is the best of all. If the shortest length did not tell them apart, no new configuration
    gets it any more, and observations of it leave the model. Where no short length is left, the one of the first
    configurations that early results favoured least is trained to the end, in case they rank the wrong way round. Then
    a model of final scores chooses what else is trained to the end (see `full_length`): new configurations at once, or
    after a short training where early results turn out to tell final ones, one way round or the other (see `early`).

    Sources: the idea is of Swersky, Snoek and Adams, "Freeze-Thaw Bayesian Optimization" (arXiv:1406.3896, 2014);
    choosing between continuing and starting by expected improvement at a later length as in Wistuba, Kadra and
    Grabocka, "Supervising the Multi-Fidelity Race of Hyperparameter Configurations" (NeurIPS 2022). The growing first
    length and the two different thresholds are this project's; `docs/decisions/0006-freeze-thaw.md` has figures.
    """

    def __init__(self, *, min_epochs: int = 1, max_epochs: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._longest = max_epochs
        self._first = first_length(min_epochs, max_epochs)
        self._history = History(self.objective.name, self._sign)
        self._retired: set[str] = set()
        # What was told and what was given up, in that order: `memory` hands out this list, which only grows.
        self._log: list[Any] = []
        self._kernel: dict[str, Any] | None = None
        self._probes: list[str] = []
        self._reason = ""

    def add_evidence(
        self, values: Mapping[str, Any], curve: Sequence[float], seconds_per_epoch: float | None = None
    ) -> None:
        """Tells the model what a configuration scored elsewhere: a baseline, or a trial of an earlier run.

        Args:
            values: its hyperparameter values. Those that this space does not have are ignored, numbers outside their
                range count as its end; a configuration that lacks some counts as one where these are inactive.
            curve: the objective after each epoch, from the first on; NaN where unknown. Epochs beyond the longest
                training of this search are left out.
            seconds_per_epoch: what an epoch took, on a machine as fast as this one; None if unknown.
        """
        one = self._history.add_evidence(values, curve[: self._longest], seconds_per_epoch)
        if one is not None:
            self._log.append({_EVIDENCE: one})

    @keras_tuner.synchronized  # type: ignore[untyped-decorator]  # Keras Tuner has no types
    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial; its `message` says why it was chosen: how, and the score expected of it at full length."""
        self._reason = ""
        trial = super().create_trial(tuner_id)
        if self._reason:
            trial.message = self._reason
        return trial

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Trial:
        trial = super().update_trial(trial_id, metrics, step)
        # A loop may tell something of a trial that has ended, and end it once more.
        self._history.forget(trial_id)
        return trial

    def continuable(self) -> set[str]:
        return {curve.trial_id for curve in self._curves() if curve.stage is Stage.PAUSED}

    # --- the decision -----------------------------------------------------------------------------------------

    # The matrices are small, and the other cores are there to train.
    @threadpool_limits.wrap(limits=1, user_api="blas")  # type: ignore[untyped-decorator]  # it has no types
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        curves = self._curves()
        known = [*curves, *self._history.evidence(self.space, self.last_counts)]
        # Before dear epochs, cheap ones are worth it whatever they tell.
        dear_later = self.tried_first > 0 or self._has_phases(known)
        telling = self._first if dear_later else telling_length(known, self._first, self._longest)
        running = len(self.ongoing_trials)
        # Lengths do not grow while as many as asked for have not been tried.
        spent = self._spent_epochs(curves) if len(curves) >= self.tried_first else 0
        growing = new_length(spent, self._first, self._longest, running, self.space.varying)
        length = max(telling, min(growing, stable_length(known, self._first, self._longest)))
        standing = [c for c in known if c.stage is not Stage.FAILED]
        told = [c for c in standing if c.stopped or c.epochs >= telling]
        needed = INITIAL_POINTS if telling == self._first else _TELLING
        if len(told) < needed or sum(bool(c.scores) for c in standing) < 2:
            misled = telling == self._longest
            least = least_favoured(curves[:INITIAL_POINTS], self._first, self._longest) if misled else None
            if least is not None:
                return self._continue(least, self._longest, "the least promising to its end: short trainings mislead")
            values = None
            if self.space.width:
                values = self.if_new(quasi_random(self.space, len(self.trials), self.seed))
            values = values or self.new_random()
            if values is not None:
                return self._start(values, length, "start: spread over the space")
        if self.space.width and sum(bool(c.scores) for c in standing) >= 2:
            if telling == self._longest:
                decided = self._decide_at_full_length(known)
            else:
                decided = self._decide(trial_id, known, length, telling)
            if decided is not None:
                return decided
        values = self.new_random()
        if values is not None:
            return self._start(values, length, "at random: nothing to model yet")
        paused = [c for c in curves if c.stage is Stage.PAUSED]
        if paused:
            best = max(paused, key=lambda curve: curve.latest)
            return self._continue(best, self._longest, "continuation: no new configuration is left")
        return {"status": TrialStatus.IDLE if self.ongoing_trials else TrialStatus.STOPPED}

    def _decide(self, trial_id: str, known: Sequence[Curve], length: int, telling: int) -> dict[str, Any] | None:
        view = Observations(
            self._before_probes(known),
            self.space,
            longest=self._longest,
            first=self._first,
            shortest=max(length / _FAINT, telling if telling > self._first else 0),
            most=MOST_OBSERVATIONS,
        )
        kernel = self._fitted(view)
        running = [c for c in known if c.stage is Stage.RUNNING]
        halvings = np.log2(self._longest / np.array([c.epochs for c in running], dtype=np.float64))
        pending = Points(view.features(running), halvings)
        model = GaussianProcess(view.points, view.targets, kernel).expecting(pending)
        phases = self._has_phases(known)
        cost = cost_of(known, self.space, phases)
        success = success_of(known, self.space)
        own = [c for c in known if c.stage not in (Stage.KNOWN, Stage.FAILED)]
        reference = in_question(own if any(c.scores for c in own) else [c for c in known if c.stage is Stage.KNOWN])
        expected, spread = model.predict(Points.full_length(view.features(reference)))
        observed = float(view.target(np.array([c.latest for c in reference])).max())
        hoped = max(observed, float(expected.max()))

        def promise(features: Floats, threshold: float, trained: Floats | float = 0.0) -> Floats:
            mean, deviation = model.predict(Points.full_length(features))
            return log_improvement(mean, _WIDER * deviation, threshold) - cost.log_seconds(features, trained)

        order = np.argsort(-expected, kind="stable")
        self._retire(reference, expected + 2 * spread)
        favourite = reference[int(order[0])]
        expensive = None
        if phases:
            expensive = float(np.exp(cost.log_seconds(view.features([favourite]), favourite.epochs))[0])
        trying = not phases and len(own) < self.tried_first
        if favourite.stage is Stage.PAUSED and not trying and self._can_finish(favourite, own, expensive):
            why = self._why("finishing", favourite.codes, model, view)
            return self._continue(favourite, self._longest, why)
        if phases and not trying and self._began_since_finishing() >= _BETWEEN:
            candidates = [c for c in own if c.stage is Stage.PAUSED]
            if candidates:
                mean, deviation = model.predict(Points.full_length(view.features(candidates)))
                chosen = candidates[int(log_improvement(mean, _WIDER * deviation, observed).argmax())]
                why = self._why("one of the most promising to its end", chosen.codes, model, view)
                return self._continue(chosen, self._longest, why)
        share = 0.0 if trying else self._due_probe(known, own)
        candidates = inconspicuous(own[:INITIAL_POINTS], self._first) if share else []
        if candidates:
            # One that is a part of the way already comes first.
            candidates = [c for c in candidates if c.trial_id in self._probes] or candidates
            chosen = candidates[int(promise(view.features(candidates), observed).argmax())]
            self._probes.append(trial_id)
            why = self._why("probe of what short trainings tell", chosen.codes, model, view)
            target = max(int(share * self._longest), length, chosen.epochs + 1)
            return self._continue(chosen, min(target, self._longest), why)
        parents = np.array([reference[index].codes for index in order[:10]])

        def acquisition(codes: Floats) -> Floats:
            features = self.space.features(codes)
            return promise(features, hoped) + success.log(features)

        def with_slopes(features: Floats) -> tuple[Floats, Floats]:
            points = Points.full_length(features)
            heights, slopes = improvement_with_slopes(model, points, hoped, _WIDER)
            return heights + success.log(features), slopes + success.log_slopes(features)

        climbed = refine(
            maximise(acquisition, self.space, parents, self.rng()),
            acquisition,
            with_slopes,
            self.space,
            climbs=_CLIMBS if len(view.points) <= _MANY else _FEWER_CLIMBS,
        )
        found = self.foremost(climbed)
        self._look_ahead(reference, [codes for codes, *_ in found], model, view, observed)
        new = found[0] if found else None
        paused = [c for c in own if c.stage is Stage.PAUSED]
        if paused and not (trying and new is not None):
            promises = promise(view.features(paused), observed, np.array([c.epochs for c in paused]))
            best = int(promises.argmax())
            if new is None or promises[best] > new[2]:
                target = max(next_length(paused[best].epochs, self._first, self._longest), length)
                return self._continue(paused[best], target, self._why("continuation", paused[best].codes, model, view))
        if new is None:
            return None
        return self._start(new[1], length, self._why("exploration", new[0], model, view))

    def _decide_at_full_length(self, known: Sequence[Curve]) -> dict[str, Any] | None:
        """As `_decide`, where no shorter training tells anything: each is one observation, of its whole length."""
        done = [c for c in known if finished(c, self._longest)]
        if len(done) < 2:
            return None
        model = FullLength(
            self.space,
            codes_of(done, self.space),
            np.array([c.latest for c in done]),
            running=codes_of([c for c in known if c.stage is Stage.RUNNING], self.space),
            success=success_of(known, self.space),
            prior=FIRM if len(self.trials) % 2 else YIELDING,
            rng=self.rng,
            trend=self._early_trend(known),
        )
        cost = cost_of(known, self.space, self._has_phases(known))

        def promise(codes: Floats, epochs: Floats) -> Floats:
            seconds = cost.log_seconds(self.space.features(codes), self._longest - epochs)
            return model.promise(codes) - seconds - np.log(epochs)

        found = self.foremost(model.proposals())
        paused = [c for c in known if c.stage is Stage.PAUSED]
        candidates = np.vstack([codes_of(paused, self.space), *(codes for codes, *_ in found)])
        left = [self._longest - c.epochs for c in paused] + [self._longest] * len(found)
        if not len(candidates):
            return None
        promises = promise(candidates, np.array(left, dtype=np.float64))
        best = int(promises.argmax())
        self.outlook = model.outlook(candidates[np.argsort(-promises, kind="stable")[:MOST]], self._to_beat)
        score, spread = model.expected(candidates[best])
        expected = f"expected {self._sign * score:.4g} ± {spread:.2g}"
        if best < len(paused):
            return self._continue(paused[best], self._longest, f"continuation: {expected}")
        # Where short trainings tell which way round the long ones rank, a short one comes first.
        short = model.follows_early and self._since_whole() < _SHORT_FIRST
        length = self._first if short else self._longest
        return self._start(found[best - len(paused)][1], length, f"exploration: {expected}")

    def _early_trend(self, known: Sequence[Curve]) -> EarlyTrend | None:
        """What the shortest trainings say; None where there are too few, or where that is the only length.

        Of that the trend would be the score itself: nothing would be left to be unsure of, and so nothing to explore.
        """
        if self._first == self._longest:
            return None
        features = self.space.features(codes_of(known, self.space))
        return EarlyTrend.of(known, features, self._first, self.space.feature_groups, self.rng())

    def _look_ahead(
        self,
        reference: Sequence[Curve],
        found: Sequence[Floats],
        model: GaussianProcess,
        view: Observations,
        observed: float,
    ) -> None:
        """Keeps what going on is expected to bring: by new configurations, and by paused ones."""
        paused = [c.codes for c in reference if c.stage is Stage.PAUSED]
        if not paused and not found:
            return
        observed = max(observed, float(view.target(np.array([self._to_beat]))[0]))
        candidates = self.space.features(np.array([*paused, *found]))
        mean, deviation = model.predict(Points.full_length(candidates))
        first = np.argsort(-log_improvement(mean, deviation, observed), kind="stable")[:MOST]
        joint = model.joint(Points.full_length(candidates[first]))
        self.outlook = Outlook.of(*joint, observed, view.unit, self.rng())

    def _why(self, kind: str, codes: Floats, model: GaussianProcess, view: Observations) -> str:
        mean, deviation = model.predict(Points.full_length(self.space.features(codes[None, :])))
        score, spread = self._sign * view.score(float(mean[0])), float(deviation[0]) * view.unit
        return f"{kind}: expected {score:.4g} ± {spread:.2g}"

    def _start(self, values: Values, length: int, reason: str) -> dict[str, Any]:
        self._reason = reason
        steps = {"tuner/epochs": length, "tuner/initial_epoch": 0}
        return {"status": TrialStatus.RUNNING, "values": {**values, **steps}}

    def _continue(self, curve: Curve, target: int, reason: str) -> dict[str, Any]:
        self._reason = reason
        steps = {"tuner/epochs": target, "tuner/initial_epoch": curve.epochs, "tuner/trial_id": curve.trial_id}
        values = self.trials[curve.trial_id].hyperparameters.values
        return {"status": TrialStatus.RUNNING, "values": {**values, **steps}}

    def _can_finish(self, curve: Curve, own: Sequence[Curve], seconds: float | None) -> bool:
        """Whether the share of the epochs that is kept for finishing pays for the rest of the curve.

        Where epochs of a training become much dearer on its way, `seconds` is what one of the rest takes, and nine
        tenths of the time are kept.
        """
        if seconds is not None:
            rest = seconds * (self._longest - curve.epochs)
            finishing = sum(spent_seconds(c, self._last_stretch(c)[0]) for c in own if self._was_favourite(c))
            return finishing + rest <= _FINISHING_TIME * (sum(map(spent_seconds, own)) + rest)
        stretches = [(c, *self._last_stretch(c)) for c in own]
        done = [
            (c, start)
            for c, start, end in stretches
            if start and end == self._longest and c.trial_id not in self._probes
        ]
        spent = self._spent_epochs(own)
        if not done:
            return spent >= _FIRST_FINISH * self._longest
        # Where trainings stop early, so will this one, most likely.
        ends = [c.epochs for c, _ in done if c.stage is Stage.ENDED]
        rest = max(1.0, float(np.mean(ends or [self._longest])) - curve.epochs)
        return sum(c.epochs - start for c, start in done) + rest <= _FINISHING * spent

    def _before_probes(self, known: Sequence[Curve]) -> list[Curve]:
        """The curves without what probes have shown, unless that is the best of all."""
        best = max((c.latest for c in known if c.stage is not Stage.FAILED), default=-math.inf)
        return [
            c.until(self._last_stretch(c)[0])
            if c.trial_id in self._probes and c.stage is not Stage.FAILED and c.latest < best
            else c
            for c in known
        ]

    def _due_probe(self, known: Sequence[Curve], own: Sequence[Curve]) -> float:
        """The share of a full training that a probe should come to now; 0: none is due."""
        spent = self._spent_epochs(own)
        passed = [(wanted, share) for after, wanted, share in _PROBES if spent >= after * self._longest]
        if len(self._probes) >= len(passed):
            return 0.0
        unfavoured = [c for c in known if finished(c, self._longest) and not self._was_favourite(c)]
        wanted, share = passed[-1]
        return share if len(unfavoured) < wanted else 0.0

    def _since_whole(self) -> int:
        """Trials since the last one that was to train to the end."""
        return sum(1 for _ in self._stretches_since(lambda _, end: end == self._longest))

    def _began_since_finishing(self) -> int:
        """Configurations that were begun since one was last trained on to the end."""
        since = self._stretches_since(lambda start, end: start > 0 and end == self._longest)
        return sum(start == 0 for start, _ in since)

    def _stretches_since(self, last: Callable[[int, int], bool]) -> Iterator[tuple[int, int]]:
        """The epochs from and to which trials were to train, backwards to where `last` holds, which is left out."""
        stretches = (stretch(trial) for trial in reversed(list(self.trials.values())))
        return takewhile(lambda stretch: not last(*stretch), stretches)

    def _was_favourite(self, curve: Curve) -> bool:
        if curve.stage is Stage.KNOWN or curve.trial_id in self._probes:
            return False
        start, end = self._last_stretch(curve)
        return start > 0 and end == self._longest

    def _last_stretch(self, curve: Curve) -> tuple[int, int]:
        """The epochs from which and to which a configuration's last trial was to train."""
        return stretch(self.trials[curve.trial_id])

    def _retire(self, curves: Sequence[Curve], outlook: Floats) -> None:
        """Gives up the paused configurations of poor outlook: their checkpoints need not be kept."""
        paused = [index for index in np.argsort(-outlook, kind="stable") if curves[index].stage is Stage.PAUSED]
        retired = [curves[index].trial_id for index in paused[MOST_PAUSED:]]
        if retired:
            self._retired.update(retired)
            self._log.append({_RETIRED: retired})

    # --- what is known ----------------------------------------------------------------------------------------

    def _curves(self) -> list[Curve]:
        """The search's own configurations in the order of their first trials."""
        trials = [(self._id_to_hash[trial.trial_id], trial) for trial in self.trials.values()]
        curves = self._history.curves(trials, self.space, self.blameless, self.last_counts)
        for curve in curves:
            over = curve.epochs >= self._longest or curve.trial_id in self._retired
            if curve.stage is Stage.PAUSED and over:
                curve.stage = Stage.ENDED
        return curves

    def _has_phases(self, curves: Sequence[Curve]) -> bool:
        return has_phases(curves, self.becomes_dearer)

    def _spent_epochs(self, curves: Sequence[Curve]) -> int:
        if self._has_phases(curves):
            return dear_epochs(curves)
        return sum(curve.epochs for curve in curves)

    def _fitted(self, view: Observations) -> Kernel:
        """The kernel, fitted anew whenever a tenth of the trials is new."""
        groups = self.space.feature_groups
        curves = bool(np.ptp(view.points.halvings) > 0)
        hyperparameters = self.space.varying
        kept = self._kernel or {}
        fitting = (kept.get("curves"), kept.get("hyperparameters")) == (curves, hyperparameters)
        if fitting and len(self.trials) < max(1.1 * kept["trials"], kept["trials"] + 3):
            return Kernel(np.array(kept["logs"]), groups)
        many = hyperparameters >= MANY_HYPERPARAMETERS
        chosen = fit_sample(view.targets, _MORE_FIT_POINTS if many else _FIT_POINTS, self.rng())
        prior = SELECTIVE if many else FIRM
        kernel = fit_kernel(view.points[chosen], view.targets[chosen], groups, curves=curves, prior=prior)
        self._kernel = {
            "logs": kernel.logs.tolist(),
            "curves": curves,
            "hyperparameters": hyperparameters,
            "trials": len(self.trials),
        }
        return kernel

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        # Only `memory` needs the order in which things were told.
        del state["log"]
        return {**state, "evidence": self._history.get_state(), "retired": sorted(self._retired)}

    def memory(self) -> dict[str, Any]:
        return {"kernel": self._kernel, "probes": list(self._probes), "log": self._log}

    def take_up(self, memory: Mapping[str, Any]) -> None:
        self._kernel = memory["kernel"]
        # A trial that was asked for and could not be recorded was no probe.
        self._probes = [one for one in memory.get("probes", []) if one in self.trials]
        if "evidence" in memory:
            self._log = [*({_EVIDENCE: one} for one in memory["evidence"]), {_RETIRED: memory["retired"]}]
        else:
            self._log = [dict(entry) for entry in memory.get("log", [])]
        self._history.set_state([entry[_EVIDENCE] for entry in self._log if _EVIDENCE in entry])
        self._retired = {trial_id for entry in self._log for trial_id in entry.get(_RETIRED, ())}


def in_question(curves: Sequence[Curve]) -> Sequence[Curve]:
    """The curves, in their order, of which one may be the best or go on: of very many that are over, the best only."""
    if len(curves) <= _ALL_COMPARED:
        return curves
    over = [i for i, c in enumerate(curves) if c.stage not in (Stage.PAUSED, Stage.RUNNING)]
    spare = set(sorted(over, key=lambda i: -curves[i].latest)[_BEST_COMPARED:])
    return [c for i, c in enumerate(curves) if i not in spare]
