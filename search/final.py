"""After the search: train the best again with fresh seeds, choose by the mean, make the final model, measure it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from search import checkpoint as checkpoints
from search import evaluation, timeplan
from search.clock import Clock
from search.configuration import Configuration, configurations, ranked
from search.errors import SearchFailed
from search.observer import Observer
from search.runner import Runner, unfinished
from search.sources import ListSource, candidate_trial, winner_trial
from search.store import RunStore
from search.trial import Checkpoint, Trial, TrialKind, TrialState
from spaces import Dataset, SearchSpec

# So many final trainings may fail before a model of the search is taken.
_MOST_ATTEMPTS = 3


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
        winner = self._winner(best, plan.train_winner)
        if self._stopped():
            return
        if winner is None:
            raise SearchFailed(f"no model of {best[0].name} or of the next best could be made, and none was kept")
        self._store.put_meta(winner=winner)
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

    def _winner(self, best: list[Configuration], train: bool) -> str | None:
        """Id of the trial whose model is exported: of the chosen configuration, or of the next best that has one.

        Args:
            best: Configurations with a score, best first.
            train: Whether there is time to train the final model; without a model that is kept, one is trained anyway.
        """
        chosen = self._chosen(best)
        order = [chosen, *(c for c in best if c is not chosen)]
        for i, configuration in enumerate(order):
            winner = self._train_winner(configuration) if train and i < _MOST_ATTEMPTS else None
            if winner is not None or self._stopped():
                return winner.id if winner is not None else None
            if configuration.best is not None and checkpoints.intact(self._run, configuration.best):
                return configuration.trials[-1].id
            self._warn(f"{configuration.name}: no model of it was kept{', or could be made' if train else ''}")
        winner = None if train else self._train_winner(chosen)
        return winner.id if winner is not None else None

    def _train_winner(self, chosen: Configuration) -> Trial | None:
        epochs = self._best_length(chosen) if self._spec.final.train_on_validation else None
        trial = winner_trial(self._spec, chosen, epochs, self._clock.now())
        self._train("final training", TrialKind.WINNER, [trial], *self._protocol(TrialKind.WINNER))
        done = self._store.trial(trial.id)
        return self._with_weights(done) if done is not None and done.state is TrialState.COMPLETED else None

    def _protocol(self, kind: TrialKind) -> tuple[str, tuple[str, ...]]:
        """Which rows a final model is trained on, and which of its checkpoints are kept."""
        if kind is TrialKind.BASELINE:
            return "train", ("best", "last")
        return ("train+validation", ("last",)) if self._spec.final.train_on_validation else ("train", ("best",))

    def _with_weights(self, trial: Trial) -> Trial | None:
        """The trial of a final model with its weights, trained again if they are lost; None if that fails too."""
        if self._kept(trial):
            return trial
        self._warn(f"{trial.id}: its checkpoint is lost or damaged; training it again")
        self._train("training again", trial.kind, [], *self._protocol(trial.kind), again=(trial,))
        renewed = self._store.trial(trial.id)
        return renewed if renewed is not None and self._kept(renewed) else None

    def _kept(self, trial: Trial) -> bool:
        weights = final_weights(trial)
        return weights is not None and checkpoints.intact(self._run, weights)

    def _best_length(self, chosen: Configuration) -> int:
        """The number of epochs after which the retrained models, or else the search's, were best: their mean."""
        trials = self._store.trials(TrialKind.CANDIDATE)
        lengths = [
            trial.outcome.best_epoch
            for trial in trials
            if trial.configuration == chosen.id and trial.outcome and trial.outcome.best_epoch
        ] or [chosen.best_epoch or 1]
        return max(1, round(statistics.fmean(lengths)))

    def _train(
        self,
        phase: str,
        kind: TrialKind,
        trials: list[Trial],
        data: str,
        keep: tuple[str, ...],
        again: Sequence[Trial] = (),
    ) -> None:
        source = ListSource(self._spec, self._store, self._clock, lambda: self._until, trials, data, keep)
        self._observer.phase(phase, len(trials) + len(again))
        self._runner.run(source, [*unfinished(self._store.trials(kind)), *again])

    def _warn(self, text: str) -> None:
        self._store.add_event(self._clock.now(), "warning", text)
        self._observer.message("warning", text)

    def _evaluate(self) -> None:
        evaluation.save_rows(self._run, self._data)
        if self._data.test is None:
            self._observer.message("info", "the data has no test part: nothing is measured on unseen rows")
            return
        models = final_models(self._store)
        self._observer.phase("evaluation", len(models))
        for trial in models:
            found = self._with_weights(trial)
            if self._stopped():
                return
            weights = final_weights(found) if found is not None else None
            if found is None or weights is None:
                self._warn(f"{trial.id}: is not measured, since its model is lost")
                continue
            model = evaluation.FinalModel(found, weights)
            evaluation.evaluate(self._run, self._data, model, self._store, self._clock, self._spec.search.seed)


def retrained_scores(trials: list[Trial]) -> dict[str, list[float]]:
    """Scores of the candidates' fresh trainings by configuration id; failed ones are left out."""
    scores: dict[str, list[float]] = {}
    for trial in trials:
        if trial.kind is TrialKind.CANDIDATE and trial.outcome is not None and trial.outcome.score is not None:
            scores.setdefault(trial.configuration, []).append(trial.outcome.score)
    return scores


def final_models(store: RunStore) -> list[Trial]:
    """The winner and every baseline that finished, those that have been measured left out."""
    winner = store.meta("winner")
    measured = {done.trial for done in store.evaluations()}
    return [
        trial
        for trial in store.trials()
        if (trial.id == winner or trial.kind is TrialKind.BASELINE)
        and trial.id not in measured
        and final_weights(trial) is not None
    ]


def final_weights(trial: Trial) -> Checkpoint | None:
    """The weights that its protocol leaves a final model with."""
    return None if trial.outcome is None else trial.outcome.last or trial.outcome.best


def winner_is_kept(store: RunStore) -> bool:
    """Whether the weights of the model that the run ended with are there as they were recorded."""
    winner = store.trial(store.meta("winner") or "")
    weights = None if winner is None else final_weights(winner)
    return weights is not None and checkpoints.intact(store.directory, weights)
