"""What comes after all training takes: measuring the final models, files, report.

Pure functions; all times are in seconds.
"""

from __future__ import annotations

from search.record import folds
from search.record.configuration import Configuration
from search.record.environment import SLOWEST
from search.times.estimates import build_seconds
from spaces.families import family_of_settings

# What export, its verification in a fresh process and the report take on an idle machine.
_SECONDS_AFTER = 15.0
_SECONDS_SERVE = 12.0
# Every format builds the model once more, and so does its verification; the seconds above are those of a small one.
# What a deep network with a pretrained backbone predicts for that takes as long again.
_BUILDS, _SMALL_BUILD = 8.0, 0.75
_DEEP_BUILDS, _SMALL_DEEP_BUILD = 30.0, 0.25
# The first format and a report without pictures.
_LEAST_AFTER = 5.0
# Share of the whole time that is kept back besides.
_AFTER_SHARE = 0.01
# And at most for files of a model that answers both ways round: a shorter night rather leaves some of them out.
_BOTH_WAYS_SHARE = 0.05
# A model is built, and its rows are read once; by a user's model twice, for the metrics and for the predictions. A deep
# network has twice what it should need: a night is late by so much of it at once.
_EVALUATION_BUILD, _OWN_PASSES, _DEEP_PASSES = 1.0, 2.0, 2.0
# What a row takes to be answered, of what it takes to be trained on; a third with layers alone.
_ANSWER_SHARE = 0.5


def seconds_after(
    total: float | None, slowness: float, *, serve: bool = False, model: float = 0.0, both_ways: bool = False
) -> float:
    """Time to keep for export and report.

    Args:
        total: Time for everything, or None.
        slowness: See `slowness`.
        serve: Whether a bundle for serving is written too.
        model: See `model_seconds`; 0: nothing is known of the model yet.
        both_ways: Whether the model holds the network twice, for an image and its mirror image.
    """
    small = _SECONDS_AFTER + (_SECONDS_SERVE if serve else 0.0)
    again = min(model, _BOTH_WAYS_SHARE * (total or 0.0)) if both_ways else 0.0
    return small * slowness + model + again + _AFTER_SHARE * (total or 0.0)


def model_seconds(configuration: Configuration) -> float:
    """How much longer the files of a configuration's model take than those of a small one, on this machine."""
    if configuration.price is not None:
        return _DEEP_BUILDS * max(0.0, configuration.price.build - _SMALL_DEEP_BUILD)
    return _BUILDS * max(0.0, build_seconds(configuration) - _SMALL_BUILD)


def slowness(spent: float, worked: float) -> float:
    """How much slower than an idle machine this one seems to be, from 1 to 4.

    Args:
        spent: Time that the start took: importing TensorFlow and loading the data.
        worked: Processor seconds of it. What is waited for besides is the disk, or others who use the machine.
    """
    return min(max(1.0, spent / worked), SLOWEST) if worked > 0 else 1.0


def doubt(left: float, wanted: float, slowness: float) -> str | None:
    """What is wrong with the time that is left, in words.

    Args:
        left: Seconds until everything has to be there, once the data are loaded.
        wanted: What export and report would like to have of them.
        slowness: See `slowness`.
    """
    if left < _LEAST_AFTER * slowness:
        return (
            f"the promised time cannot be kept: {max(0.0, left):.0f} s are left, and the shortest export and report "
            f"take about {_LEAST_AFTER * slowness:.0f} s"
        )
    if left < 2 * wanted:
        return (
            f"time is short: {left:.0f} s are left for everything, and export and report would like to have "
            f"{wanted:.0f} s of them; they will leave out what there is no time for"
        )
    return None


def evaluation_seconds(
    configuration: Configuration,
    validation_rows: int,
    rows: int,
    train_rows: int = 0,
    *,
    alone: float = 1.0,
    both_ways: bool = False,
) -> float:
    """Expected time to measure a model of a configuration.

    Args:
        configuration: The one.
        validation_rows: Rows that an epoch was validated on.
        rows: Rows that it is measured on.
        train_rows: Rows that an epoch trained on.
        alone: Time of what has the machine to itself, as a multiple of what it takes beside other trainings.
        both_ways: Whether the model holds the network twice, for an image and its mirror image.
    """
    price, ways = configuration.price, 2 if both_ways else 1
    if not rows or not validation_rows:
        return 0.0
    if price is not None and price.features:
        # An epoch was validated on what the network had made of the rows already.
        passed = price.features * rows / (train_rows + validation_rows)
        return max(_EVALUATION_BUILD, price.build) + ways * _DEEP_PASSES * passed
    if not configuration.epochs:
        return 0.0
    # An epoch that compiles says little of the others. A fold is validated after each of its own epochs, of which there
    # are at least as many as until its best.
    per_row = (
        min(
            max(0.0, epoch.seconds - epoch.train_seconds) / max(1.0, epoch.metrics.get(folds.LENGTH, 1.0))
            for epoch in configuration.epochs
        )
        / validation_rows
    )
    if train_rows and not configuration.settings["training"].get("folds"):
        # Few validation rows take no longer than to compile for them: what a row takes to train on, forth and back,
        # is more than what it takes to answer.
        trained = min(epoch.train_seconds for epoch in configuration.epochs)
        per_row = min(per_row, _ANSWER_SHARE * trained / train_rows)
    count = _OWN_PASSES if family_of_settings(configuration.settings["family"]).users_code else 1.0
    built = max(_EVALUATION_BUILD, build_seconds(configuration))
    return ways * (built + count * alone * per_row * rows)
