"""Keras callbacks of the user's follow a training; those that would run it are refused by name."""

from __future__ import annotations

import re
from typing import ClassVar

import keras
import pytest

from search.clock import SystemClock
from search.record.trial import FailureReason
from search.training.trainer import Trainer
from spaces import CodeError, SearchSpec, SpaceError, load_data
from spaces.models.user_callbacks import make_callbacks
from spaces.outside.given import keep_function
from tests.search import small


class Diary(keras.callbacks.Callback):
    entries: ClassVar[list] = []

    def on_train_begin(self, logs=None):
        self.entries.append(("begin", self.params["epochs"], self.model.count_params() > 0, logs))

    def on_epoch_begin(self, epoch, logs=None):
        self.entries.append(("epoch", epoch, logs))

    def on_epoch_end(self, epoch, logs=None):
        self.entries.append((epoch, sorted(logs)))

    def on_train_end(self, logs=None):
        self.entries.append(("end", sorted(logs)))


def train(tmp_path, callbacks):
    reference = keep_function(callbacks)
    settings = small.settings(small.VALUES["adam with dropout"], training={"callbacks": reference, "epochs": 2})
    trainer = Trainer(tmp_path, load_data(small.spec()), SystemClock())
    return trainer.train(small.job(settings=settings, epochs_to=2))


def test_a_callback_is_told_what_fit_would_tell_it(tmp_path):
    Diary.entries.clear()
    outcome = train(tmp_path, lambda: [Diary()])
    reported = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert outcome.failure is None
    assert Diary.entries == [
        ("begin", 2, True, {}), ("epoch", 0, {}), (0, reported), ("epoch", 1, {}), (1, reported), ("end", reported),
    ]  # fmt: skip


def test_it_is_told_of_each_validation_as_fit_tells_it(tmp_path):
    told = []

    class Watching(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            told.append(("test", logs))

        def on_test_end(self, logs=None):
            told.append(sorted(logs))

        def on_epoch_end(self, epoch, logs=None):
            told.append(epoch)

    assert train(tmp_path, Watching).failure is None
    assert told == [("test", {}), ["accuracy", "loss"], 0, ("test", {}), ["accuracy", "loss"], 1]


def test_it_changes_no_number(tmp_path):
    with_it, without = train(tmp_path / "a", Diary), train(tmp_path / "b", list)
    assert small.curve(with_it) == small.curve(without)


def test_what_one_raises_fails_the_trial_with_its_line(tmp_path):
    class Wrong(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ValueError("no disk")

    failure = train(tmp_path, Wrong).failure
    assert failure.reason is FailureReason.ERROR
    assert re.fullmatch(r"Wrong, line \d+: Wrong\.on_epoch_end: ValueError: no disk", failure.message)


def test_one_that_ends_the_training_is_a_failure(tmp_path):
    class Ends(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    assert "set stop_training; when a training ends is said by training.early" in train(tmp_path, Ends).failure.message


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (lambda: keras.callbacks.EarlyStopping(), r"EarlyStopping: training\.early_stopping does this"),
        (lambda: [keras.callbacks.ModelCheckpoint("a.keras")], "ModelCheckpoint: checkpoints are kept by the run"),
        (lambda: keras.callbacks.ReduceLROnPlateau(), r"ReduceLROnPlateau: .*use training\.schedule"),
        (
            lambda: keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
            "LambdaCallback: on_train_batch_end would never be called",
        ),
        (lambda: 5, "gave int; it has to give"),
        (lambda: [Diary(), "a"], "gave a list with Diary, str"),
        (lambda: 1 / 0, "line .*ZeroDivisionError"),
    ],
)
def test_what_cannot_follow_is_refused_by_name(callback, message):
    with pytest.raises(CodeError, match=message):
        make_callbacks(keep_function(callback))


def test_own_callbacks_that_follow_batches_are_refused_and_others_taken():
    class PerBatch(keras.callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            pass

    class Ours(keras.callbacks.EarlyStopping):
        pass

    for refused in (PerBatch, Ours):
        with pytest.raises(CodeError, match=f"{refused.__name__}: "):
            make_callbacks(keep_function(refused))
    taken = [keras.callbacks.CSVLogger("a.csv"), keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), Diary()]
    assert make_callbacks(keep_function(lambda: taken)) == taken


def test_a_pretrained_model_takes_none(tmp_path):
    model = {"family": "pretrained", "backbone": "mobilenet", "weights": "none", "dense_layers": 0}
    training = {"epochs": 1, "callbacks": "a:b"}
    with pytest.raises(SpaceError, match=r"training\.callbacks: a model of family pretrained is trained in parts"):
        SearchSpec(name="x", data={"source": {"folder": str(tmp_path)}}, model=model, training=training)
