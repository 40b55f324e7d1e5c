"""Folds are trained one after the other, each as a training of its own; one that was broken off begins again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import spaces
from search.clock import SystemClock
from search.files import checkpoint as checkpoints
from search.record import folds
from search.record.trial import Stop
from search.training.trainer import Trainer
from spaces import Settings, Target
from tests.search import small

SPEC = {"data": {"validation": {"folds": 3}, "limit": 120}, "search": {"algorithm": "random"}}
VALUES = {**small.VALUES["adam with dropout"], "epochs": 2}


@pytest.fixture(scope="module")
def data() -> spaces.Dataset:
    return spaces.load_data(small.spec(**SPEC))


def job(**changes: Any) -> Any:
    settings = changes.pop("settings", small.settings(VALUES, **SPEC))
    return small.job(settings=settings, epochs_to=3, keep=("best", "state"), **changes)


def numbers(outcome: Any) -> list[Any]:
    return [(epoch.number, dict(epoch.metrics)) for epoch in outcome.epochs]


def test_each_fold_is_a_training_on_the_others_and_the_score_is_the_mean(tmp_path, data) -> None:
    from search.training.cross.folds import Fold
    from search.training.engine import Rows, fresh

    outcome = Trainer(tmp_path, data, SystemClock()).train(job())
    assert outcome.failure is None
    assert (len(outcome.epochs), outcome.stopped, outcome.best_epoch) == (3, Stop.LENGTH, 3)
    found = folds.values(outcome.epochs, "val_accuracy")
    assert outcome.score == pytest.approx(np.mean(found))
    settings = Settings.from_json(job().settings)
    train, validation = data.fold(1)
    assert len(train) + len(validation) == 120
    engine = fresh(settings.one_fold(), data.info, Fold(job(), settings, list(outcome.epochs[:1])).seed)
    engine.prepare(Rows(train))
    scores = []
    for epoch in (1, 2):
        engine.train_epoch(Rows(train), epoch)
        scores.append(engine.evaluate(Rows(validation))["accuracy"])
    assert max(scores) == pytest.approx(found[1])


def test_what_is_interrupted_goes_on_with_the_fold_and_comes_to_the_same_numbers(tmp_path, data) -> None:
    whole = Trainer(tmp_path, data, SystemClock()).train(job())
    asked = iter([None, None, None, Stop.INTERRUPTED])  # after both epochs and the end of fold 1, in fold 2
    first = Trainer(tmp_path, data, SystemClock()).train(job(), lambda: next(asked, Stop.INTERRUPTED))
    assert (len(first.epochs), first.stopped) == (1, Stop.INTERRUPTED)
    again = job(epochs_from=1, history=first.epochs, resume=first.state, best=first.best)
    rest = Trainer(tmp_path, data, SystemClock()).train(again)
    assert numbers(first) + numbers(rest) == numbers(whole)
    assert rest.score == whole.score
    assert rest.best is not None
    assert whole.best is not None
    small.assert_same_arrays(checkpoints.read(tmp_path, rest.best), checkpoints.read(tmp_path, whole.best))


def test_one_below_the_bar_has_one_fold(tmp_path, data) -> None:
    settings = Settings.from_json(job().settings)
    barred = replace(settings, training=replace(settings.training, fold_bars=(Target("val_accuracy", 1.1, None),)))
    outcome = Trainer(tmp_path, data, SystemClock()).train(job(settings=barred.to_json()))
    assert (len(outcome.epochs), outcome.stopped) == (1, Stop.PAUSED)
    assert outcome.whole


def test_a_first_fold_that_time_cuts_short_counts_with_what_it_has(tmp_path, data) -> None:
    trainer = Trainer(tmp_path, data, SystemClock())
    asked = iter([None, Stop.DEADLINE])
    outcome = trainer.train(job(), lambda: next(asked, Stop.DEADLINE))
    assert (len(outcome.epochs), outcome.stopped) == (1, Stop.DEADLINE)
    assert outcome.epochs[0].metrics[folds.LENGTH] == 1
    assert outcome.score == outcome.epochs[0].metrics["val_accuracy"]
    assert outcome.best is not None


def test_the_time_of_an_epoch_begins_with_it_and_not_with_its_fold(tmp_path, data) -> None:
    done: list[int] = []
    begun: list[int] = []
    outcome = Trainer(tmp_path, data, SystemClock()).train(
        job(), on_epoch=lambda fold: done.append(fold.number), on_begin=lambda: begun.append(len(done))
    )
    assert outcome.failure is None
    assert all(begun.count(fold) >= 2 for fold in range(3)), "each fold has two epochs"
