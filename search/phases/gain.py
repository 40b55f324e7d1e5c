"""What another hour of searching is expected to bring, and whether that is still worth it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from search.files.store import RunStore
from search.phases.proposer import Proposer
from search.record.trial import Outcome
from spaces import SearchSpec

if TYPE_CHECKING:
    from search.oracles.surrogate.outlook import Outlook

_RECENT = 25
_IN_A_ROW = 3
_HOUR = 3600.0
_NOTED = 0.1


class HourlyGain:
    """Expected gain of the best objective by another hour, from the oracle's model and the pace of recent trials.

    Args:
        spec: The space file; `search.stop_when_gain_below` is in units of its objective.
        proposer: Asks the oracle.
        store: Keeps the estimate for whoever reads the run.
    """

    def __init__(self, spec: SearchSpec, proposer: Proposer, store: RunStore) -> None:
        self._least = spec.search.stop_when_gain_below
        # Where each trial is a whole training, it is one however early it stops.
        self._longest = spec.max_epochs if spec.algorithm.multi_fidelity else None
        self._proposer = proposer
        self._store = store
        self._noted: float | None = None
        self._below = 0
        self._outlook: Outlook | None = None
        self._outdated = False
        # Seconds of the last trials, and the share of a full training that each was; of one that failed none.
        self._recent: deque[tuple[float, float]] = deque(maxlen=_RECENT)

    @property
    def too_little(self) -> bool:
        """Whether the last three estimates were all below what the space file asks for."""
        return self._below >= _IN_A_ROW

    @property
    def settled(self) -> bool:
        """Whether they were, and nothing has been learned since that could change it."""
        return self.too_little and not self._outdated

    def learned(self) -> None:
        """Says that the oracle knows more than at the last estimate."""
        self._outdated = True

    def take(self, outcome: Outcome | None) -> None:
        """Learns how long a trial took."""
        if outcome is None:
            return
        # The outlook is of trainings that succeed, and failures take their time too.
        if outcome.failure is not None:
            self._recent.append((outcome.seconds, 0.0))
        elif outcome.epochs:
            share = 1.0 if self._longest is None else len(outcome.epochs) / self._longest
            self._recent.append((outcome.seconds, share))

    def estimate(self, at_once: int) -> None:
        """Estimates anew, after a proposal.

        Args:
            at_once: Trials that are trained at the same time.
        """
        self._outdated = False
        outlook, seconds = self._proposer.outlook, sum(one for one, _ in self._recent)
        trainings = sum(share for _, share in self._recent)
        if outlook is None or seconds <= 0 or trainings <= 0:
            return
        gain = outlook.gain(_HOUR * at_once * trainings / seconds)
        # Not every proposal looks ahead: one estimate is not to count several times.
        if self._least is not None and outlook is not self._outlook:
            self._below = self._below + 1 if gain < self._least else 0
        self._outlook = outlook
        if self._noted is None or abs(gain - self._noted) > _NOTED * self._noted:
            self._noted = gain
            self._store.put_meta(hourly_gain=gain)
