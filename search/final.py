"""After the search: train the best again with fresh seeds, choose by the mean, make the final model, measure it."""

from __future__ import annotations

import statistics
from pathlib import Path

from search import evaluation, housekeeping, timeplan
from search.budget import Deadline
from search.configuration import Configuration
from search.errors import CheckpointError, DiskError, SearchFailed
from search.evaluation import Evaluate, FinalModel
from search.horizon import Horizon
from search.observer import Observer
from search.retraining import RetrainingSource, best_length, fresh_scores, retrained
from search.runner import Runner, unfinished
from search.searching import Searching
from search.sources import ListSource, winner_trial
from search.store import RunStore
from search.trial import Trial, TrialKind, TrialState
from spaces import Dataset, SearchSpec


class FinalPhase:
    """Finds and makes the winner. Everything that the store has already is not done again.

    Where a search was ended by time and there turns out to be more of it than retraining needs, the search goes on,
    and what it finds is retrained too; a rest that is too short for that goes into more seeds, and after the final
    training into further trials.

    Args:
        run: The run directory.
        spec: The space file.
        data: The data set.
        store: The run store.
        runner: Trains.
        searching: The search, to go on with.
        horizon: Tells how much time is left.
        observer: Is told what happens.
        evaluate: Measures the final models.
    """

    def __init__(
        self,
        run: Path,
        spec: SearchSpec,
        data: Dataset,
        store: RunStore,
        runner: Runner,
        searching: Searching,
        horizon: Horizon,
        observer: Observer,
        evaluate: Evaluate,
    ) -> None:
        self._run = run
        self._spec = spec
        self._data = data
        self._store = store
        self._runner = runner
        self._searching = searching
        self._horizon = horizon
        self._observer = observer
        self._evaluate_model = evaluate

    def go(self) -> None:
        """Retrains, chooses, trains the winner and evaluates; returns early if the runner was asked to stop.

        Raises:
            SearchFailed: No configuration has a score.
        """
        for step in (self._retrain, self._make_winner, self._search_on, self._evaluate):
            step()
            if self._runner.stopping:
                return

    # Retraining

    def _retrain(self) -> None:
        while self._store.meta("winner") is None:
            self._train_candidates(spare=False)
            if self._runner.stopping or not self._timed_out or not self._search_again():
                break
        if self._timed_out and not self._runner.stopping and self._store.meta("winner") is None:
            self._train_candidates(spare=True)

    @property
    def _timed_out(self) -> bool:
        """Whether it was time that ended the search, in a sitting that has an end."""
        return self._horizon.budget.limited and self._store.meta("search_ended") == "deadline"

    def _train_candidates(self, spare: bool) -> None:
        source = RetrainingSource(self._spec, self._store, self._horizon, self._observer, self._best(), spare)
        left = unfinished(self._store.trials(TrialKind.CANDIDATE))
        if not spare:
            self._observer.phase("retraining", source.missing + len(left))
        self._runner.run(source, left)

    def _search_again(self) -> bool:
        """Goes on with the search if there is time for it; whether it has found out anything."""
        pace = self._pace()
        if not self._horizon.worth_searching_again(self._best(), pace):
            return False
        self._observer.message("info", "retraining was faster than expected: the search goes on")
        self._store.put_meta(phase="search")
        done = self._retrained_so_far()
        went_on = self._searching.go(self._runner, lambda best: self._horizon.search_end(best, done, pace))
        if not self._runner.stopping:
            self._store.put_meta(phase="final")
        return went_on

    def _retrained_so_far(self) -> timeplan.Done:
        return retrained(self._store.trials(TrialKind.CANDIDATE, TrialKind.WINNER))

    def _pace(self) -> timeplan.Pace:
        again = self._store.trials(TrialKind.CANDIDATE, TrialKind.WINNER)
        return timeplan.pace(again, {c.id: c for c in self._best()})

    def _best(self) -> list[Configuration]:
        best = self._searching.scored
        if not best:
            raise SearchFailed("no configuration gave a score; the table names the reason of each failure")
        return best

    # The winner

    def _make_winner(self) -> None:
        if self._store.meta("winner") is not None:
            return
        best = self._best()
        chosen = self._chosen(best)
        winner = self._train_winner(chosen)
        if self._runner.stopping:
            return
        self._store.put_meta(winner=winner.id if winner is not None else self._stand_in(chosen, best).id)
        if winner is not None:
            # They were kept in case that the final training would not get to its end.
            housekeeping.forget(self._run, self._store, self._store.trials(TrialKind.CANDIDATE))

    def _chosen(self, best: list[Configuration]) -> Configuration:
        """The candidate with the best mean over its fresh seeds; without retraining, the best of the search."""
        scores = fresh_scores(self._store.trials(TrialKind.CANDIDATE))
        measured = [c for c in best if scores.get(c.id)]
        if not measured:
            return best[0]
        sign = 1.0 if self._spec.objective.direction == "min" else -1.0
        return min(measured, key=lambda c: sign * statistics.fmean(scores[c.id]))

    def _train_winner(self, chosen: Configuration) -> Trial | None:
        """The whole final training of the chosen configuration; None if it failed, or there was no time for it."""
        with_validation = self._spec.final.train_on_validation
        epochs = best_length(self._store.trials(TrialKind.CANDIDATE), chosen) if with_validation else None
        earlier = self._winners(chosen)
        trial = next((t for t in earlier if t.state is TrialState.RUNNING or _whole(t)), None)
        if trial is None:
            if not self._has_time_for(chosen, epochs):
                return None
            trial = winner_trial(self._spec, chosen, epochs, self._horizon.budget.clock.now(), len(earlier) + 1)
        data, keep = ("train+validation", ("last",)) if with_validation else ("train", ("best",))
        source = ListSource(
            self._spec, self._store, self._horizon.budget.clock, self._training_end, [trial], data, keep
        )
        self._observer.phase("final training", 1)
        self._runner.run(source, unfinished(self._store.trials(TrialKind.WINNER)))
        done = self._store.trial(trial.id)
        return done if done is not None and _whole(done) else None

    def _has_time_for(self, chosen: Configuration, epochs: int | None) -> bool:
        left = self._horizon.retraining_left(self._best(), self._pace())
        expected = self._pace().factor * timeplan.training_seconds(chosen, epochs)
        if left is None or expected <= left:
            return True
        self._observer.message(
            "warning",
            f"no time for the final training: it takes about {expected:.0f} s, and {max(0.0, left):.0f} s are left",
        )
        return False

    def _winners(self, chosen: Configuration) -> list[Trial]:
        return [t for t in self._store.trials(TrialKind.WINNER) if t.configuration == chosen.id]

    def _stand_in(self, chosen: Configuration, best: list[Configuration]) -> Trial:
        """The trial with the best checkpoint there is, in place of a final training that failed or was cut short."""
        cut = [t for t in self._winners(chosen) if t.outcome is not None and t.outcome.epochs]
        found = self._best_seed(chosen) or _with_checkpoint(chosen)
        found = found or next((t for c in best if (t := _with_checkpoint(c)) is not None), None)
        found = found or next((t for t in cut if t.outcome is not None and (t.outcome.last or t.outcome.best)), None)
        if found is None:
            raise SearchFailed(f"the final training of {chosen.name} failed and no checkpoint of it is left")
        if self._winners(chosen):
            self._warn(f"the final training of {chosen.name} did not get to its end: {found.id} stands in for it")
        return found

    def _best_seed(self, chosen: Configuration) -> Trial | None:
        """The best whole training of the chosen configuration from a fresh seed."""
        sign = 1.0 if self._spec.objective.direction == "min" else -1.0
        scored = [
            (sign * trial.outcome.score, trial.id, trial)
            for trial in self._store.trials(TrialKind.CANDIDATE)
            if trial.configuration == chosen.id
            and trial.outcome is not None
            and trial.outcome.whole
            and trial.outcome.score is not None
            and trial.outcome.best is not None
        ]
        return min(scored)[2] if scored else None

    def _training_end(self) -> Deadline | None:
        return self._horizon.budget.training_end

    # What follows

    def _search_on(self) -> None:
        """Uses what is left of the time; trials that were begun and not ended get their end."""
        if self._timed_out and self._winner_is_whole():
            self._searching.go(self._runner, lambda _: self._training_end())
        elif unfinished(self._store.trials(TrialKind.SEARCH, TrialKind.BASELINE)):
            self._searching.finish(self._runner, lambda _: self._training_end())

    def _winner_is_whole(self) -> bool:
        """Its checkpoint is its own then; that of a search trial might have to give way to those of better ones."""
        winner = self._store.trial(self._store.meta("winner"))
        return winner is not None and winner.kind is TrialKind.WINNER

    def _evaluate(self) -> None:
        evaluation.save_rows(self._run, self._data)
        if self._data.test is None:
            self._observer.message("info", "the data has no test part: nothing is measured on unseen rows")
            return
        models = final_models(self._store)
        self._observer.phase("evaluation", len(models))
        for model in models:
            self._measure(model)

    def _measure(self, model: FinalModel) -> None:
        clock, seed = self._horizon.budget.clock, self._spec.search.seed
        try:
            self._evaluate_model(self._run, self._data, model, self._store, clock, seed)
        except (DiskError, CheckpointError):
            raise
        except Exception as error:
            # Whatever is wrong with one model, the others, the export and the report are there in the morning.
            self._warn(f"{model.trial.id} could not be measured on the test part ({type(error).__name__}: {error})")

    def _warn(self, text: str) -> None:
        self._store.add_event(self._horizon.budget.clock.now(), "warning", text)
        self._observer.message("warning", text)


def _whole(trial: Trial) -> bool:
    return trial.outcome is not None and trial.outcome.whole


def _with_checkpoint(configuration: Configuration) -> Trial | None:
    """The trial of a configuration that holds its best weights."""
    if configuration.best is None:
        return None
    holders = [t for t in configuration.trials if t.outcome is not None and t.outcome.best == configuration.best]
    return holders[-1] if holders else None


def final_models(store: RunStore) -> list[FinalModel]:
    """The winner and every baseline that finished, with the weights that their protocols leave them with."""
    winner = store.meta("winner")
    models = []
    for trial in store.trials():
        if trial.outcome is None or (trial.id != winner and trial.kind is not TrialKind.BASELINE):
            continue
        weights = trial.outcome.last or trial.outcome.best
        if weights is not None:
            models.append(FinalModel(trial, weights))
    return models
