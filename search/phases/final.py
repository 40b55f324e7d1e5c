"""After the search: train the best again with fresh seeds, choose by the mean, make the final model, measure it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from search.budget import Deadline
from search.errors import CheckpointError, DiskError, SearchFailed
from search.files.store import RunStore
from search.loop import housekeeping
from search.loop.giving_up import how_failed
from search.loop.observer import Observer
from search.loop.runner import Runner, unfinished
from search.phases.evaluation import Compare, Decide, Evaluate, FinalModel
from search.phases.retraining import RetrainingSource, retrained
from search.phases.searching import SearchEnd, Searching
from search.phases.winner import Alone, FinalModels, final_models, final_weights
from search.record.configuration import Configuration
from search.record.standing import answers_both_ways
from search.record.trial import Stop, Trial, TrialKind
from search.times import estimates, planning
from search.times.horizon import Horizon
from spaces import Dataset, SearchSpec
from spaces.basics.figures import score


class LastEnd:
    """When a search ends that goes on after the final training: at the end of all training.

    From when another final training and as much searching before it fit, that one has its time at the end.

    Args:
        horizon: Tells how much time is left.
        pace: How fast the machine trains after the search.
        may_win: Whether what it finds may have a final training.

    Attributes:
        leaves_room: Whether another final training has its time.
    """

    def __init__(self, horizon: Horizon, pace: estimates.Pace, may_win: bool) -> None:
        self._horizon = horizon
        self._pace = pace
        self._may_win = may_win
        self.leaves_room = False

    def __call__(self, best: Sequence[Configuration]) -> Deadline | None:
        if not self._may_win:
            self._horizon.measure(best, self._pace)
            return self._horizon.budget.training_end
        self.leaves_room = self.leaves_room or self._horizon.fits_twice(best, self._pace)
        if not self.leaves_room:
            return self._horizon.budget.training_end
        return self._horizon.last_search_end(best, self._pace)


class FinalPhase:
    """Finds and makes the winner. Everything that the store has already is not done again.

    Where a search was ended by time and there turns out to be more of it than retraining needs, the search goes on,
    and what it finds is retrained too; a rest that is too short for that goes into more seeds, and after the final
    training, or where there is no time for it, into further trials.

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
        decide: Chooses the threshold between two classes.
        compare: Compares several models together with one alone.
        alone: Lends all cores to one training.
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
        decide: Decide,
        compare: Compare,
        alone: Alone,
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
        self._decide_threshold = decide
        self._compare_models = compare
        self._models = FinalModels(spec, store, runner, horizon, observer, alone)

    def go(self) -> None:
        """Retrains, chooses, trains the winner and evaluates; returns early if the runner was asked to stop.

        Raises:
            SearchFailed: No configuration has a score.
        """
        for step in (self._reconsider, self._retrain, self._make_winner, self._search_on, self._evaluate):
            step()
            if self._runner.stopping:
                return

    # Retraining

    def _reconsider(self) -> None:
        """Forgets a winner that an earlier sitting has chosen where there is time now to find a better one."""
        if self._store.meta("winner") is None or self._measured or not self._timed_out:
            return
        if self._horizon.worth_searching_again(self._best(), self._pace()):
            self._store.put_meta(winner=None, threshold=None, ensemble=None)

    @property
    def _measured(self) -> bool:
        """Whether the winner has been measured on the test part, after which nothing else may win."""
        winner = self._store.meta("winner")
        return any(done.trial == winner for done in self._store.evaluations())

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
            end, clock = self._horizon.budget.training_end, self._horizon.budget.clock
            self._observer.outlook(None if end is None else clock.now() + end.left(clock), self._runner.workers)
        self._runner.run(source, left)

    def _search_again(self) -> bool:
        """Goes on with the search if there is time for it; whether it has found out anything."""
        pace = self._pace()
        if not self._horizon.worth_searching_again(self._best(), pace):
            return False
        self._observer.message("info", "there is time left: the search goes on")
        self._store.put_meta(phase="search")
        done = self._retrained_so_far()
        went_on = self._searching.go(self._runner, lambda best: self._horizon.search_end(best, done, pace))
        if not self._runner.stopping:
            self._store.put_meta(phase="final")
        return went_on

    def _retrained_so_far(self) -> planning.Done:
        return retrained(self._store.trials(TrialKind.CANDIDATE, TrialKind.WINNER))

    def _pace(self) -> estimates.Pace:
        again = self._store.trials(TrialKind.CANDIDATE, TrialKind.WINNER)
        return self._horizon.pace(again, {c.id: c for c in self._best()})

    def _best(self) -> list[Configuration]:
        best = self._searching.scored
        if not best:
            raise SearchFailed(f"no configuration gave a score; {self._why_no_score()}")
        # After few folds, which may be the easy ones, nothing is known as well as after all of them.
        return (
            best if self._spec.data.folds is None else sorted(best, key=lambda c: len(c.epochs) < self._spec.max_epochs)
        )

    def _why_no_score(self) -> str:
        trials = self._store.each_trial(TrialKind.SEARCH, TrialKind.BASELINE)
        ends = [trial.outcome for trial in trials]
        if self._timed_out and all(end is not None and end.stopped is Stop.DEADLINE and not end.epochs for end in ends):
            return (
                "the time was up before any training had an epoch: a longer time, fewer rows or smaller models are "
                "needed"
            )
        failures = [end.failure for end in ends if end is not None and end.failure is not None]
        if not failures:
            return "the table says how each training ended"
        return f"{len(failures)} of {len(ends)} failed {how_failed(failures)}"

    # The winner

    def _make_winner(self) -> None:
        winner = self._store.winner()
        if winner is not None:
            kept = [self._models.with_weights(trial) for trial in (winner, *self._members(winner))]
            winner = kept[0] if all(kept) else None
        if winner is None and not self._runner.stopping:
            best = self._best()
            winner = self._ensemble(best) or self._single(best)
            if winner is None and not self._runner.stopping:
                raise SearchFailed(f"no model of {best[0].name} or of the next best could be made, and none was kept")
        if winner is None:
            return
        if winner.id != self._store.meta("winner"):
            # What was chosen for a model that is lost is none for another one.
            self._store.put_meta(winner=winner.id, threshold=None)
        self._decide(winner)
        if winner.kind is TrialKind.WINNER:
            # They were kept in case that the final training would not get to its end.
            housekeeping.forget(self._run, self._store, self._store.trials(TrialKind.CANDIDATE))

    def _single(self, best: list[Configuration]) -> Trial | None:
        """What wins by itself. Where there is no time for a final training, the search has that time first.

        Nothing is put down before it is over: what it finds may be the better model.
        """
        winner = self._models.winner(best)
        tried = self._runner.stopping or bool(self._store.trials(TrialKind.WINNER))
        tried = tried or not self._use_up(lambda _: self._training_end)
        return winner if tried else self._models.winner(self._best())

    def _ensemble(self, best: list[Configuration]) -> Trial | None:
        """The first of several models that answer together, where that is wanted and measurably better."""
        wanted = self._spec.final.ensemble
        if wanted == 1:
            return None
        self._store.put_meta(ensemble=None)
        if self._models.shown_at_the_end(best):
            self._say(
                f"no ensemble of {wanted}: the learning rate of the best has not gone to its end in the search, as it "
                "does in the final training, which wins alone"
            )
            return None
        members = self._models.members(best, wanted)
        if len(members) < 2:
            self._say(f"an ensemble of {wanted} needs models of at least two configurations: the winner is alone")
            return None
        rival = self._models.alone(best)
        if rival is None:
            self._say(f"no model is kept of what is best alone, to compare {len(members)} models with: it wins alone")
            return None
        left = self._horizon.retraining_left(best, self._pace())
        named = {c.id: c for c in best}
        measured = {trial.id: named[trial.configuration] for trial in (*members, rival)}
        expected = self._horizon.measuring_seconds(list(measured.values()))
        if left is not None and left < expected:
            self._say(f"no time to see what {len(members)} models are together: it takes about {expected:.0f} s")
            return None
        try:
            self._observer.phase("comparing an ensemble", len(members))
            models, one = [self._final_model(trial) for trial in members], self._final_model(rival)
            by_accuracy = self._spec.objective.direction == "max"
            found, times = self._compare_models(self._run, self._data, models, one, by_accuracy)
        except (DiskError, CheckpointError):
            raise
        except (Exception, SystemExit) as error:
            # The winner alone is there in the morning.
            self._models.warn(f"{len(members)} models could not be compared ({type(error).__name__}: {error})")
            return None
        facts = {"measure": found.measure, "together": found.together, "alone": found.alone, "times": times}
        facts["rival"] = rival.configuration
        chosen = [trial.id for trial in members] if found.better else []
        self._store.put_meta(
            ensemble={"trials": chosen, "certainty": found.certainty, "rows": len(self._data.validation), **facts}
        )
        answer = f"they answer together, in {times:.1f} times the time" if chosen else "that is not measurably better"
        best_alone = f"the baseline {rival.name}" if rival.name else "the best of them"
        self._say(
            f"{len(members)} models together: {found.measure} {score(found.together)} on the validation rows, "
            f"{best_alone} alone {score(found.alone)}; {answer}"
        )
        return members[0] if chosen else None

    def _final_model(self, trial: Trial) -> FinalModel:
        weights = final_weights(trial)
        assert weights is not None
        return FinalModel(trial, weights, answers_both_ways(self._spec, trial))

    def _say(self, text: str) -> None:
        self._store.add_event(self._horizon.budget.clock.now(), "info", text)
        self._observer.message("info", text)

    def _decide(self, winner: Trial) -> None:
        # Models that answer together were compared at one half.
        if self._store.meta("threshold") is not None or self._members(winner):
            return
        judges = self._models.judges(winner, self._best())
        models = [FinalModel(trial, weights, answers_both_ways(self._spec, trial)) for trial, weights in judges]
        objective = self._spec.objective.name.removeprefix("val_")
        try:
            self._decide_threshold(self._run, self._data, models, self._store, objective)
        except (DiskError, CheckpointError):
            raise
        except (Exception, SystemExit) as error:
            self._models.warn(f"no threshold could be chosen ({type(error).__name__}: {error}): it stays one half")

    # What follows

    def _search_on(self) -> None:
        """Uses what is left of the time; trials that were begun and not ended get their end.

        A winner that nothing but the search has chosen gives way to what leads it by then, while a final training and
        as much searching before it fit. That is asked again as the search goes on: all that is known of how long one
        takes may be an epoch that was slow because it was the first.
        """
        went_on, may_win = False, not self._store.ensemble() and self._models.gives_way(self._best())
        while True:
            end = self._last_end(may_win)
            if self._use_up(end):
                went_on = True
                if self._runner.stopping:
                    return
                may_win = end.leaves_room and self._models.gives_way(self._best(), self._store.winner())
                if may_win:
                    self._store.put_meta(winner=None, threshold=None)
                    self._make_winner()
            elif may_win and not self._runner.stopping:
                # Not even a first epoch fits before another final training, but one may in that one's place.
                may_win = False
            else:
                break
        if not went_on and self._store.running(TrialKind.SEARCH, TrialKind.BASELINE):
            self._searching.finish(self._runner, lambda _: self._training_end)

    def _last_end(self, may_win: bool) -> LastEnd:
        """When a search after the final training ends; what it finds may have to be trained as a whole then."""
        winner = None if may_win or self._store.ensemble() else self._store.winner()
        named = {} if winner is None else {c.id: c for c in self._best()}
        self._horizon.settle(None if winner is None else named.get(winner.configuration))
        return LastEnd(self._horizon, self._pace(), may_win)

    @property
    def _training_end(self) -> Deadline | None:
        return self._horizon.budget.training_end

    def _use_up(self, end: SearchEnd) -> bool:
        """Goes on with a search that time has ended, until then; whether anything was trained."""
        searches = self._timed_out and not self._runner.stopping and not self._measured
        return searches and self._searching.go(self._runner, end)

    def _evaluate(self) -> None:
        if self._data.test is None:
            self._observer.message("info", "the data has no test part: nothing is measured on unseen rows")
            return
        models = final_models(self._store)
        self._observer.phase("evaluation", len(models))
        for trial in models:
            found = self._models.with_weights(trial)
            if self._runner.stopping:
                return
            weights = final_weights(found) if found is not None else None
            if found is None or weights is None:
                self._models.warn(f"{trial.id}: is not measured, since its model is lost")
                continue
            self._measure(FinalModel(found, weights, answers_both_ways(self._spec, found), self._others(found)))

    def _members(self, winner: Trial) -> list[Trial]:
        """Trials of the models that answer together with the winner."""
        found = map(self._store.trial, self._store.answering_with(winner.id))
        return [trial for trial in found if trial is not None]

    def _others(self, trial: Trial) -> tuple[FinalModel, ...]:
        """Models that answer together with a final one."""
        return tuple(map(self._final_model, self._members(trial)))

    def _measure(self, model: FinalModel) -> None:
        clock, seed = self._horizon.budget.clock, self._spec.search.seed
        try:
            self._evaluate_model(self._run, self._data, model, self._store, clock, seed)
        except (DiskError, CheckpointError):
            raise
        except (Exception, SystemExit) as error:
            # Whatever is wrong with one model, the others, the export and the report are there in the morning.
            self._models.warn(
                f"{model.trial.id} could not be measured on the test part ({type(error).__name__}: {error})"
            )
