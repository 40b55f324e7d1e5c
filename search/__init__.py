"""The running side: the search loop, the oracles, how trials are trained, and the store they leave behind.

Importing the package imports neither TensorFlow nor Keras Tuner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.errors import CheckpointError, ClusterLost, DamageWarning, DiskError, NotReported, RunError, SearchFailed
from search.files.rundir import Run, open_run
from search.oracles import oracle
from spaces.basics.later import later

if TYPE_CHECKING:
    from search.api import resume, run
    from search.budget import Budget
    from search.night.rehearsal import Rehearsal

__all__ = [
    "Budget",
    "CheckpointError",
    "ClusterLost",
    "DamageWarning",
    "DiskError",
    "NotReported",
    "Rehearsal",
    "Run",
    "RunError",
    "SearchFailed",
    "open_run",
    "oracle",
    "resume",
    "run",
]

# The loop pulls in much that reading commands do without.
__getattr__ = later(__name__, {
    "api": ("resume", "run"),
    "budget": ("Budget",),
    "night.rehearsal": ("Rehearsal",),
})  # fmt: skip
