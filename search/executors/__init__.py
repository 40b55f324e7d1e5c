"""Who trains the jobs: the asking process, or worker processes.

Importing the package does not import TensorFlow.
"""

from search.executors.base import ALL, Each, Elsewhere, Executor, MakeExecutor, OnEpoch, Place, makes_elsewhere
from search.executors.inline import InlineExecutor

__all__ = [
    "ALL",
    "Each",
    "Elsewhere",
    "Executor",
    "InlineExecutor",
    "MakeExecutor",
    "OnEpoch",
    "Place",
    "makes_elsewhere",
]
