"""After the search: train the best again with fresh seeds, choose by the mean, make the final model, measure it."""

from __future__ import annotations

import statistics
from pathlib import Path

from search import evaluation, timeplan
from search.clock import Clock
from search.configuration import Configuration, configurations, ranked
from search.errors import SearchFailed
from search.observer import Observer
from search.runner import Runner, unfinished
from search.sources import ListSource, candidate_trial, winner_trial
from search.store import RunStore
from search.trial import Trial, TrialKind, TrialState
from spaces import Dataset, SearchSpec


class FinalPhase:
    """Finds and makes the winner. Everything that the store has already is not done again.

    Args:
        run: The run directory.
        spec: The space file.
        data: The data set.
        store: The run store.
        runner: Trains.
        clock: Tells the time.
        observer: Is told what happens.
        slots: Trainings at the same time.
        until: Unix time by which the final model has to be there, or None.
    """

    def __init__(
        self,
        run: Path,
        spec: SearchSpec,
        data: Dataset,
        store: RunStore,
        runner: Runner,
        clock: Clock,
        observer: Observer,
        slots: int,
        until: float | None,
    ) -> None:
        self._run = run
        self._spec = spec
        self._data = data
        self._store = store
        self._runner = runner
        self._clock = clock
        self._observer = observer
        self._slots = slots
        self._until = until

    def go(self) -> None:
        """Retrains, chooses, trains the winner and evaluates; returns early if the runner was asked to stop.

        Raises:
            SearchFailed: No configuration has a score.
        """
        found = configurations(self._store.trials())
        best = [c for c in ranked(found, self._spec.objective.direction) if c.score is not None]
        if not best:
            raise SearchFailed("no configuration gave a score; the table names the reason of each failure")
        plan = self._plan(best)
        self._retrain(plan.retrained(best), plan.seeds)
        if self._stopped():
            return
        chosen = self._chosen(best)
        winner = self._train_winner(chosen) if plan.train_winner else None
        if self._stopped():
            return
        self._record_winner(chosen, winner)
        self._evaluate()

    def _stopped(self) -> bool:
        return self._runner.stopping

    def _plan(self, best: list[Configuration]) -> timeplan.FinalPlan:
        final = self._spec.final
        full = timeplan.FinalPlan(min(final.candidates, len(best)), final.seeds, True, baselines=True)
        left = None if self._until is None else self._until - self._clock.now()
        plan = timeplan.choose(full, best, self._slots, left)
        if plan != full:
            what = (
                f"{plan.candidates} candidates with {plan.seeds} seeds, without the baselines"
                if plan.seeds
                else "the best of the search, trained once more"
                if plan.train_winner
                else "the best of the search as it is"
            )
            self._observer.message("warning", f"time is short: retraining is reduced to {what}")
        return plan

    def _retrain(self, candidates: list[Configuration], seeds: int) -> None:
        now = self._clock.now()
        trials = [candidate_trial(self._spec, c, k, now) for c in candidates for k in range(1, seeds + 1)]
        self._train("retraining", TrialKind.CANDIDATE, trials, data="train", keep=())

    def _chosen(self, best: list[Configuration]) -> Configuration:
        """The candidate with the best mean over its fresh seeds; without retraining, the best of the search."""
        scores = retrained_scores(self._store.trials(TrialKind.CANDIDATE))
        retrained = [c for c in best if scores.get(c.id)]
        if not retrained:
            return best[0]
        sign = 1.0 if self._spec.objective.direction == "min" else -1.0
        return min(retrained, key=lambda c: sign * statistics.fmean(scores[c.id]))

    def _train_winner(self, chosen: Configuration) -> Trial | None:
        with_validation = self._spec.final.train_on_validation
        epochs = self._best_length(chosen) if with_validation else None
        trial = winner_trial(self._spec, chosen, epochs, self._clock.now())
        data, keep = ("train+validation", ("last",)) if with_validation else ("train", ("best",))
        self._train("final training", TrialKind.WINNER, [trial], data, keep)
        done = self._store.trial(trial.id)
        return done if done is not None and done.state is TrialState.COMPLETED else None

    def _best_length(self, chosen: Configuration) -> int:
        """The number of epochs after which the retrained models, or else the search's, were best: their mean."""
        trials = self._store.trials(TrialKind.CANDIDATE)
        lengths = [
            trial.outcome.best_epoch
            for trial in trials
            if trial.configuration == chosen.id and trial.outcome and trial.outcome.best_epoch
        ] or [chosen.best_epoch or 1]
        return max(1, round(statistics.fmean(lengths)))

    def _train(self, phase: str, kind: TrialKind, trials: list[Trial], data: str, keep: tuple[str, ...]) -> None:
        source = ListSource(self._spec, self._store, self._clock, lambda: self._until, trials, data, keep)
        self._observer.phase(phase, len(trials))
        self._runner.run(source, unfinished(self._store.trials(kind)))

    def _record_winner(self, chosen: Configuration, winner: Trial | None) -> None:
        if winner is None and chosen.best is None:
            raise SearchFailed(f"the final training of {chosen.name} failed and no checkpoint of it is left")
        self._store.put_meta(winner=winner.id if winner else chosen.trials[-1].id)

    def _evaluate(self) -> None:
        evaluation.save_rows(self._run, self._data)
        if self._data.test is None:
            self._observer.message("info", "the data has no test part: nothing is measured on unseen rows")
            return
        models = final_models(self._store)
        self._observer.phase("evaluation", len(models))
        for model in models:
            evaluation.evaluate(self._run, self._data, model, self._store, self._clock, self._spec.search.seed)


def retrained_scores(trials: list[Trial]) -> dict[str, list[float]]:
    """Scores of the candidates' fresh trainings by configuration id; failed ones are left out."""
    scores: dict[str, list[float]] = {}
    for trial in trials:
        if trial.kind is TrialKind.CANDIDATE and trial.outcome is not None and trial.outcome.score is not None:
            scores.setdefault(trial.configuration, []).append(trial.outcome.score)
    return scores


def final_models(store: RunStore) -> list[evaluation.FinalModel]:
    """The winner and every baseline that finished, with the weights that their protocols leave them with."""
    winner = store.meta("winner")
    models = []
    for trial in store.trials():
        if trial.outcome is None or (trial.id != winner and trial.kind is not TrialKind.BASELINE):
            continue
        weights = trial.outcome.last or trial.outcome.best
        if weights is not None:
            models.append(evaluation.FinalModel(trial, weights))
    return models
