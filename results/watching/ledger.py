"""Where the time of a run went: every second of training in one account, the rest as waiting."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from results.ranked.ranking import Source
from results.watching.progress import is_active
from results.watching.worked import busy, covered, elapsed
from search.clock import Clock, SystemClock
from search.errors import DiskError, RunError
from search.files.rundir import open_run
from search.files.store import RunReader, RunStore, Work
from search.record.marks import Mark
from search.record.trial import ENDED_EARLY, FailureReason, Scalar, Trial, TrialKind, TrialState
from spaces.basics.errors import CodeError
from spaces.families import family_of_settings


class Account(StrEnum):
    """What time was spent on."""

    SEARCH = "search"
    """Trials of configurations that went all the way."""
    PRUNED = "pruned"
    """Trials of configurations that the oracle gave up before the longest training, and before they ended early."""
    FAILED = "failed"
    TOO_LONG = "too long"
    """Trials that were ended at a time limit."""
    DUPLICATE = "duplicate"
    """Trials of values that an earlier configuration had already."""
    BASELINES = "baselines"
    RETRAINING = "retraining"
    WINNER = "winner"
    EVALUATION = "evaluation"
    DATA = "data"
    """Reading and decoding rows that stay on the disk, before the search."""
    EXPORT = "export"
    REPORT = "report"
    """Writing the report at the end of a search; the page itself was written before this was known."""
    FEATURES = "features of frozen networks"
    """Of all trials: what a frozen backbone makes of the rows, computed once; the accounts above hold the rest."""
    START = "start-up and building"
    """Of all trials: the time before their first training step; the accounts above hold the rest."""
    ORDER = "waiting for the fixed order"
    """Of workers, under `search.order: fixed`: free, but the next choice had to wait for a trial that still ran."""
    WAITING = "waiting and other"
    """Wall time in which nothing of the above was done: loading data into memory, pauses between trials."""


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    Attributes:
        account: What the time was spent on.
        seconds: Work time; with parallel workers the accounts add up to more than the wall time.
        share: Of all seconds of the ledger, 0 to 1.
        trials: Number of trials in it; 0 where it is not about trials.
    """

    account: Account
    seconds: float
    share: float
    trials: int


def time_spent(run: Source, now: float | None = None) -> list[Entry]:
    """The ledger of a run, one entry for each account, in their order; those without time have 0 seconds.

    Args:
        run: A run or its directory.
        now: Unix time up to which a run that goes on is reckoned; None: the clock.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    opened = open_run(run)
    with opened.read() as reader:
        # What was taken over from another run cost time there, not here.
        trials = [one for one in reader.marks() if one.kind != TrialKind.EVIDENCE]
        active = is_active(opened, reader)
        seconds = dict.fromkeys(Account, 0.0)
        counts = dict.fromkeys(Account, 0)
        accounts = _accounts(trials, dict(reader.alike()))
        features = _done_once(reader, trials)
        for trial in trials:
            if trial.seconds is None:
                continue
            start, once = min(trial.build_seconds or 0.0, trial.seconds), features.get(trial.id, 0.0)
            seconds[accounts[trial.id]] += max(0.0, trial.seconds - start - once)
            seconds[Account.FEATURES] += once
            counts[accounts[trial.id]] += 1
            seconds[Account.START] += start
        seconds[Account.EVALUATION] = sum(evaluation.seconds for evaluation in reader.evaluations())
        work = reader.work()
        for done in work:
            # The clock of the machine may have been set back meanwhile.
            seconds[Account(done.what)] += max(0.0, done.ended - done.started)
        seconds[Account.ORDER] = reader.meta("idle_seconds", 0.0)
        wall = elapsed(reader, trials, time.time() if now is None else now, active)
        # What a training that went on had before its pause has no place of its own: several may lie one over the other.
        seconds[Account.WAITING] = max(0.0, wall - covered(busy(trials, reader.evaluations(), work)))
    total = sum(seconds.values())
    return [Entry(a, seconds[a], seconds[a] / total if total > 0 else 0.0, counts[a]) for a in Account]


@contextlib.contextmanager
def booked(run: Source, account: Literal[Account.EXPORT, Account.REPORT], clock: Clock | None = None) -> Iterator[None]:
    """Records that the run was worked on, from the beginning of the block to its end, however it ends.

    Only what belongs to the run is to be booked: the export and the report at the end of a search, not those that
    somebody asks for a week later.

    Args:
        run: A run or its directory.
        account: What the time is spent on.
        clock: Tells the time; None: the machine's.

    Raises:
        RunError: There is no run, or it is damaged.
    """
    directory = open_run(run).directory
    clock = clock or SystemClock()
    started = clock.now()
    try:
        yield
    finally:
        # A line that is missing in the ledger is no reason to go without the export or the report.
        with contextlib.suppress(DiskError, RunError), RunStore(directory) as store:
            store.add_work(Work(account, started, clock.now()))


def _done_once(reader: RunReader, trials: Sequence[Mark]) -> dict[str, float]:
    """Seconds of features by trial; of other families no trial is read."""
    first = reader.some(one.id for one in trials[:1])
    if not any(_may_have_features(trial) for trial in first):
        return {}
    return {t.id: t.outcome.once_seconds for t in reader.each_trial() if t.outcome is not None}


def _may_have_features(trial: Trial) -> bool:
    try:
        return family_of_settings(trial.settings["family"]).two_phases
    except (KeyError, CodeError):
        # The package of its family is not installed here.
        return True


def _accounts(trials: Sequence[Mark], values: Mapping[str, Mapping[str, Scalar]]) -> dict[str, Account]:
    searched = [trial for trial in trials if trial.kind == TrialKind.SEARCH]
    longest = max((trial.epochs_to for trial in searched), default=0)
    # Without a single promotion nobody was left behind: lengths differ because the space says so.
    promoting = any(trial.parent is not None for trial in searched)
    reached: dict[str, int] = {}
    kept: set[str] = set()
    for trial in searched:
        reached[trial.configuration] = max(reached.get(trial.configuration, 0), trial.epochs_to)
        if trial.stopped in ENDED_EARLY or trial.state == TrialState.RUNNING:
            kept.add(trial.configuration)
    duplicates = _later_duplicates({name: values[name] for name in reached if name in values})
    found: dict[str, Account] = {}
    for trial in trials:
        if trial.kind != TrialKind.SEARCH:
            found[trial.id] = {
                TrialKind.BASELINE: Account.BASELINES,
                TrialKind.CANDIDATE: Account.RETRAINING,
                TrialKind.WINNER: Account.WINNER,
            }[TrialKind(trial.kind)]
        elif trial.failure is not None:
            found[trial.id] = Account.TOO_LONG if trial.failure == FailureReason.HUNG else Account.FAILED
        elif trial.configuration in duplicates:
            found[trial.id] = Account.DUPLICATE
        elif promoting and reached[trial.configuration] < longest and trial.configuration not in kept:
            found[trial.id] = Account.PRUNED
        else:
            found[trial.id] = Account.SEARCH
    return found


def _later_duplicates(values: Mapping[str, Mapping[str, Scalar]]) -> set[str]:
    first: dict[frozenset[tuple[str, Scalar]], str] = {}
    return {
        configuration
        for configuration, chosen in values.items()
        if first.setdefault(frozenset(chosen.items()), configuration) != configuration
    }
