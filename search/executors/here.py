"""The executors of this machine: the asking process, or worker processes beside it."""

from __future__ import annotations

from search.executors import shared_data, sizing
from search.executors.base import Executor, Place
from search.executors.inline import InlineExecutor
from search.executors.pool import WorkerPool
from search.record import environment
from search.training.trainer import Trainer


def executor_here(place: Place) -> Executor:
    """Trains in this process where `place.workers` is 0, or no worker can be started, otherwise in worker processes."""
    inline = InlineExecutor(lambda: Trainer(place.run, place.data, place.clock))
    if not place.workers:
        return inline
    return WorkerPool(
        sizing.setups(
            place.run,
            shared_data.write(place.run, place.data),
            place.threads,
            place.workers,
            place.gpu_share,
            place.code,
        ),
        sizing.environments(environment.gpus(), place.workers, place.gpu_share),
        sizing.memory_limit(place.workers, place.memory),
        place.on_event,
        inline,
        place.clock,
    )
