"""Trains one job from its first to its last epoch and returns the outcome; a failure is returned, never raised."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search.clock import Clock
from search.errors import CheckpointError, DiskError
from search.files import checkpoint as checkpoints
from search.files import layout
from search.record.trial import Checkpoint, Epoch, FailureReason, Outcome, Stop, TrialJob, metric
from search.training import memory, stopping
from search.training.cross import folds
from search.training.engines import Networks, engines
from search.training.failures import InvalidArchitecture, TrialFailed, classify
from spaces import DataInfo, Dataset, Settings, Split
from spaces.families import family_of_settings
from spaces.outside.user_code import contained

if TYPE_CHECKING:
    from search.training.engine import Engine, Rows
    from search.training.features import Features
    from search.training.two_phases import TwoPhases
    from spaces.models.user_callbacks import Followers

OnEpoch = Callable[[Epoch], None]
ShouldStop = Callable[[], Stop | None]


class Trainer:
    """Trains jobs on one data set, in this process.

    Args:
        run: The run directory; checkpoints are written below it.
        data: The data set. Its arrays are turned into tensors once, when first needed.
        clock: Tells when a job's time is up.
    """

    def __init__(self, run: Path, data: Dataset, clock: Clock) -> None:
        # While it trains, a callback of the user's may go to another working directory.
        self._run = run.absolute()
        self._data = data
        self._clock = clock
        self._rows: dict[str, Rows] = {}
        self._networks: Networks | None = None
        self._features: Features | None = None

    def train(
        self,
        job: TrialJob,
        should_stop: ShouldStop = lambda: None,
        on_epoch: OnEpoch = lambda _: None,
        on_begin: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """Trains a job.

        Args:
            job: What to train.
            should_stop: Asked after every epoch; its answer, if any, ends the training there.
            on_epoch: Called after every epoch, before anything of it is written.
            on_begin: Called before every epoch, when its time begins to count.

        Returns:
            The outcome; a configuration that cannot be trained gives one with `failure`.

        Raises:
            CheckpointError: The checkpoint to go on from is missing or damaged.
            DiskError: A checkpoint cannot be written, for example on a full disk.
        """
        networks = self._kept_networks()
        settings = Settings.from_json(job.settings)
        training = _Training(self._run, job, settings, self._data.info, self._clock)
        try:
            with contained(), family_of_settings(settings.family).own_precision():
                if training.in_folds:
                    training.go_through_folds(self._fold, networks, should_stop, on_epoch, on_begin)
                else:
                    rows = self._part(job.data), self._part("validation") if job.data == "train" else None
                    training.go(*rows, networks, should_stop, on_epoch, on_begin)
        except (CheckpointError, DiskError):
            raise
        except (Exception, SystemExit) as error:
            # A layer of the user's may want to end the process.
            if not isinstance(error, TrialFailed):
                # Whatever happened, it may have to do with what is kept, for example with its memory.
                networks.forget()
            return training.failed(error)
        finally:
            networks.tidy()
        return training.outcome()

    def pace(self, settings: Mapping[str, Any], seconds: float) -> float:
        """Training rows per second of a configuration; 0 if it cannot be trained.

        Args:
            settings: As in `TrialJob.settings`.
            seconds: Trains for so long, building and compiling not counted.
        """
        networks = self._kept_networks()
        try:
            chosen = Settings.from_json(settings)
            with family_of_settings(chosen.family).own_precision():
                engine = networks.engine(chosen, 0, self._part("train"), networks.parameters(chosen))
                return float(engine.pace(self._part("train"), seconds))
        except (Exception, SystemExit):
            # Whatever is wrong with it, the trial that trains it will say so.
            networks.forget()
            return 0.0
        finally:
            networks.tidy()

    def _kept_networks(self) -> Networks:
        from search.training.features import Features

        if self._networks is None:
            self._features = Features(self._run, self._data.info, self._part)
            self._networks = engines().networks(self._data.info, self._features)
        return self._networks

    def _fold(self, number: int) -> tuple[Rows, Rows]:
        names = f"fold-{number}-train", f"fold-{number}-validation"
        if names[0] not in self._rows:
            # All folds together would take as many times the memory of the rows.
            self._rows = {name: rows for name, rows in self._rows.items() if not name.startswith("fold-")}
            for name, split in zip(names, self._data.fold(number), strict=True):
                self._rows[name] = engines().rows(split, name)
        return self._rows[names[0]], self._rows[names[1]]

    def _part(self, name: str) -> Rows:
        if name not in self._rows:
            self._rows[name] = engines().rows(_split(self._data, name), name)
        return self._rows[name]


def untrained(job: TrialJob, why: Stop) -> Outcome:
    """The outcome of a job that was never begun: what there was before stays what there is."""
    best = _scored(job, job.history, stopping.BestSoFar())
    return Outcome(
        score=best[1] if best else None,
        best_epoch=best[0] if best else len(job.history),
        stopped=why,
        state=job.resume,
        best=job.best if job.resume is not None else None,
    )


def _scored(job: TrialJob, curve: Sequence[Epoch], best: stopping.BestSoFar) -> tuple[int, float] | None:
    """Number and value of the epoch that scores a job so far; None without one. `best` is of this curve."""
    if not job.settings.get("training", {}).get("folds"):
        return best.of(curve, job.objective, job.direction)
    # The mean over all folds, not the best of the means on the way.
    mean = curve[-1].metrics.get(job.objective) if curve else None
    return None if mean is None else (len(curve), mean)


class _BrokenOff(Exception):
    """The job's time was up in the middle of an epoch, or somebody asked it to stop before it; the epoch is dropped."""

    def __init__(self, why: Stop) -> None:
        super().__init__(why)
        self.why = why


class _Training:
    """One job on its way: the curve so far, the best weights, the clock."""

    def __init__(self, run: Path, job: TrialJob, settings: Settings, info: DataInfo, clock: Clock) -> None:
        self._run = run
        self._info = info
        self._clock = clock
        self._job = job
        self._settings = settings
        self._started = time.perf_counter()
        self._build_seconds = self._once_seconds = 0.0
        self._frozen: int | None = None
        self._parameters: int | None = None
        self._curve = list(job.history)
        self._best_so_far, self._patience = stopping.BestSoFar(), stopping.Patience()
        self._stopped: Stop | None = None
        self._between_epochs = True
        self._best_weights: list[np.ndarray] | None = None
        self._files: dict[str, Checkpoint] = {}

    def go(
        self,
        train: Rows,
        validation: Rows | None,
        networks: Networks,
        should_stop: ShouldStop,
        on_epoch: OnEpoch,
        on_begin: Callable[[], None],
    ) -> None:
        self._stopped = self._ended() or self._too_late()
        if self._stopped is Stop.DEADLINE or (self._stopped is not None and self._job.resume is not None):
            # No time is left, or an early-stopped configuration was promoted: its curve has ended.
            self._leave_files()
            return
        engine = self._engine(train, networks)
        followers = self._followers(engine)
        followers.tell("on_train_begin", {})
        while self._stopped is None:
            try:
                number = len(self._curve) + 1
                # What is continued has no state in this engine before its first epoch here.
                self._between_epochs = bool(self._new_epochs())
                self._enter(engine, train, validation, should_stop, number)
                self._between_epochs = False
                on_begin()
                followers.tell("on_epoch_begin", number - 1, {})
                epoch = self._epoch(engine, train, validation, number, followers.tell)
            except _BrokenOff as broken:
                self._stopped = broken.why
                if self._job.resume is not None and not self._new_epochs():
                    self._files["state"] = self._job.resume
                break
            self._curve.append(epoch)
            self._between_epochs = True
            if validation is not None:
                self._require_reported(epoch)
            followers.tell("on_epoch_end", epoch.number - 1, dict(epoch.metrics))
            if self._improved():
                self._best_weights = engine.weights()
            on_epoch(epoch)
            self._stopped = self._ended() or should_stop() or self._out_of_time()
        followers.tell("on_train_end", dict(self._curve[-1].metrics) if self._curve else {})
        self._save(engine.state, engine)

    @property
    def in_folds(self) -> bool:
        """Whether the job is a cross-validation, whose epochs are folds."""
        return bool(self._settings.training.folds)

    def go_through_folds(
        self,
        rows: Callable[[int], tuple[Rows, Rows]],
        networks: Networks,
        should_stop: ShouldStop,
        on_epoch: OnEpoch,
        on_begin: Callable[[], None],
    ) -> None:
        """As `go`, fold after fold; one that is broken off is trained again from its start.

        Args:
            rows: Training and validation rows of a fold, counted from 0.
            networks, should_stop, on_epoch, on_begin: As for `go`.
        """
        self._stopped = self._ended() or self._too_late()
        settings = self._settings.one_fold()
        parameters = self._size(networks, settings, settings.training.epochs) if self._stopped is None else 0
        while self._stopped is None:
            train, validation = rows(len(self._curve))
            fold = folds.Fold(self._job, self._settings, self._curve)

            def one_epoch(engine: Any, train: Rows, validation: Rows, curve: list[Epoch]) -> Epoch:
                if curve:
                    # Nobody is told where the epoch before it has ended: what comes between two has a time of its own.
                    on_begin()
                self._enter(engine, train, validation, should_stop, len(curve) + 1, on_begin if curve else lambda: None)
                why = should_stop()
                if why is not None:
                    raise _BrokenOff(why)
                on_begin()
                epoch = self._epoch(engine, train, validation, len(curve) + 1)
                self._require_reported(epoch)
                return epoch

            try:
                engine = networks.engine(settings, fold.seed, train, parameters)
                self._build_seconds = self._build_seconds or time.perf_counter() - self._started
                epoch = fold.train(engine, train, validation, one_epoch)
            except _BrokenOff as broken:
                self._stopped = broken.why
                cut = fold.cut_short() if broken.why is Stop.DEADLINE and not self._curve else None
                if cut is None:
                    break
                # Without it nothing would be known of the configuration when time is up.
                epoch = cut
            self._curve.append(epoch)
            self._best_weights = fold.weights
            on_epoch(epoch)
            self._stopped = self._stopped or self._ended() or should_stop() or self._out_of_time()
        if self._new_epochs():
            self._save(lambda: {"fold": [np.array([len(self._curve)])]})
        else:
            self._leave_files()

    def _leave_files(self) -> None:
        """What there was before stays what there is."""
        if self._job.resume is not None:
            self._files = {"state": self._job.resume} | ({"best": self._job.best} if self._job.best else {})

    def outcome(self) -> Outcome:
        best = self._best()
        return Outcome(
            epochs=self._new_epochs(),
            score=best[1] if best else None,
            best_epoch=best[0] if best else len(self._curve),
            stopped=self._stopped,
            parameters=self._parameters,
            seconds=time.perf_counter() - self._started,
            build_seconds=self._build_seconds,
            once_seconds=self._once_seconds,
            frozen=self._frozen,
            state=self._files.get("state"),
            best=self._files.get("best"),
            last=self._files.get("last"),
        )

    def failed(self, error: BaseException) -> Outcome:
        return Outcome(
            epochs=self._new_epochs(),
            parameters=self._parameters,
            seconds=time.perf_counter() - self._started,
            build_seconds=self._build_seconds,
            # What others find made took its time, whatever became of this training.
            once_seconds=self._once_seconds,
            failure=classify(error, self._settings.family),
        )

    def _engine(self, rows: Rows, networks: Networks) -> Engine | TwoPhases:
        parameters = self._size(networks, self._settings, self._job.epochs_to)
        engine: Engine | TwoPhases = networks.engine(self._settings, self._job.seed, rows, parameters)
        if self._job.resume is not None:
            engine.restore(checkpoints.read(self._run, self._job.resume))
        self._build_seconds = time.perf_counter() - self._started
        return engine

    def _followers(self, engine: Engine | TwoPhases) -> Followers:
        from spaces.models.user_callbacks import Followers

        # A training in two phases, which has several models, takes no callbacks.
        return Followers(self._settings.training.callbacks, getattr(engine, "model", None), self._job.epochs_to)

    def _size(self, networks: Networks, settings: Settings, epochs: int) -> int:
        """Parameters of the model, if they are not too many; the outcome tells them, and those that never train."""
        self._parameters = self._count_parameters(networks)
        self._check_size(self._parameters)
        family = family_of_settings(settings.family)
        self._frozen = family.frozen_parameters(settings, self._info, epochs) or None
        return self._parameters

    def _count_parameters(self, networks: Networks) -> int:
        try:
            return networks.parameters(self._settings)
        except ValueError as error:
            # The families refuse with it what cannot be built; an error of a user's function stays what it is.
            if family_of_settings(self._settings.family).users_code:
                raise
            raise InvalidArchitecture(str(error)) from error

    def _check_size(self, parameters: int) -> None:
        limit = self._job.max_parameters
        if limit is not None and parameters > limit:
            raise TrialFailed(FailureReason.OVERSIZED, f"{parameters:,} parameters, more than the limit of {limit:,}")
        needed, available = memory.needed(parameters), memory.available()
        if available is not None and needed > available:
            sizes = f"{needed / 2**30:.1f} GiB to train; {available / 2**30:.1f} GiB are free"
            raise TrialFailed(FailureReason.OUT_OF_MEMORY, f"{parameters:,} parameters take {sizes}")

    def _epoch(
        self,
        engine: Engine | TwoPhases,
        train: Rows,
        validation: Rows | None,
        number: int,
        tell: Callable[..., None] = lambda *_: None,
    ) -> Epoch:
        started = time.perf_counter()
        ahead = self._job.epochs_to - number + 1
        metrics = engine.train_epoch(train, number, self._check_time(started), ahead)
        trained = time.perf_counter()
        _require_finite(metrics, number)
        if validation is not None:
            tell("on_test_begin", {})
            measured = engine.evaluate(validation, self._check_time(started))
            tell("on_test_end", dict(measured))
            metrics |= {f"val_{name}": value for name, value in measured.items()}
            _require_finite(metrics, number)
        return Epoch(number, metrics, time.perf_counter() - started, trained - started)

    def _enter(
        self,
        engine: Engine | TwoPhases,
        train: Rows,
        validation: Rows | None,
        should_stop: ShouldStop,
        number: int,
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        """Makes ready for an epoch; `on_begin` is called as it goes on, where the time that it takes is counted."""
        # No epoch's time counts yet.
        check_time = self._check_time(None)

        def check() -> None:
            on_begin()
            check_time()
            why = should_stop()
            if why is not None:
                raise _BrokenOff(why)

        started = time.perf_counter()
        once = engine.enter(number, train, validation, check)
        self._build_seconds += time.perf_counter() - started - once
        self._once_seconds += once

    def _require_reported(self, epoch: Epoch) -> None:
        missing = stopping.unreported(self._job.objective, self._settings.training, list(epoch.metrics))
        if missing is not None:
            raise TrialFailed(FailureReason.ERROR, missing)

    def _check_time(self, epoch_started: float | None) -> Callable[[], None]:
        def check() -> None:
            if self._left() < 0:
                raise _BrokenOff(Stop.DEADLINE)
            now = time.perf_counter()
            for limit, since, what in (
                (self._job.seconds_per_epoch, epoch_started, "an epoch"),
                (self._job.seconds_per_trial, self._started, "the trial"),
            ):
                if limit is not None and since is not None and now - since > limit:
                    raise TrialFailed(FailureReason.HUNG, f"{what} took more than the limit of {limit:g} s")

        return check

    def _ended(self) -> Stop | None:
        found = stopping.ended(self._settings.training, self._curve, self._patience)
        return Stop.LENGTH if found is None and len(self._curve) >= self._job.epochs_to else found

    def _out_of_time(self) -> Stop | None:
        needed = stopping.seconds_needed(self._curve, self._job.epochs_to, self._job.whole)
        return Stop.DEADLINE if self._left() < needed else None

    def _too_late(self) -> Stop | None:
        deadline = self._job.deadline
        if deadline is None:
            return None
        late = self._left() <= self._curve[-1].seconds if self._curve else deadline.is_too_late_to_begin(self._clock)
        return Stop.DEADLINE if late else None

    def _left(self) -> float:
        """Seconds until the job's deadline."""
        deadline = self._job.deadline
        return math.inf if deadline is None else deadline.left(self._clock, first=not self._curve)

    def _best(self) -> tuple[int, float] | None:
        best, offsets = _scored(self._job, self._curve, self._best_so_far), self._settings.training.fold_offsets
        if best is None or self._stopped is not Stop.PAUSED or best[0] > len(offsets):
            return best
        number, mean = best
        return number, mean + offsets[number - 1]

    def _improved(self) -> bool:
        best = self._best()
        return best is not None and best[0] == self._curve[-1].number

    def _new_epochs(self) -> tuple[Epoch, ...]:
        return tuple(self._curve[len(self._job.history) :])

    def _save(self, state: Callable[[], dict[str, list[np.ndarray]]], engine: Engine | TwoPhases | None = None) -> None:
        folder, last = layout.trial_folder(self._job.trial_id), len(self._curve)
        interrupted = self._stopped is Stop.INTERRUPTED
        # In the middle of an epoch there is no state that an exact continuation could begin with.
        goes_on = interrupted or (self._job.whole and self._stopped is Stop.DEADLINE)
        if ("state" in self._job.keep or goes_on) and self._between_epochs:
            self._files["state"] = checkpoints.write(self._run, f"{folder}/state.npz", state(), last)
        if "best" in self._job.keep or interrupted:
            self._save_best(folder)
        if engine is not None and "last" in self._job.keep and self._last_counts():
            weights = {"weights": engine.weights()}
            self._files["last"] = checkpoints.write(self._run, f"{folder}/last.npz", weights, last)

    def _last_counts(self) -> bool:
        """Whether the weights are those of the last epoch, and stand for the training."""
        if not self._between_epochs or self._stopped is Stop.INTERRUPTED:
            return False
        # Where early stopping ended it, the last epochs only proved that there was nothing better, if it is known.
        return self._stopped is not Stop.EARLY_STOPPING or "best" not in self._files

    def _save_best(self, folder: str) -> None:
        best = self._best()
        if self._best_weights is None:
            if self._job.best is not None:
                self._files["best"] = self._job.best
        elif best is not None:
            weights = {"weights": self._best_weights}
            self._files["best"] = checkpoints.write(self._run, f"{folder}/best.npz", weights, best[0])


def _split(data: Dataset, name: str) -> Split:
    if name == "train":
        return data.train
    if name == "validation":
        return data.validation
    return data.train.joined(data.validation)


def _require_finite(metrics: dict[str, Any], epoch: int) -> None:
    for name, value in metrics.items():
        if not math.isfinite(metric(value)):
            raise TrialFailed(FailureReason.NAN, f"{name} became {value} in epoch {epoch}")
