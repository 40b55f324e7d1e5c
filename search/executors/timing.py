"""How fast a configuration trains here, from a few of its steps."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from search.training.engines import engines
from spaces import DataInfo, Dataset, Settings
from spaces.data.stored.store import scratch
from spaces.families import family_of_settings
from spaces.outside.backend import clear_session

if TYPE_CHECKING:
    from search.training.engine import Rows

_STEPS = 8


@dataclass(frozen=True)
class Speed:
    """Measured in this process, on this machine, now.

    Attributes:
        build_seconds: Building, compiling and the first steps.
        epoch_seconds: One epoch of all training rows, validation included.
        reported: Names of the values that an epoch has.
        once: What the first training takes besides, and no later one, by the name of the frozen backbone that it has.
    """

    build_seconds: float
    epoch_seconds: float
    reported: tuple[str, ...]
    once: Mapping[str, float] = field(default_factory=dict)


def measure(settings: Settings, data: Dataset) -> Speed:
    """Trains and validates on a sliver of the data, twice: the first time compiles.

    Args:
        settings: The configuration.
        data: The data set; only its first rows are used.
    """
    started = time.perf_counter()
    batch = settings.training.batch_size
    train, validation = data.train.first(_STEPS * batch), data.validation.first(_STEPS * batch)
    train_rows, validation_rows = engines().rows(train, "train"), engines().rows(validation, "validation")
    family = family_of_settings(settings.family)
    if family.begins_frozen(settings.model):
        share = len(train) / len(data.train)
        with family.own_precision():
            return _of_both_phases(settings, data.info, train_rows, validation_rows, share)
    engine = engines().fresh(settings, data.info, seed=0)
    engine.prepare(train_rows)
    reported = engine.train_epoch(train_rows, 1)
    validated_on = engine.evaluate(validation_rows)
    built = time.perf_counter()
    engine.train_epoch(train_rows, 2)
    trained = time.perf_counter()
    engine.evaluate(validation_rows)
    validated = time.perf_counter()
    clear_session()
    steps = math.ceil(len(data.train) / batch) / math.ceil(len(train) / batch)
    rest = len(data.validation) / len(validation)
    return Speed(
        built - started,
        (trained - built) * steps + (validated - trained) * rest,
        (*reported, *(f"val_{name}" for name in validated_on)),
    )


def _of_both_phases(settings: Settings, info: DataInfo, train: Rows, validation: Rows, share: float) -> Speed:
    """The same for a training that begins with a frozen backbone: an epoch takes what they take on average.

    Args:
        settings: The configuration.
        info: The rows.
        train, validation: Some of them.
        share: Part of the training rows that these are.
    """
    from search.training.features import Features

    epochs, phases = settings.training.epochs, family_of_settings(settings.family).phases(settings)
    assert phases is not None
    lengths = {1: phases.frozen, phases.frozen + 1: epochs - phases.frozen}
    build = seconds = once = 0.0
    reported: dict[str, None] = {}
    with scratch() as folder:
        features = Features(folder, info, {"train": train, "validation": validation}.__getitem__)
        engine = engines().networks(info, features).engine(settings, 0, train, 0)
        for epoch, count in ((epoch, count) for epoch, count in lengths.items() if count):
            started = time.perf_counter()
            features_seconds = engine.enter(epoch, train, validation, lambda: None)
            for _ in range(2):
                begun = time.perf_counter()
                reported |= dict.fromkeys(engine.train_epoch(train, epoch))
                reported |= dict.fromkeys(f"val_{name}" for name in engine.evaluate(validation))
                ended = time.perf_counter()
            build += begun - started - features_seconds
            # Of all rows; what the second phase needs of them is made on the way.
            once += features_seconds / (share if epoch == 1 else 1.0)
            seconds += count * (ended - begun) / share
    clear_session()
    return Speed(build, seconds / epochs, tuple(reported), {phases.backbone: once})
