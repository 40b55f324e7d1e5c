"""The winner of a run: chosen by its fresh trainings, trained once more as a whole, or what there is in its place."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from search.files import checkpoint as checkpoints
from search.files.store import RunReader, RunStore
from search.loop.observer import Observer
from search.loop.runner import Runner, unfinished
from search.loop.warn import warn
from search.phases.retraining import best_length
from search.phases.sources import ListSource, winner_trial
from search.record.configuration import Configuration, fresh_scores
from search.record.marks import OWN
from search.record.trial import ENDED_EARLY, Checkpoint, Outcome, Stop, Trial, TrialKind, TrialState
from search.times import estimates, planning
from search.times.horizon import Horizon
from search.training.stopping import pace
from spaces import SearchSpec, Settings
from spaces.basics.figures import score as figure

# So many final trainings may fail before a model of the search is taken.
_MOST_ATTEMPTS = 3
# A process with all cores takes some seconds to begin.
_WORTH_SECONDS = 20.0
# From so much of its length on, the rate of a final training is nearly at its end.
_NEAR = 0.8

Alone = Callable[[], AbstractContextManager[Runner]]
"""A runner whose training has all cores to itself, for as long as the context lasts."""


class FinalModels:
    """Chooses and trains the winner, and looks after the checkpoints of all final models.

    Args:
        spec: The space file.
        store: The run store.
        runner: Trains.
        horizon: Tells how much time is left.
        observer: Is told what happens.
        alone: Lends all cores to one training.
    """

    def __init__(
        self,
        spec: SearchSpec,
        store: RunStore,
        runner: Runner,
        horizon: Horizon,
        observer: Observer,
        alone: Alone,
    ) -> None:
        self._spec = spec
        self._store = store
        self._runner = runner
        self._horizon = horizon
        self._observer = observer
        self._alone = alone

    def winner(self, best: Sequence[Configuration]) -> Trial | None:
        """The trial whose model is exported: the final training of the chosen configuration, or what stands in for it.

        Args:
            best: Configurations with scores, best first.

        Returns:
            The trial; None if nothing has a model, or the runner was asked to stop.
        """
        chosen = self._chosen(best)
        self._leave_others(chosen)
        order, leads = [chosen, *(c for c in best if c is not chosen)], chosen
        for i, configuration in enumerate(order):
            trained = self._train(configuration, best) if i < _MOST_ATTEMPTS else None
            if self._runner.stopping:
                return None
            if trained is not None:
                return self._better(trained, chosen, best)
            found = next((t for t in self._stand_ins(configuration) if self._kept(t)), None)
            if found is not None and self._is_behind(found, chosen, best):
                why = (
                    f"the final training of {chosen.name} did not get far"
                    if self._winners(chosen)
                    else f"{chosen.name} has no final training"
                )
                leads = best[0]
                self.warn(f"{why}: {leads.name} stays ahead of it")
                continue
            if found is not None:
                cut = f"the final training of {configuration.name} did not get to its end"
                if found.kind is TrialKind.WINNER:
                    self.warn(f"{cut}: its best epoch is taken")
                elif self._winners(configuration):
                    self.warn(f"{cut}: {found.id} stands in for it")
                elif configuration is not leads:
                    self.warn(
                        f"{found.id} of {configuration.name} stands in for {leads.name}, of which no model is left"
                    )
                return found
            self.warn(f"{configuration.name}: no model of it was kept, or could be made")
        # Late is better than nothing: without any model that was kept one is trained whatever the time.
        return self._train(chosen, best, whatever=True)

    def members(self, best: Sequence[Configuration], most: int) -> list[Trial]:
        """Trials on the training rows of the best configurations, each of another, the chosen one first.

        Args:
            best: Configurations with scores, best first.
            most: How many, at most.
        """
        fresh = fresh_scores(self._store.trials(TrialKind.CANDIDATE))
        again = sorted((c for c in best if c.id in fresh), key=lambda c: self._sign * statistics.fmean(fresh[c.id]))
        found: list[Trial] = []
        for configuration in [*again, *(c for c in best if c.id not in fresh)]:
            models = (t for t in self._stand_ins(configuration) if t.kind is not TrialKind.WINNER and self._kept(t))
            found += [] if configuration.baseline else [trial for trial, _ in zip(models, range(1), strict=False)]
        return found[:most]

    def alone(self, best: Sequence[Configuration]) -> Trial | None:
        """The model on the training rows of what would win by itself; None if none is kept.

        Args:
            best: Configurations with scores, best first.
        """
        models = self._stand_ins(self._leader(best))
        return next((t for t in models if t.kind is not TrialKind.WINNER and self._kept(t)), None)

    def shown_at_the_end(self, best: Sequence[Configuration]) -> bool:
        """Whether it takes the final training to show what would win alone is like: its rate has a way to go yet.

        Args:
            best: Configurations with scores, best first.
        """
        chosen = self._chosen(best)
        return chosen.id not in fresh_scores(self._store.trials(TrialKind.CANDIDATE)) and _rate_has_a_way_to_go(chosen)

    def gives_way(self, best: Sequence[Configuration], winner: Trial | None = None) -> bool:
        """Whether a winner was chosen by its score in the search alone, which a later one may beat.

        Where the rate goes to its end in the final training only, or each score is one of several folds, a model of
        the search is no match for a final one.

        Args:
            best: Configurations with scores, best first.
            winner: The trial whose model is exported, which is not to be one of the first of them; None: of any.
        """
        searched = self._spec.data.folds is None and not fresh_scores(self._store.trials(TrialKind.CANDIDATE))
        another = winner is None or winner.configuration != best[0].id
        return searched and another and not estimates.is_annealed(best[0])

    def with_weights(self, trial: Trial) -> Trial | None:
        """The trial of a final model with its weights, trained again if they are lost; None if that fails too."""
        if self._kept(trial):
            return trial
        self.warn(f"{trial.id}: its checkpoint is lost or damaged; training it again")
        self._observer.phase("training again", 1)
        # What the search has begun goes on in it, where its oracle learns of the end.
        begun = [] if trial.kind in OWN else unfinished(self._store.trials(trial.kind))
        with self._for(trial) as runner:
            runner.run(self._source([], trial.kind), [*begun, trial])
        renewed = self._store.trial(trial.id)
        return renewed if renewed is not None and self._kept(renewed) else None

    def judges(self, winner: Trial, best: Sequence[Configuration]) -> list[tuple[Trial, Checkpoint]]:
        """Kept trainings of the winner's configuration, with weights, that never saw the validation rows.

        Args:
            winner: The trial whose model is exported.
            best: Configurations with scores, the winner's among them.
        """
        if winner.kind is not TrialKind.WINNER or not self._spec.final.train_on_validation:
            found = [winner]
        else:
            again = self._store.trials(TrialKind.CANDIDATE)
            fresh = [trial for trial in again if trial.configuration == winner.configuration and self._kept(trial)]
            whole = [trial for trial in fresh if trial.outcome is not None and trial.outcome.whole]
            searched = [trial for c in best if c.id == winner.configuration for trial in c.trials if self._kept(trial)]
            # What time has cut short answers otherwise than the model that is exported.
            found = whole or searched[-1:] or fresh
        return [(trial, weights) for trial in found if (weights := _unseen(trial)) is not None]

    def warn(self, text: str) -> None:
        """Records and tells a warning."""
        warn(self._store, self._horizon.budget.clock, self._observer, text)

    def _leader(self, best: Sequence[Configuration]) -> Configuration:
        """The candidate with the best mean over its fresh seeds; without retraining, the best of the search."""
        scores = fresh_scores(self._store.trials(TrialKind.CANDIDATE))
        measured = [c for c in best if scores.get(c.id)]
        return min(measured, key=lambda c: self._sign * statistics.fmean(scores[c.id])) if measured else best[0]

    def _chosen(self, best: Sequence[Configuration]) -> Configuration:
        """What leads, and is trained as a whole.

        Without retraining, what is no result of the search gives way to one whose rate has not gone to its end yet:
        only its final training shows what that is worth. See `planning.leading`.
        """
        led, scores = self._leader(best), fresh_scores(self._store.trials(TrialKind.CANDIDATE))
        found = planning.leading(best) if led.id not in scores else None
        return found if found is not None and _rate_has_a_way_to_go(found) else led

    def _better(self, trained: Trial, chosen: Configuration, best: Sequence[Configuration]) -> Trial:
        """The final training, or what led before it where that is better on the same validation rows."""
        led, score = best[0], _score(trained)
        if score is None or not self._is_behind(trained, chosen, best):
            return trained
        found = next((t for t in self._stand_ins(led) if self._kept(t)), None)
        if found is None:
            return trained
        self.warn(f"the final training of {chosen.name} reached {figure(score)}: {led.name} stays ahead of it")
        return found

    def _is_behind(self, trial: Trial, chosen: Configuration, best: Sequence[Configuration]) -> bool:
        """Whether a model of the chosen configuration is worse than what gave way to it, on the same rows."""
        led, score = best[0], _score(trial)
        if led is chosen or led.score is None or score is None or trial.configuration != chosen.id:
            return False
        # What leads by fresh seeds is the better one, whatever the search has seen of the other.
        return not fresh_scores(self._store.trials(TrialKind.CANDIDATE)) and self._sign * score > self._sign * led.score

    @property
    def _sign(self) -> float:
        return 1.0 if self._spec.objective.direction == "min" else -1.0

    def _train(
        self, configuration: Configuration, best: Sequence[Configuration], whatever: bool = False
    ) -> Trial | None:
        """The whole final training of a configuration; None if it failed, or there was no time for it."""
        trial = self._begun_or_new(configuration, best, whatever)
        if trial is None:
            return None
        whole = estimates.is_annealed(configuration) and not whatever
        with self._for(trial) as runner:
            while trial is not None:
                self._observer.phase("final training", 1)
                left = unfinished(self._winners(configuration))
                runner.run(self._source([trial], TrialKind.WINNER, whatever, whole), left)
                done = self._store.trial(trial.id)
                if done is None or _is_whole(done) or self._runner.stopping:
                    break
                trial = self._shortened(done, configuration)
        return self.with_weights(done) if done is not None and _is_whole(done) else None

    def _leave_others(self, chosen: Configuration) -> None:
        """Ends interrupted final trainings of other configurations: what leads by now has their time."""
        for trial in unfinished(self._store.trials(TrialKind.WINNER)):
            if trial.configuration != chosen.id:
                outcome = replace(trial.outcome or Outcome(), stopped=Stop.DEADLINE)
                self._store.finish(trial.id, outcome, trial.started + outcome.seconds)

    def _begun_or_new(
        self, configuration: Configuration, best: Sequence[Configuration], whatever: bool
    ) -> Trial | None:
        """The final training that there is of a configuration, or a new one; None if there is no time for it."""
        earlier = self._winners(configuration)
        trial = next((t for t in earlier if t.state is TrialState.RUNNING or _is_whole(t)), None)
        trial = trial or (self._shortened(earlier[-1], configuration) if earlier else None)
        if trial is not None:
            return trial
        epochs = self._length(configuration, best, whatever)
        if epochs is None:
            return None
        trial = winner_trial(self._spec, configuration, epochs, self._horizon.budget.clock.now(), len(earlier) + 1)
        saved = (1 - self._horizon.alone) * estimates.final_training_seconds(configuration, epochs)
        if saved > _WORTH_SECONDS:
            # Whenever it is trained again, with as many threads: they decide the last digits of its numbers.
            self._train_alone(trial)
        return trial

    def _shortened(self, cut: Trial, configuration: Configuration) -> Trial | None:
        """What goes on from a final training that has become too slow, its rate falling to its end in the time left.

        Args:
            cut: The training that time has stopped.
            configuration: What it trains.

        Returns:
            A trial of fewer epochs, of as many where there is time for them now; None where it would have no epoch, or
            fewer at a rate that stays as it is: that would be a part of the training, not the whole of a shorter one.
        """
        outcome, left = cut.outcome, self._horizon.budget.training_left
        if outcome is None or outcome.stopped is not Stop.DEADLINE or outcome.state is None or not outcome.epochs:
            return None
        reached, epochs = outcome.state.epoch, cut.epochs_to
        if left is not None:
            epochs = min(epochs, reached + math.floor((left - outcome.build_seconds) / pace(outcome.epochs)))
        falls = estimates.schedule_end(cut.settings) is not None
        if epochs <= reached or (epochs < cut.epochs_to and not falls):
            return None
        if epochs < cut.epochs_to:
            self.warn(
                f"the machine has become slower: the final training ends after {epochs} epochs instead of "
                f"{cut.epochs_to}"
            )
        attempt = len(self._winners(configuration)) + 1
        trial = winner_trial(self._spec, configuration, epochs, self._horizon.budget.clock.now(), attempt)
        if cut.id in self._store.meta("trained_alone", []):
            self._train_alone(trial)
        return replace(trial, epochs_from=reached, parent=cut.id)

    def _train_alone(self, trial: Trial) -> None:
        self._store.put_meta(trained_alone=[*self._store.meta("trained_alone", []), trial.id])

    def _for(self, trial: Trial) -> AbstractContextManager[Runner]:
        """What trains a final model: the search's executor, or all cores together."""
        return self._alone() if trial.id in self._store.meta("trained_alone", []) else nullcontext(self._runner)

    def _length(self, configuration: Configuration, best: Sequence[Configuration], whatever: bool) -> int | None:
        """Epochs of the final training; None if there is no time for it."""
        again = self._store.trials(TrialKind.CANDIDATE, TrialKind.WINNER)
        pace = self._horizon.pace(again, {c.id: c for c in best})
        left = self._horizon.retraining_left(best, pace)
        own = Settings.from_json(configuration.settings).training
        if own.folds:
            return self._length_after_folds(configuration, None if whatever else left, pace)
        if own.schedule == "constant":
            fresh = self._store.trials(TrialKind.CANDIDATE)
            wanted = best_length(fresh, configuration) if self._spec.final.train_on_validation else None
            expected = pace.factor * pace.alone * estimates.training_seconds(configuration, wanted)
            epochs = (wanted or own.epochs) if whatever or left is None or expected <= left else None
        else:
            # The best epoch of the search is no length to train for: what counts is that the rate goes to its end.
            length = self._tried_length(configuration, own.epochs)
            expected = pace.factor * pace.alone * estimates.training_seconds(configuration, length)
            epochs = estimates.annealed_epochs(configuration, None if whatever else left, pace, length)
            if epochs is not None and epochs < length:
                self.warn(f"time is short: the final training has {epochs} epochs instead of {length}")
        if epochs is None:
            self._say_no_time(expected, left or 0.0)
        return epochs

    def _tried_length(self, configuration: Configuration, length: int) -> int:
        """Epochs of a whole training: only the frozen ones where nobody has seen what fine-tuning makes of it."""
        frozen = length if configuration.price is None else configuration.price.frozen
        fresh = (t for t in self._store.trials(TrialKind.CANDIDATE) if t.configuration == configuration.id)
        seen = [*configuration.epochs, *(epoch for t in fresh if t.outcome for epoch in t.outcome.epochs)]
        if frozen >= length or any(epoch.number > frozen for epoch in seen):
            return length
        self.warn(f"{configuration.name}: was never fine-tuned, so its final training ends with the frozen epochs")
        return frozen

    def _length_after_folds(self, configuration: Configuration, left: float | None, pace: estimates.Pace) -> int | None:
        """The same after a cross-validation: as long as its folds were trained until they were best."""
        own = Settings.from_json(configuration.settings).training
        fresh = self._store.trials(TrialKind.CANDIDATE)
        epochs = best_length(fresh, configuration) if own.schedule == "constant" else own.fold_epochs
        expected = pace.factor * pace.alone * estimates.final_training_seconds(configuration)
        if left is None or expected <= left:
            return epochs
        self._say_no_time(expected, left)
        return None

    def _say_no_time(self, expected: float, left: float) -> None:
        self._observer.message(
            "warning",
            f"no time for the final training: it takes about {expected:.0f} s, and {max(0.0, left):.0f} s are left",
        )

    def _winners(self, configuration: Configuration) -> list[Trial]:
        return [t for t in self._store.trials(TrialKind.WINNER) if t.configuration == configuration.id]

    def _stand_ins(self, configuration: Configuration) -> Iterator[Trial]:
        """Trials of a configuration that hold a model of it, the best one first."""
        fresh = [
            (self._sign * trial.outcome.score, trial.id, trial)
            for trial in self._store.trials(TrialKind.CANDIDATE)
            if trial.configuration == configuration.id
            and trial.outcome is not None
            and trial.outcome.whole
            and trial.outcome.score is not None
        ]
        yield from (trial for *_, trial in sorted(fresh)[:1])
        best = [t for t in reversed(configuration.trials) if t.outcome and t.outcome.best == configuration.best]
        cut = [t for t in self._winners(configuration) if t.outcome is not None and t.outcome.epochs]
        # On the same validation rows, what time has cut short may still be the better model.
        found = [*(best if configuration.best is not None else []), *cut]
        yield from sorted(found, key=lambda t: self._sign * score if (score := _score(t)) is not None else math.inf)

    def _source(self, trials: list[Trial], kind: TrialKind, whatever: bool = False, whole: bool = False) -> ListSource:
        budget = self._horizon.budget
        data, keep = self._protocol(kind)
        deadline = (lambda: None) if whatever else (lambda: budget.training_end)
        return ListSource(self._spec, self._store, budget.clock, deadline, trials, data, keep, whole)

    def _protocol(self, kind: TrialKind) -> tuple[str, tuple[str, ...]]:
        """Which rows a final model is trained on, and which of its checkpoints are kept."""
        if kind is TrialKind.BASELINE:
            return "train", ("best", "last")
        if kind is TrialKind.WINNER and self._spec.final.train_on_validation:
            return "train+validation", ("last",)
        return "train", ("best",)

    def _kept(self, trial: Trial) -> bool:
        weights = final_weights(trial)
        return weights is not None and checkpoints.intact(self._store.directory, weights)


def final_models(store: RunStore) -> list[Trial]:
    """The winner and every baseline that finished, those that have been measured left out."""
    winner = store.winner()
    measured = {done.trial for done in store.evaluations()}
    models = {trial.id: trial for trial in (*store.trials(TrialKind.BASELINE), winner) if trial is not None}
    return [trial for trial in models.values() if trial.id not in measured and final_weights(trial) is not None]


def final_weights(trial: Trial) -> Checkpoint | None:
    """The weights that its protocol leaves a final model with."""
    return None if trial.outcome is None else trial.outcome.last or trial.outcome.best


def _rate_has_a_way_to_go(configuration: Configuration) -> bool:
    """Whether the search has not trained it until its rate was at its end, as its final training does."""
    length = Settings.from_json(configuration.settings).training.epochs
    ended = configuration.stopped in ENDED_EARLY or len(configuration.epochs) >= length
    return estimates.is_annealed(configuration) and not ended


def _score(trial: Trial) -> float | None:
    return None if trial.outcome is None else trial.outcome.score


def _unseen(trial: Trial) -> Checkpoint | None:
    return None if trial.outcome is None else trial.outcome.best or trial.outcome.last


def winner_is_kept(store: RunReader) -> bool:
    """Whether the weights of the model that the run ended with are there as they were recorded."""
    winner = store.winner()
    models = [winner, *map(store.trial, store.answering_with(store.meta("winner")))]
    weights = [None if trial is None else final_weights(trial) for trial in models]
    return all(one is not None and checkpoints.intact(store.directory, one) for one in weights)


def _is_whole(trial: Trial) -> bool:
    """Whether a final training got to its end, or so near that its rate was all but there."""
    outcome = trial.outcome
    if outcome is None or outcome.whole:
        return outcome is not None
    near = bool(outcome.epochs) and outcome.epochs[-1].number >= _NEAR * trial.epochs_to
    annealed = trial.settings["training"].get("schedule") != "constant"
    return outcome.stopped is Stop.DEADLINE and annealed and near and final_weights(trial) is not None
