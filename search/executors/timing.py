"""How fast a configuration trains here, from a few of its steps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from spaces import Dataset, Settings, Split

_STEPS = 8


@dataclass(frozen=True)
class Speed:
    """Measured in this process, on this machine, now.

    Attributes:
        build_seconds: Building, compiling and the first steps.
        epoch_seconds: One epoch of all training rows, validation included.
        reported: Names of the values that an epoch has.
    """

    build_seconds: float
    epoch_seconds: float
    reported: tuple[str, ...]


def measure(settings: Settings, data: Dataset) -> Speed:
    """Trains and validates on a sliver of the data, twice: the first time compiles.

    Args:
        settings: The configuration.
        data: The data set; only its first rows are used.
    """
    from keras.utils import clear_session

    from search.training.engine import Rows, fresh

    started = time.perf_counter()
    batch = settings.training.batch_size
    train, validation = _first(data.train, _STEPS * batch), _first(data.validation, _STEPS * batch)
    train_rows, validation_rows = Rows(train), Rows(validation)
    engine = fresh(settings, data.info, seed=0)
    engine.prepare(train_rows)
    reported = engine.train_epoch(train_rows, 1)
    validated_on = engine.evaluate(validation_rows)
    built = time.perf_counter()
    engine.train_epoch(train_rows, 2)
    trained = time.perf_counter()
    engine.evaluate(validation_rows)
    validated = time.perf_counter()
    clear_session(free_memory=False)
    steps = math.ceil(len(data.train) / batch) / math.ceil(len(train) / batch)
    rest = len(data.validation) / len(validation)
    return Speed(
        built - started,
        (trained - built) * steps + (validated - trained) * rest,
        (*reported, *(f"val_{name}" for name in validated_on)),
    )


def _first(split: Split, rows: int) -> Split:
    return Split(split.x[:rows], split.y[:rows])
