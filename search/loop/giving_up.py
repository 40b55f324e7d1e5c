"""When failures say that the cause is not in the configurations, so that training more of them is of no use."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence

from search.record.trial import OF_THE_VALUES, Failure, FailureReason, Outcome

# The first configurations of a search all failed for one reason.
_AT_FIRST = 10
# So many in a row failed for one reason, though others had succeeded: the machine has changed, not the space.
_LATER = 20
# So many in a row failed for whatever reasons.
_FOR_ANY_REASON = 40

# Unix time of an end, and how it failed.
_Ended = tuple[float, Failure]


class Failures:
    """The failures since the last configuration with a score, in the order in which they ended.

    Configurations over a limit of `constraints` were not tried at all and do not count, unless all of them are of
    one and the same size. A space may have any number of them: what there is to say of them is kept up to date.

    Attributes:
        scored: Whether any configuration has a score.
    """

    def __init__(self) -> None:
        self.scored = False
        self._last_score = -math.inf
        self._tried: list[_Ended] = []
        self._oversized: list[_Ended] = []
        self._sizes: set[str] = set()

    def add(self, outcome: Outcome, ended: float | None = None) -> None:
        """Takes up the end of a configuration.

        Args:
            outcome: How it ended.
            ended: Unix time, by which they are put in order; None: now, after all others.
        """
        at = math.inf if ended is None else ended
        if outcome.failure is not None:
            if at >= self._last_score:
                self._insert(at, outcome.failure)
        elif outcome.score is not None:
            self.scored = True
            self._last_score = max(at, self._last_score)
            self._tried = [one for one in self._tried if one[0] > at]
            self._oversized = [one for one in self._oversized if one[0] > at]
            self._sizes = {failure.message for _, failure in self._oversized}

    def _insert(self, at: float, failure: Failure) -> None:
        if failure.reason is not FailureReason.OVERSIZED:
            insort(self._tried, (at, failure), key=lambda one: one[0])
            return
        insort(self._oversized, (at, failure), key=lambda one: one[0])
        self._sizes.add(failure.message)

    @property
    def reason_to_stop(self) -> str | None:
        """Why no more configurations should be trained, in words; None: there is no such reason."""
        one_size = not self._tried and len(self._sizes) == 1
        return _reason_to_stop(self._oversized if one_size else self._tried, self.scored)


def _reason_to_stop(ended: Sequence[_Ended], scored: bool) -> str | None:
    if not ended:
        return None
    if len(ended) >= _FOR_ANY_REASON:
        last = ended[-1][1]
        return f"the last {len(ended)} configurations all failed, the last ({last.reason}): {last.message}"
    tried = [failure for _, failure in ended]
    if not scored and len(tried) >= _AT_FIRST and len({failure.reason for failure in tried}) == 1:
        return f"the first {len(tried)} configurations all failed {_alike(tried)}"
    latest = tried[-_LATER:]
    reasons = {failure.reason for failure in latest}
    # Of what lies in the values a search may meet many in a row and still find better ones.
    if scored and len(latest) == _LATER and len(reasons) == 1 and not reasons & OF_THE_VALUES:
        return f"the last {len(latest)} configurations all failed {_alike(latest)}"
    return None


def how_failed(failures: Sequence[Failure]) -> str:
    """How some configurations, at least one, failed, in words that follow `failed`."""
    last = failures[-1]
    if len(failures) == 1:
        return f"({last.reason}): {last.message}"
    if len({failure.reason for failure in failures}) > 1:
        return f"for several reasons, the last ({last.reason}): {last.message}"
    return _alike(failures)


def _alike(failures: Sequence[Failure]) -> str:
    last = failures[-1]
    same = len({failure.message for failure in failures}) == 1
    if same:
        return f"in the same way ({last.reason}): {last.message}"
    return f"for the same reason ({last.reason}), the last: {last.message}"
