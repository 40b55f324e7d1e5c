"""How training is spread over processes and threads, and when it is worth finding out what is faster."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

import spaces
from search.night.signals import ends_after
from search.phases.schedule import planned
from search.training import threads
from spaces import Dataset, SearchSpec, Settings
from spaces.basics.figures import plural

# Loading TensorFlow in workers costs some seconds of all cores. Dense networks read some 40 million values a second on
# a core, small convolutional ones 5 million: searches below this take from some seconds to a minute in one process.
_SHORT_VALUES = 3e8
_SAMPLES = 5
# A model that takes longer to be built in this process is taken to hang; of a limited time it may take a share. The
# first one may have to fetch weights, and the machine may be busy: no limit is shorter than the last of these.
_LONGEST_BUILD, _SHARE_OF_BUILD, _LEAST_BUILD = 600.0, 0.25, 30.0


@dataclass(frozen=True)
class Workforce:
    """Processes that train at the same time, and threads of one operation in each; 0 workers: the asking process."""

    workers: int
    threads: int

    def __str__(self) -> str:
        if not self.workers:
            return "this process"
        processes = plural(self.workers, "worker process", "worker processes")
        each = " each" if self.workers > 1 else ""
        return f"{processes} with {plural(self.threads, 'thread')}{each}"


def candidates(cores: int, most_workers: int) -> list[Workforce]:
    """Few workers with many threads, and many workers with one thread each; one of them where that is the same.

    Args:
        cores: Processor cores.
        most_workers: As many workers as memory allows, at least 1.
    """
    wide = min(cores, threads.MOST)
    few = Workforce(min(most_workers, max(1, cores // wide)), wide)
    many = Workforce(most_workers, 1)
    return [few] if few == many else [few, many]


def is_short(spec: SearchSpec, data: Dataset, *, timed: bool) -> bool:
    """Whether the search reads so little data that it is over before workers are up.

    Args:
        spec: The space file.
        data: The data set.
        timed: Whether the run has to be done by some hour.
    """
    epochs = planned(spec, timed=timed).epochs
    return epochs is not None and epochs * spec.epochs_in_one * float(data.train.x.size) < _SHORT_VALUES


def building(spec: SearchSpec, left: float | None) -> AbstractContextManager[None]:
    """Lets a model be built in this process, for as long as makes sense: a function of the user's may hang.

    Args:
        spec: The space file.
        left: Seconds until everything has to be there; None: no limit.
    """
    limit = spec.limits.seconds_per_trial
    share = None if left is None else _SHARE_OF_BUILD * left
    return ends_after(max(_LEAST_BUILD, min(most for most in (_LONGEST_BUILD, limit, share) if most is not None)))


def representative(spec: SearchSpec, data: Dataset, left: Callable[[], float | None] = lambda: None) -> Settings | None:
    """Of some configurations of the space the one of middle size; None if none of them can be built.

    Args:
        spec: The space file.
        data: The data set.
        left: See `building`.
    """
    counted = []
    for values in spaces.sample(spec, spec.search.seed, _SAMPLES):
        settings = spaces.configure(spec, values)
        try:
            with building(spec, left()):
                counted.append((spaces.count_parameters(settings, data.info), settings))
        except (Exception, SystemExit):
            # A user's function may raise anything; the search will say so when it trains such a configuration.
            continue
    if not counted:
        return None
    order = np.argsort([count for count, _ in counted], kind="stable")
    return counted[int(order[len(order) // 2])][1]
