"""Errors of the running side, named by what the caller does next."""

from __future__ import annotations


class RunError(Exception):
    """The run directory cannot be used as asked; the message says why and what to do. Nothing was changed."""


class DamageWarning(UserWarning):
    """Part of a run's store is damaged; it is left out, and the rest is shown."""


class CheckpointError(Exception):
    """A checkpoint is missing, torn or not the one that was recorded. Train its configuration again."""


class DiskError(Exception):
    """A file of the run cannot be written, for example on a full disk. The run stops with what is committed."""


class SearchFailed(Exception):
    """The search ended without a usable configuration; all that is known is in the store."""


class NotReported(SearchFailed):
    """The space file names a value, such as the objective, that the trainings do not report."""


class ClusterError(RunError):
    """A Ray cluster cannot be used as asked. Nothing was changed."""


class ClusterLost(Exception):
    """The Ray cluster that trained is gone. What was committed is kept: the run goes on from there, anywhere."""
