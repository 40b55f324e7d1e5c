"""What each phase of a run trains: the baselines and the oracle's proposals, the candidates, the winner."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import spaces
from search.budget import Deadline, MovingDeadline
from search.clock import Clock
from search.errors import NotReported, SearchFailed
from search.files.store import RunStore
from search.loop import housekeeping
from search.loop.giving_up import Failures
from search.loop.line import Line
from search.loop.runner import Commit, Lesson
from search.phases.gain import HourlyGain
from search.phases.proposer import Proposal, Proposer, is_comparable, telling_epochs
from search.phases.schedule import planned
from search.record.configuration import Configuration
from search.record.folds import Bars
from search.record.seeds import configuration_seed, derive
from search.record.standing import Standing, folds_needed, most_needed
from search.record.trial import Outcome, Stop, Trial, TrialJob, TrialKind, TrialState
from search.training.stopping import unreported
from spaces import SearchSpec, Settings

# So many trainings say how long the next one will take until it has an epoch.
_RECENT, _SETTLED = 25, 3


class BaseSource:
    """What the sources share: how a trial of this run becomes a job.

    Args:
        spec: The space file.
        clock: Tells the time.
        deadline: When its trials have to be over, or None; asked again for every trial, also for those that wait and
            run.
    """

    def __init__(self, spec: SearchSpec, clock: Clock, deadline: Callable[[], Deadline | None]) -> None:
        self._spec = spec
        self._clock = clock
        self._ask_deadline = deadline
        self._end: Deadline | None = None

    @property
    def waiting(self) -> bool:
        return False

    def state(self) -> Mapping[str, Any] | None:
        return None

    def tell(self) -> Lesson | None:
        return None

    def done(self, trial: Trial, outcome: Outcome) -> Commit:
        return Commit()

    def check(self) -> None:
        pass

    def job(self, trial: Trial) -> TrialJob:
        limits, objective = self._spec.limits, self._spec.objective
        return TrialJob(
            trial_id=trial.id,
            settings=followed(_spanned(trial), self._spec),
            seed=trial.seed,
            objective=objective.name,
            direction=objective.direction,
            epochs_from=trial.epochs_from,
            epochs_to=trial.epochs_to,
            keep=self._keep(trial),
            data="train",
            max_parameters=self._spec.constraints.parameters if trial.kind is TrialKind.SEARCH else None,
            deadline=self._moving(),
            seconds_per_trial=limits.seconds_per_trial,
            seconds_per_epoch=limits.seconds_per_epoch,
        )

    def _keep(self, trial: Trial) -> tuple[str, ...]:
        return ("best",)

    def _deadline(self) -> Deadline | None:
        """When trials have to be over as it looks now, which holds from now on for those that wait and run too."""
        self._end = self._ask_deadline()
        return self._end

    def _moving(self) -> Deadline | None:
        """The same, as a job has it: by the end of other trials it may turn out that there is less time, or more."""
        found = self._deadline()
        return None if found is None else MovingDeadline(lambda: self._end or found)

    def _left(self, first: bool = False) -> float:
        """Seconds until the deadline, see `Deadline.left`."""
        deadline = self._deadline()
        return math.inf if deadline is None else deadline.left(self._clock, first)


class SearchSource(BaseSource):
    """The baselines of the space file, then whatever the oracle proposes.

    By `search.order: free` the oracle learns of a trial when it ends. By `fixed` the trials stand in a line in the
    order in which they were asked for; with n slots the k-th is asked for when exactly the first k - n have been told,
    whatever else has ended by then. What ends out of turn is committed at once and told in its turn.

    Args:
        spec: The space file.
        proposer: Asks the oracle; already restored to the store's last commit.
        store: Tells what has been asked for before.
        clock: Tells the time for the records.
        deadline: When the search has to end, or None.
        most: Number of trials after which the search ends, baselines not counted; None: the oracle ends it, or time.
        at_once: Tells how many trials are trained at the same time; more may be asked for.

    Attributes:
        standing: The configurations so far.
        begun: Trials that were asked for since this was made.
        ended: Why `next` gives no more trials, in a word; empty while it does.
        given_up: Why failures say that it is of no use to go on, in words; None: they do not.
    """

    def __init__(
        self,
        spec: SearchSpec,
        proposer: Proposer,
        store: RunStore,
        clock: Clock,
        deadline: Callable[[], Deadline | None],
        most: int | None,
        at_once: Callable[[], int] = lambda: 1,
    ) -> None:
        super().__init__(spec, clock, self._asked)
        self._ask_end = deadline
        self._most = most
        self._at_once = at_once
        self._proposer = proposer
        self._store = store
        limit = spec.limits.disk
        self._folds = folds_needed(spec)
        self.standing = Standing(spec.objective.direction, most_needed(spec), store.trial, self._folds)
        self._disk = None if limit is None else housekeeping.DiskUse(store.directory, limit)
        self._searched = 0
        self._failures = Failures()
        # What the last trials that began from scratch took for their first epoch, building included.
        self._first_epochs: deque[float] = deque(maxlen=_RECENT)
        self._forgotten = 0
        self._gain = HourlyGain(spec, proposer, store)
        cross = spec.data.folds
        pauses = cross is not None and cross.pause and not spec.algorithm.multi_fidelity
        self._bars = Bars(spec.objective.name, spec.objective.direction, cross.folds) if cross and pauses else None
        self._unreported: str | None = None
        asked: list[str] = []
        in_line, told = spec.search.order == "fixed", store.meta("told", 0)
        ended_untold: set[str] = set()
        for trial in store.each_trial(TrialKind.SEARCH, TrialKind.BASELINE, TrialKind.EVIDENCE):
            self.standing.take(trial)
            self._searched += trial.kind is TrialKind.SEARCH
            self._learn_length(trial, trial.outcome)
            self._gain.take(trial.outcome)
            if trial.outcome is not None and trial.state is not TrialState.RUNNING:
                if not in_line:
                    self._failures.add(trial.outcome, trial.finished)
                elif trial.kind is TrialKind.EVIDENCE or len(asked) < told:
                    self._failures.add(trial.outcome)
                else:
                    ended_untold.add(trial.id)
            if trial.kind is not TrialKind.EVIDENCE:
                asked.append(trial.id)
        # What had ended before an earlier sitting gave up says nothing of whether the cause is gone by now.
        self._excused = ended_untold if self._failures.reason_to_stop is not None else set()
        self._baselines = [b for b in spec.baselines if baseline_id(b.name) not in self.standing]
        self._line = Line(asked, told) if in_line else None
        untold = set() if self._line is None else self._line.untold
        for trial in store.each_trial(TrialKind.SEARCH, TrialKind.BASELINE) if self._bars is not None else ():
            if trial.id not in untold and trial.state is TrialState.COMPLETED:
                self._raise_bars(trial.outcome)
        self._waiting = False
        self._closed = False
        self.begun = 0
        self.ended = ""
        self.given_up: str | None = None

    def close(self) -> None:
        """Proposes no further trial."""
        self._closed = True

    @property
    def waiting(self) -> bool:
        return self._waiting

    def next(self, slots: int) -> Trial | None:
        self._waiting = False
        if self._closed:
            return None
        self.ended = ""
        if self._left(first=True) <= self._first_epoch():
            self.ended = "deadline"
            return None
        if self.given_up is not None:
            self.ended = "failures"
            return None
        if self._line is not None and self._line.is_full(slots):
            self._waiting = True
            return None
        if self._baselines:
            return self._begun(baseline_trial(self._spec, self._baselines.pop(0), self._clock.now()))
        most = self._limit()
        if most is not None and self._searched >= most:
            self.ended = "max_trials"
            return None
        if self._gain.settled:
            self.ended = "gain"
            return None
        best = self.standing.best(1)
        self._proposer.beat(best[0].score if best else None)
        trial = self._proposed()
        if trial is None:
            self.ended = "exhausted"
            return None
        if self._left(first=trial.parent is None) <= self._preparing(trial):
            self._proposer.withdraw(trial.id)
            self.ended = "deadline"
            return None
        reconsidered = self._gain.too_little
        self._gain.estimate(self._at_once())
        if reconsidered and self._gain.too_little:
            self._proposer.withdraw(trial.id)
            self.ended = "gain"
            return None
        self._searched += 1
        return self._begun(trial)

    def _asked(self) -> Deadline | None:
        found = self._ask_end()
        return None if found is None else replace(found, first_epoch=self._first_epoch())

    def _limit(self) -> int | None:
        # An oracle that ends by itself no longer does so when it fails at every question.
        if self._most is None and self._proposer.failed:
            return planned(self._spec, timed=self._deadline() is not None).trials
        return self._most

    def _proposed(self) -> Trial | None:
        proposal = self._proposer.ask()
        if not isinstance(proposal, Proposal):
            return None
        try:
            return self._trial(proposal)
        except Exception as error:
            # An oracle may want what is no configuration of the space, or go on from what never was.
            substitute = self._proposer.instead(proposal, error)
            return self._trial(substitute) if isinstance(substitute, Proposal) else None

    def tell(self) -> Lesson | None:
        # What would be told after the last question would be missing before the next one, if there comes to be one.
        if self._line is None or self._line.first is None or self.ended in ("deadline", "max_trials", "failures"):
            return None
        trial = self.standing.trial(self._line.first)
        if trial is None or trial.state is TrialState.RUNNING or trial.outcome is None:
            return None
        self._count(trial.outcome, excused=trial.id in self._excused)
        return Lesson(trial.id, self._learnt(trial, trial.outcome), self._line.leave())

    def state(self) -> Mapping[str, Any] | None:
        return self._proposer.state()

    @property
    def unfinished(self) -> list[Trial]:
        """Trials that were asked for and have no end yet, oldest first."""
        return self.standing.running

    def done(self, trial: Trial, outcome: Outcome) -> Commit:
        state = TrialState.FAILED if outcome.failure else TrialState.COMPLETED
        self.standing.take(replace(trial, state=state, outcome=outcome, oracle=None))
        self._learn_length(trial, outcome)
        self._gain.take(outcome)
        if self._line is None:
            self._count(outcome)
        if self._disk is not None:
            self._disk.add(outcome)
        if outcome.failure is not None and outcome.epochs and not self.standing.best(1):
            training = Settings.from_json(trial.settings).training
            self._unreported = unreported(self._spec.objective.name, training, list(outcome.epochs[0].metrics))
        return self._learnt(trial, outcome) if self._line is None else Commit()

    def _count(self, outcome: Outcome, excused: bool = False) -> None:
        """Takes up the end of a trial of this sitting, and whether failures say now that it is of no use to go on.

        Args:
            outcome: How it ended.
            excused: Whether it only joins those for which an earlier sitting has given up.
        """
        self._failures.add(outcome)
        if not excused:
            self.given_up = self._failures.reason_to_stop

    def _raise_bars(self, outcome: Outcome | None) -> None:
        if self._bars is not None and outcome is not None:
            self._bars.take(outcome.epochs)

    def _learnt(self, trial: Trial, outcome: Outcome) -> Commit:
        self._raise_bars(outcome)
        self._gain.learned()
        if trial.kind is not TrialKind.SEARCH:
            if is_comparable(self._spec, trial.settings):
                self._proposer.learn(trial.values, telling_epochs(outcome))
            return Commit(state=self._proposer.state())
        self._proposer.tell(trial.id, outcome)
        return Commit(self._proposer.record(trial.id), self._proposer.state())

    def check(self) -> None:
        """Deletes spare checkpoints, and ends the search if it is of no use to go on.

        Raises:
            NotReported: The first training had no such value as the space file names.
            SearchFailed: Nothing has a score, and more trials would have none either. Where something has, `next`
                gives no more trials and `given_up` says why, so that the best of them is still made a model.
        """
        self._make_room()
        if self._unreported is not None:
            raise NotReported(self._unreported)
        # In fixed order one may have a score that nothing has been learned of yet.
        if self.given_up is not None and not self.standing.best(1):
            raise SearchFailed(self.given_up)

    def _make_room(self) -> None:
        run, direction = self._store.directory, self._spec.objective.direction
        # Of a trial of which the oracle does not know it may yet want more.
        untold = self._line.untold if self._line is not None else set()
        # Nor of the models that the run ends with, whatever the search finds once they are chosen.
        held = self._proposer.continuable() | untold | self.standing.continued | self._store.chosen()
        best = self._spec.keep_checkpoints.best
        holding = self.standing.holding(best)
        self._trimmed(housekeeping.tidy(run, self._store, holding, direction, best, held, self._folds))
        if self._disk is not None and self._disk.due:
            holding = self.standing.holding(1)
            limit, folds = self._disk.limit, self._folds
            self._trimmed(housekeeping.keep_within(limit, run, self._store, holding, direction, held, folds))
            self._disk.measure()

    def _trimmed(self, outcomes: Mapping[str, Outcome]) -> None:
        for trial_id, outcome in outcomes.items():
            trial = self.standing.trial(trial_id)
            if trial is not None:
                self.standing.take(replace(trial, outcome=outcome))

    def _begun(self, trial: Trial) -> Trial:
        self.standing.take(replace(trial, oracle=None))
        if self._line is not None:
            self._line.join(trial.id)
        self.begun += 1
        return trial

    def _trial(self, proposal: Proposal) -> Trial:
        settings = spaces.configure(self._spec, proposal.values)
        if self._bars is not None:
            settings = replace(settings, training=replace(settings.training, **self._bars.settings()))
        parent = self.standing.trial(proposal.parent) if proposal.parent is not None else None
        return Trial(
            id=proposal.trial_id,
            configuration=parent.configuration if parent is not None else proposal.trial_id,
            kind=TrialKind.SEARCH,
            name="",
            values=proposal.values,
            settings=settings.to_json(),
            seed=configuration_seed(self._spec.search.seed, proposal.values),
            epochs_from=_reached(parent) if parent is not None else 0,
            epochs_to=proposal.epochs_to if proposal.epochs_to is not None else settings.training.epochs,
            parent=proposal.parent,
            state=TrialState.RUNNING,
            outcome=None,
            started=self._clock.now(),
            finished=None,
            oracle=self._proposer.record(proposal.trial_id),
            note=proposal.note,
        )

    def _keep(self, trial: Trial) -> tuple[str, ...]:
        if trial.kind is TrialKind.BASELINE:
            return "best", "last"
        continues = self._spec.algorithm.multi_fidelity and trial.epochs_to < self._spec.max_epochs
        return ("best", "state") if continues else ("best",)

    def _learn_length(self, trial: Trial, outcome: Outcome | None) -> None:
        if outcome is not None and outcome.epochs and trial.epochs_from == 0:
            self._forgotten += len(self._first_epochs) == _RECENT
            self._first_epochs.append(outcome.build_seconds + outcome.epochs[0].seconds)

    def _preparing(self, trial: Trial) -> float:
        """Seconds before a continued training has an epoch, where it goes on with another phase; 0 elsewhere."""
        price = self.standing.price(trial.settings) if trial.parent is not None else None
        return 0.0 if price is None or trial.epochs_to <= price.frozen else price.once

    def _first_epoch(self) -> float:
        """Time until a new configuration has an epoch, as the slowest of the last ones; 0 while nothing is known.

        What is continued tells the trainer itself how long its epochs are. The first training of a process waits for
        what is loaded and compiled once: as soon as there are some more, the first ones, one for each process, say
        nothing.
        """
        known, started = list(self._first_epochs), max(0, self._at_once() - self._forgotten)
        return max(known[started:] if len(known) >= started + _SETTLED else known, default=0.0)


class ListSource(BaseSource):
    """A fixed list of trials; those that the store has already are left out.

    Args:
        spec: The space file.
        store: Tells which of them it has.
        clock: Tells the time.
        deadline: When they have to be over, or None.
        trials: What to train, in order.
        data: Which rows train, see `TrialJob.data`.
        keep: Which checkpoints are kept, see `TrialJob.keep`.
        whole: Whether they count at their ends only, see `TrialJob.whole`.
    """

    def __init__(
        self,
        spec: SearchSpec,
        store: RunStore,
        clock: Clock,
        deadline: Callable[[], Deadline | None],
        trials: Iterable[Trial],
        data: str = "train",
        keep: tuple[str, ...] = (),
        whole: bool = False,
    ) -> None:
        super().__init__(spec, clock, deadline)
        self._trials = [trial for trial in trials if store.trial(trial.id) is None]
        self._data = data
        self._kept = keep
        self._whole = whole

    def next(self, slots: int) -> Trial | None:
        return self._trials.pop(0) if self._trials else None

    def job(self, trial: Trial) -> TrialJob:
        return replace(super().job(trial), data=self._data, whole=self._whole)

    def _keep(self, trial: Trial) -> tuple[str, ...]:
        return self._kept


def followed(settings: Mapping[str, Any], spec: SearchSpec) -> dict[str, Any]:
    """The settings with the callbacks of this space, whatever those were in another run that they are from.

    What only looks on changes no score, and of all that a store names only what the space file names too is run.
    """
    return {**settings, "training": {**settings["training"], "callbacks": spec.training.callbacks or ""}}


def _spanned(trial: Trial) -> Mapping[str, Any]:
    """Settings to train with: the schedule of a final training that is shorter than the others ends where it ends."""
    training = trial.settings["training"]
    if trial.kind is TrialKind.CANDIDATE and training.get("fold_bars"):
        return {**trial.settings, "training": {**training, "fold_bars": [], "fold_offsets": []}}
    if trial.kind is TrialKind.WINNER and training.get("folds"):
        # It is trained once, on all rows.
        epochs = training["fold_epochs"] if training["schedule"] == "constant" else trial.epochs_to
        single: dict[str, Any] = {"folds": 0, "fold_epochs": 0, "fold_bars": [], "fold_offsets": [], "epochs": epochs}
        return {**trial.settings, "training": {**training, **single}}
    if trial.kind is not TrialKind.WINNER or training.get("schedule", "constant") == "constant":
        return trial.settings
    return {**trial.settings, "training": {**training, "epochs": trial.epochs_to}}


def _reached(trial: Trial) -> int:
    """Epochs that a configuration has after a trial: what it was to reach, or what it has where time cut it short."""
    outcome = trial.outcome
    if outcome is None or outcome.stopped is not Stop.DEADLINE:
        return trial.epochs_to
    return outcome.epochs[-1].number if outcome.epochs else trial.epochs_from


def baseline_id(name: str) -> str:
    """Trial id of the baseline with this name."""
    return f"baseline-{name}"


def baseline_trial(spec: SearchSpec, baseline: spaces.Baseline, now: float) -> Trial:
    """The trial of a baseline, under its own protocol."""
    settings = spaces.configure_baseline(spec, baseline)
    return Trial(
        id=baseline_id(baseline.name),
        configuration=baseline_id(baseline.name),
        kind=TrialKind.BASELINE,
        name=baseline.name,
        values=settings.values,
        settings=settings.to_json(),
        seed=configuration_seed(spec.search.seed, settings.values),
        epochs_from=0,
        epochs_to=settings.training.epochs,
        parent=None,
        state=TrialState.RUNNING,
        outcome=None,
        started=now,
        finished=None,
    )


def candidate_trial(spec: SearchSpec, configuration: Configuration, index: int, now: float) -> Trial:
    """A configuration once more, from scratch and at full length, with its `index`-th fresh seed (from 1)."""
    return _again(
        spec, configuration, TrialKind.CANDIDATE, f"candidate-{configuration.id}-{index}", (index,), None, now
    )


def winner_trial(spec: SearchSpec, configuration: Configuration, epochs: int, now: float, attempt: int = 1) -> Trial:
    """The chosen configuration, trained for `epochs`; `attempt` counts from 1."""
    again = "" if attempt == 1 else f"-{attempt}"
    return _again(spec, configuration, TrialKind.WINNER, f"winner-{configuration.id}{again}", (), epochs, now)


def _again(
    spec: SearchSpec,
    configuration: Configuration,
    kind: TrialKind,
    trial_id: str,
    stream: tuple[int, ...],
    epochs: int | None,
    now: float,
) -> Trial:
    settings = Settings.from_json(configuration.settings)
    return Trial(
        id=trial_id,
        configuration=configuration.id,
        kind=kind,
        name=configuration.name if configuration.baseline else "",
        values=configuration.values,
        settings=configuration.settings,
        seed=derive(spec.search.seed, str(kind), dict(configuration.values), *stream),
        epochs_from=0,
        epochs_to=epochs if epochs is not None else settings.training.epochs,
        parent=None,
        state=TrialState.RUNNING,
        outcome=None,
        started=now,
        finished=None,
    )
