"""The line in which trials stand where the oracle learns of them in the order in which they were asked for."""

from __future__ import annotations

from collections.abc import Iterable


class Line:
    """Trials in the order in which they were asked for, of which the oracle knows the first ones.

    Args:
        ids: Trials that were asked for.
        told: How many of them the oracle knows.
    """

    def __init__(self, ids: Iterable[str], told: int) -> None:
        self._ids = list(ids)
        self._told = told

    def join(self, trial_id: str) -> None:
        """A trial has been asked for."""
        self._ids.append(trial_id)

    def is_full(self, slots: int) -> bool:
        """Whether the first trial has to be told before another one is asked for.

        Args:
            slots: So many may be asked for and not told.
        """
        return len(self._ids) - self._told >= slots

    @property
    def first(self) -> str | None:
        """The trial that is to be told next."""
        return self._ids[self._told] if self._told < len(self._ids) else None

    def leave(self) -> int:
        """The first trial has been told; returns how many have been by now."""
        self._told += 1
        return self._told

    @property
    def untold(self) -> set[str]:
        """The trials of which the oracle does not know."""
        return set(self._ids[self._told :])
