"""Measures final models once on the rows that the search never saw, and keeps what the report needs of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import spaces
from search.clock import Clock
from search.errors import DiskError
from search.files import atomic, layout
from search.files import checkpoint as checkpoints
from search.files.store import Evaluation, RunStore
from search.phases.together import Together, compare
from search.record.seeds import derive
from search.record.trial import Checkpoint, Trial, metric
from search.training.engines import Engine, engines
from spaces import DataInfo, Dataset, Settings, Split
from spaces.families import family_of_settings
from spaces.models import thresholds
from spaces.models.outputs import as_targets

_ROWS_FOR_EXPORT = 64
_EXAMPLES = 25


@dataclass(frozen=True)
class FinalModel:
    """A trained model to be measured.

    Attributes:
        trial: The trial it belongs to.
        weights: Those that count.
        both_ways: Whether it averages over an image and its mirror image.
        others: Models that answer together with it.
    """

    trial: Trial
    weights: Checkpoint
    both_ways: bool = False
    others: tuple[FinalModel, ...] = ()


Evaluate = Callable[[Path, Dataset, FinalModel, RunStore, Clock, int], None]
"""Measures a final model and records what it found; arguments as for `evaluate`."""


Decide = Callable[[Path, Dataset, Sequence[FinalModel], RunStore, str], None]
"""Chooses the threshold between two classes and records it; arguments as for `decide`."""


Compare = Callable[[Path, Dataset, Sequence[FinalModel], FinalModel, bool], tuple[Together, float]]
"""Compares several models together with one alone; arguments and answer as for `compared`."""


def save_rows(run: Path, data: Dataset) -> None:
    """Keeps up to 64 raw rows of the test part (of validation, where there is none), to verify exported models.

    They are kept before anything is trained: a model may be exported at any time, and what it takes for words or
    bytes cannot be drawn at random.

    Raises:
        DiskError: They cannot be written.
    """
    part = data.test if data.test is not None else data.validation
    _write(run / layout.TEST_ROWS, x=part.x[:_ROWS_FOR_EXPORT], y=part.y[:_ROWS_FOR_EXPORT])


def save_sample(run: Path, data: Dataset) -> None:
    """Keeps what `Dataset.sample` gives, once, of data that nobody can load again as they are.

    Raises:
        DiskError: It cannot be written.
    """
    if data.changing and not (run / layout.SAMPLE).exists():
        sample = data.sample()
        part = sample.measured
        weight = {} if part.weight is None else {"weight": part.weight}
        _write(run / layout.SAMPLE, calibration=sample.calibration, x=part.x, y=part.y, **weight)


def evaluate(run: Path, data: Dataset, model: FinalModel, store: RunStore, clock: Clock, seed: int) -> None:
    """Predicts the test part with a final model and records the metrics. A model measured before is left alone.

    Args:
        run: The run directory; the predictions go to its evaluation folder.
        data: The data set; it has a test part.
        model: The model.
        store: Where the evaluation is recorded.
        clock: Tells the time for the record.
        seed: Seed for the choice of the examples.

    Raises:
        CheckpointError: The weights cannot be read.
        DiskError: The predictions cannot be written.
    """
    if data.test is None or any(done.trial == model.trial.id for done in store.evaluations()):
        return
    engine, rows, settings = _ready(run, data, model, data.test)
    if model.others:
        from spaces.models.averaged import averaged

        members = [engine.model, *(_ready(run, data, other, data.test)[0].model for other in model.others)]
        engine = engines().of_model(averaged(members, settings, data.info), settings, data.info)
    started = time.perf_counter()
    answered = engine.predict(rows)
    seconds = time.perf_counter() - started
    measured = _measured(engine, rows, answered, settings, data.info)
    metrics = {name: metric(value) for name, value in measured.items()}
    predictions = spaces.as_probabilities(answered, settings, data.info, engine.model)
    predictions = as_targets(predictions, data.info, engine.model)
    examples = _examples(predictions, data, seed)
    file = layout.evaluation_file(model.trial.id)
    _write(
        run / file,
        predictions=predictions.astype(np.float32),
        labels=_labels(data.test.y, data.info),
        examples_index=examples,
        examples=data.test.x[examples],
    )
    store.add_evaluation(Evaluation(model.trial.id, "test", metrics, len(data.test), seconds, file, clock.now()))


def _measured(engine: Engine, rows: Any, answered: np.ndarray, settings: Settings, info: DataInfo) -> dict[str, float]:
    """Loss and metrics of what the model answered to all rows."""
    if family_of_settings(settings.family).users_code:
        # What it counts, and of what, is its own affair.
        return engine.evaluate(rows)
    # A second pass through a large network would take longer than all else that follows the search.
    from spaces.models.model import before_activation, last_activation, repeating

    ends_in = last_activation(engine.model)
    judge = engines().of_model(repeating(answered.shape[1:], settings, info, ends_in), settings, info)
    metrics = judge.evaluate(rows.seen_as(before_activation(answered, ends_in)))
    penalty = float(sum(engine.model.losses))
    return {**metrics, "loss": metrics["loss"] + penalty}


def compared(
    run: Path, data: Dataset, members: Sequence[FinalModel], alone: FinalModel, accuracy: bool
) -> tuple[Together, float]:
    """Compares on the validation rows what several models answer together with what one answers alone.

    What is averaged is what the models themselves answer, as in the model that is exported.

    Args:
        run: The run directory.
        data: The data set.
        members: The models, each of which answers in the same way.
        alone: The one; it may be among them.
        accuracy: Whether right and wrong are counted; otherwise the loss decides.

    Returns:
        What was found, and how many times as long the answers of all of them take.

    Raises:
        CheckpointError: Weights cannot be read.
    """
    info = data.info
    answered: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    networks: dict[str, Any] = {}
    for model in (*members, alone):
        if model.trial.id not in answered:
            engine, rows, _ = _ready(run, data, model, data.validation)
            started = time.perf_counter()
            answered[model.trial.id] = np.asarray(engine.predict(rows), np.float64)
            seconds[model.trial.id] = time.perf_counter() - started
            networks[model.trial.id] = engine.model
    mean = np.mean([answered[model.trial.id] for model in members], axis=0)
    both = [
        spaces.as_probabilities(answers, Settings.from_json(model.trial.settings), info, networks[model.trial.id])
        for answers, model in ((mean, members[0]), (answered[alone.trial.id], alone))
    ]
    classes = info.task == "classification" and info.labels != "multi-label"
    part = data.validation
    found = compare(both[0], both[1], part.y, part.weight, classes=classes, accuracy=accuracy)
    return found, sum(seconds[model.trial.id] for model in members) / seconds[alone.trial.id]


def decide(run: Path, data: Dataset, models: Sequence[FinalModel], store: RunStore, objective: str) -> None:
    """Chooses from which probability on a row belongs to the second of two classes, on validation rows.

    Args:
        run: The run directory.
        data: The data set.
        models: Trainings of the configuration that never saw these rows; what all of them answer counts.
        store: Where the choice is recorded, as the fact `threshold`.
        objective: The objective that it has to suit, without `val_`.

    Raises:
        CheckpointError: Weights cannot be read.
    """
    info, measure = data.info, thresholds.SUITS.get(objective)
    two = info.task == "classification" and info.outputs == 2 and info.labels != "multi-label"
    if measure is None or not two or not models:
        return
    found, labels, weights = [], [], []
    for model in models:
        part = _unseen(data, model)
        engine, rows, settings = _ready(run, data, model, part)
        answered = engine.predict(rows)
        if answered.shape[1] > 2:
            # Of a model with outputs for further classes the most probable class counts.
            return
        found.append(spaces.as_probabilities(answered, settings, info, engine.model)[:, -1].astype(np.float64))
        labels.append(_labels(part.y, info))
        weights.append(np.ones(len(part)) if part.weight is None else part.weight)
    chosen = thresholds.choose(measure, *map(np.concatenate, (labels, found, weights)))
    described = {"class": info.class_names[1], "measure": measure, "rows": len(labels[0]), "models": len(models)}
    store.put_meta(threshold={**asdict(chosen), **described})


def _unseen(data: Dataset, model: FinalModel) -> Split:
    """The validation rows of a training; after a cross-validation those of its last fold, whose weights it has."""
    folds = Settings.from_json(model.trial.settings).training.folds
    return data.fold(model.weights.epoch - 1)[1] if folds else data.validation


def _ready(run: Path, data: Dataset, model: FinalModel, part: Split) -> tuple[Engine, Any, Settings]:
    """The engine of a model with its weights, rows for it, and its settings."""
    from spaces.models.model import set_weights

    settings = Settings.from_json(model.trial.settings).trained()
    rows = engines().rows(part)
    engine = engines().fresh(settings, data.info, seed=0)
    # A user's model may have no variables before it has seen a row.
    engine.prepare(rows)
    set_weights(engine.model, checkpoints.read(run, model.weights)["weights"])
    if model.both_ways:
        from spaces.models.mirrored import mirrored

        engine = engines().of_model(mirrored(engine.model, settings, data.info), settings, data.info)
    return engine, rows, settings


def _labels(y: np.ndarray, info: DataInfo) -> np.ndarray:
    return y.argmax(axis=1).astype(np.int32) if info.labels == "one-hot" else y


def _examples(predictions: np.ndarray, data: Dataset, seed: int) -> np.ndarray:
    """Row numbers of 25 random rows, then of the 25 most confident mistakes; ascending within each, no row twice."""
    assert data.test is not None
    count = len(data.test)
    generator = np.random.default_rng(derive(seed, "examples"))
    chosen = np.sort(generator.permutation(count)[:_EXAMPLES])
    if data.info.task != "classification" or data.info.labels == "multi-label":
        return chosen
    labels = _labels(data.test.y, data.info)
    classes, confidence = decided(predictions)
    wrong = np.flatnonzero(classes != labels)
    mistakes = wrong[np.argsort(-confidence[wrong], kind="stable")][:_EXAMPLES]
    return np.concatenate([chosen, np.setdiff1d(mistakes, chosen)]).astype(np.int64)


def decided(predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes and confidences, each of shape (n,), of probabilities of shape (n, classes); (n, 1) means two classes."""
    if predictions.shape[1] == 1:
        positive = predictions[:, 0]
        # As Keras's accuracy counts: exactly one half is the first class.
        return (positive > thresholds.PLAIN).astype(np.int32), np.maximum(positive, 1 - positive)
    return predictions.argmax(axis=1).astype(np.int32), predictions.max(axis=1)


def _write(path: Path, **arrays: Any) -> None:
    try:
        with atomic.replacing(path) as stream:
            np.savez(stream, **arrays)
    except OSError as error:
        raise DiskError(f"{path}: cannot be written ({error.strerror or error})") from error
