"""Which checkpoints are still needed, and the deletion of all others.

The store forgets a checkpoint before its file is deleted: a crash in between leaves a file that nobody misses, never
a record of a file that is gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from search.errors import DiskError
from search.files import layout
from search.files.store import RunStore
from search.loop import disk
from search.record.configuration import configurations, ranked
from search.record.trial import Outcome, Trial, TrialKind, TrialState, checkpoints

# What a trial leaves besides its checkpoints, in the store, the log and for TensorBoard: more than it ever is.
_TRIAL_BYTES = 1 << 16
_EPOCH_BYTES = 1 << 11


def spare(
    trials: list[Trial], direction: str, keep_best: int, held: Collection[str], folds: int = 0
) -> dict[str, Outcome]:
    """The outcomes of those trials that hold checkpoints nobody needs, without these checkpoints.

    Needed are: the last state of an unfinished trial and what it goes on from, what the oracle may continue,
    the best weights of the best configurations, and everything of baselines, candidates and the winner.

    Args:
        trials: All trials of the store, or at least those that hold checkpoints and all of the best configurations.
        direction: `min` or `max`, of the objective.
        keep_best: How many of the best configurations keep their best weights.
        held: Ids of the ended trials that the oracle may go on from, of those that running trials go on from, as far as
            these are not among `trials`, and of those whose models the run ends with.
        folds: Of a cross-validation the folds that a configuration needs to come before all that have fewer.

    Returns:
        Trial id to its outcome as it should be recorded.
    """
    best = [c for c in ranked(configurations(trials), direction, folds) if c.score is not None][:keep_best]
    wanted = {c.best.file for c in best if c.best is not None}
    running = {t.id for t in trials if t.state is TrialState.RUNNING}
    in_use = running | {t.parent for t in trials if t.id in running and t.parent} | set(held)
    found: dict[str, Outcome] = {}
    for trial in trials:
        outcome = trial.outcome
        spared = trial.kind in (TrialKind.SEARCH, TrialKind.EVIDENCE)
        if outcome is None or not spared or trial.id in in_use:
            continue
        kept = replace(
            outcome,
            state=None,
            best=outcome.best if outcome.best is not None and outcome.best.file in wanted else None,
        )
        if kept != outcome:
            found[trial.id] = kept
    return found


def tidy(
    run: Path,
    store: RunStore,
    trials: list[Trial],
    direction: str,
    keep_best: int,
    held: Collection[str],
    folds: int = 0,
) -> dict[str, Outcome]:
    """Forgets and deletes the checkpoints that nobody needs. Arguments and result as for `spare`."""
    outcomes = spare(trials, direction, keep_best, held, folds)
    if not outcomes:
        return outcomes
    store.update_checkpoints(outcomes)
    left = {file for trial in trials for file in _files(outcomes.get(trial.id, trial.outcome))}
    for trial in trials:
        if trial.id in outcomes:
            for file in set(_files(trial.outcome)) - left:
                _delete(run / file)
    return outcomes


def keep_within(
    limit: int,
    run: Path,
    store: RunStore,
    trials: list[Trial],
    direction: str,
    held: Collection[str],
    folds: int = 0,
) -> dict[str, Outcome]:
    """Makes room when the run directory has grown past `limit` bytes: only the best configuration keeps its weights.

    The other arguments and the result are those of `tidy`.

    Raises:
        DiskError: It is still too large.
    """
    if disk.used(run) <= limit:
        return {}
    outcomes = tidy(run, store, trials, direction, 1, held, folds)
    size = disk.used(run)
    if size > limit:
        raise DiskError(f"{run}: takes {size / 1e6:.1f} MB, more than limits.disk of {limit / 1e6:.1f} MB")
    return outcomes


class DiskUse:
    """Tells when a run directory may have come near its limit, so that it need not be measured after each trial.

    Args:
        run: The run directory.
        limit: Bytes.
    """

    def __init__(self, run: Path, limit: int) -> None:
        self.limit = limit
        self._run = run
        self._left = 0

    @property
    def due(self) -> bool:
        """Whether the directory may be past its limit."""
        return self._left <= 0

    def add(self, outcome: Outcome) -> None:
        """A trial has ended with this outcome."""
        self._left -= _TRIAL_BYTES + _EPOCH_BYTES * len(outcome.epochs) + sum(c.bytes for c in checkpoints(outcome))

    def measure(self) -> None:
        """Looks how much is left."""
        self._left = (self.limit - disk.used(self._run)) // 2


def forget(run: Path, store: RunStore, trials: Iterable[Trial]) -> None:
    """Forgets and deletes all checkpoints of these trials."""
    with_files = {t.id: t.outcome for t in trials if t.outcome is not None and set(_files(t.outcome))}
    store.update_checkpoints({i: replace(o, state=None, best=None, last=None) for i, o in with_files.items()})
    for outcome in with_files.values():
        for file in _files(outcome):
            _delete(run / file)


def sweep(run: Path, store: RunStore) -> None:
    """Deletes files in the checkpoint folders that no record mentions, such as those of a trial that was killed."""
    recorded = {file for trial in store.each_trial() for file in _files(trial.outcome)}
    for path in (run / layout.TRIALS).glob("*/*"):
        if path.relative_to(run).as_posix() not in recorded:
            _delete(path)


def _files(outcome: Outcome | None) -> list[str]:
    return [checkpoint.file for checkpoint in checkpoints(outcome)]


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()
