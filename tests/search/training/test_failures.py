"""Whatever goes wrong in a configuration is its outcome, never an exception."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

import spaces
from search.budget import Deadline
from search.clock import SystemClock
from search.record.trial import FailureReason, Stop
from search.training import memory
from search.training.failures import TrialFailed, classify
from search.training.trainer import Trainer, _Training
from spaces import DataError, Settings
from tests.search import small


class ResourceExhaustedError(Exception):
    """Named like TensorFlow's."""


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        (MemoryError(), FailureReason.OUT_OF_MEMORY, "not enough memory"),
        (ResourceExhaustedError("OOM when allocating\ntensor"), FailureReason.OUT_OF_MEMORY, "OOM when allocating"),
        (DataError("labels out of range"), FailureReason.DATA, "labels out of range"),
        (TrialFailed(FailureReason.NAN, "loss became nan"), FailureReason.NAN, "loss became nan"),
        (ZeroDivisionError("division by zero"), FailureReason.ERROR, "ZeroDivisionError: division by zero"),
        (KeyError(), FailureReason.ERROR, "KeyError: "),
    ],
)
def test_errors_are_sorted_by_cause(error, reason, message):
    failure = classify(error)
    assert (failure.reason, failure.message) == (reason, message)
    assert type(error).__name__ in failure.detail


def test_a_loss_that_is_no_number_ends_the_training_at_once(trainer):
    settings = small.settings(
        {**small.VALUES["sgd with momentum"], "learning_rate": 1e30}, training={"learning_rate": 1e30}
    )
    outcome = trainer.train(small.job(settings=settings))
    assert outcome.failure.reason is FailureReason.NAN
    assert outcome.failure.message in ("loss became nan in epoch 1", "loss became inf in epoch 1")
    assert (outcome.score, outcome.stopped, outcome.epochs) == (None, None, ())
    assert outcome.parameters > 0


def test_an_architecture_that_cannot_be_built_says_why(trainer):
    deep = spaces.load({
        **small.SPACE,
        "model": {"family": "cnn", "blocks": {"min": 1, "max": 4}, "filters": 4, "padding": "valid"},
        "training": {"learning_rate": 0.01, "epochs": 2},
        "search": {"algorithm": "random", "max_trials": 3},
        "baselines": [],
    })  # fmt: skip
    outcome = trainer.train(small.job(settings=spaces.configure(deep, {"blocks": 4}).to_json()))
    assert outcome.failure.reason is FailureReason.INVALID
    assert "the image has shrunk" in outcome.failure.message


def test_an_oversized_model_is_not_trained(tmp_path, trainer):
    outcome = trainer.train(small.job(max_parameters=100))
    assert outcome.failure.reason is FailureReason.OVERSIZED
    assert "more than the limit of 100" in outcome.failure.message
    assert outcome.parameters == 64 * 16 + 16 + 16 * 8 + 8 + 8 * 10 + 10
    assert outcome.epochs == ()
    exact = trainer.train(small.job(max_parameters=outcome.parameters, epochs_to=1))
    assert exact.failure is None, "exactly at the limit is allowed"


def test_a_model_that_does_not_fit_into_memory_is_not_tried(trainer, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1000)
    outcome = trainer.train(small.job())
    assert outcome.failure.reason is FailureReason.OUT_OF_MEMORY
    monkeypatch.setattr(memory, "available", lambda: None)
    assert trainer.train(small.job(epochs_to=1)).failure is None


def test_an_epoch_over_its_limit_is_hung(trainer):
    outcome = trainer.train(small.job(seconds_per_epoch=1e-6))
    assert outcome.failure.reason is FailureReason.HUNG
    assert "an epoch took more than the limit" in outcome.failure.message
    outcome = trainer.train(small.job(seconds_per_trial=1e-6))
    assert "the trial took more than the limit" in outcome.failure.message


class Entered:
    """An engine that takes 40 s for what no other training has to do again."""

    def enter(self, epoch, rows, validation, check):
        check()
        return 40.0


def under_way(tmp_path, **limits):
    one = small.job(**limits)
    return _Training(tmp_path, one, Settings.from_json(one.settings), None, SystemClock())


def test_what_comes_before_an_epoch_is_none_of_its_time(tmp_path):
    under_way(tmp_path, seconds_per_epoch=1e-9)._enter(Entered(), None, None, lambda: None, 1)
    with pytest.raises(TrialFailed, match="the trial took more"):
        under_way(tmp_path, seconds_per_trial=1e-9)._enter(Entered(), None, None, lambda: None, 1)


def test_what_lies_between_two_epochs_of_a_fold_counts_anew_as_it_goes_on(tmp_path):
    begun = []
    under_way(tmp_path)._enter(Entered(), None, None, lambda: None, 4, lambda: begun.append(None))
    assert begun == [None]


def test_a_training_that_fails_tells_what_it_has_done_for_all_others(tmp_path):
    training = under_way(tmp_path)
    training._enter(Entered(), None, None, lambda: None, 1)
    assert training.failed(TrialFailed(FailureReason.NAN, "loss became nan")).once_seconds == 40.0


def test_a_deadline_ends_a_training_with_what_it_has(tmp_path, digits):
    class Slow(SystemClock):
        """Stands still until the first epoch is over, then shows that the second would end after the deadline."""

        def __init__(self):
            self.passed = 0.0

        def monotonic(self):
            return self.passed

    clock = Slow()

    def pass_time(epoch):
        clock.passed = 999.99999

    job = small.job(deadline=Deadline(monotonic=1000.0), keep=("best", "last"))
    outcome = Trainer(tmp_path, digits, clock).train(job, on_epoch=pass_time)
    assert (outcome.stopped, outcome.failure, len(outcome.epochs)) == (Stop.DEADLINE, None, 1)
    assert outcome.best is not None
    assert not outcome.whole


def test_past_the_deadline_nothing_is_built_trained_or_written(tmp_path, digits):
    job = small.job(deadline=Deadline(unix=1.0), keep=("best", "last", "state"))
    outcome = Trainer(tmp_path, digits, SystemClock()).train(job)
    assert (outcome.stopped, outcome.failure, outcome.epochs, outcome.score) == (Stop.DEADLINE, None, (), None)
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_time_for_its_first_epoch_is_not_built(tmp_path, digits):
    job = small.job(deadline=Deadline(monotonic=SystemClock().monotonic() + 1800.0, first_epoch=3600.0))
    outcome = Trainer(tmp_path, digits, SystemClock()).train(job)
    assert (outcome.stopped, outcome.epochs, outcome.build_seconds) == (Stop.DEADLINE, (), 0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_first_epoch_has_the_grace_of_its_deadline_and_no_second_one_has(tmp_path, digits):
    deadline = Deadline(monotonic=SystemClock().monotonic() - 1.0, grace=1800.0)
    outcome = Trainer(tmp_path, digits, SystemClock()).train(small.job(deadline=deadline))
    assert (outcome.stopped, len(outcome.epochs)) == (Stop.DEADLINE, 1)
    assert outcome.best is not None


def test_without_time_for_another_epoch_a_continued_training_keeps_what_it_had(tmp_path, digits):
    trainer = Trainer(tmp_path, digits, SystemClock())
    first = trainer.train(small.job(epochs_to=2, keep=("best", "state")))
    job = small.job(
        epochs_from=2, epochs_to=4, history=tuple(replace(epoch, seconds=3600.0) for epoch in first.epochs),
        resume=first.state, best=first.best, keep=("best", "state"),
        deadline=Deadline(monotonic=SystemClock().monotonic() + 1800.0),
    )  # fmt: skip
    outcome = trainer.train(job)
    assert (outcome.stopped, outcome.epochs) == (Stop.DEADLINE, ())
    assert (outcome.state, outcome.best, outcome.score) == (first.state, first.best, first.score)


def test_a_training_without_validation_that_early_stopping_ends_keeps_its_last_weights(tmp_path, digits):
    """The final training on all rows has no best epoch, so its last one is all there is."""
    rule = {"epochs": 9, "early_stopping": {"monitor": "loss", "patience": 1, "min_delta": 100.0}}
    settings = small.settings(small.VALUES["adam with dropout"], training=rule, search={"algorithm": "random"})
    job = small.job(settings=settings, data="train+validation", keep=("last",), epochs_to=9)
    outcome = Trainer(tmp_path, digits, SystemClock()).train(job)
    assert (outcome.stopped, outcome.score) == (Stop.EARLY_STOPPING, None)
    assert outcome.last is not None
    assert outcome.whole


USER = """
import keras

def build(hp):
    kind = hp.Choice("kind", ["good", "raises", "memory", "deep", "no model", "exits"])
    if kind == "raises":
        raise RuntimeError("the user's own words")
    if kind == "memory":
        raise MemoryError("cannot allocate")
    if kind == "no model":
        return "a string"
    inputs = keras.Input((8, 8))
    x = keras.layers.Flatten()(inputs)
    if kind == "deep":
        x = keras.layers.Reshape((4, 16, 1))(x)
        for _ in range(4):
            x = keras.layers.MaxPooling2D()(x)
        x = keras.layers.Flatten()(x)
    if kind == "exits":
        raise SystemExit(3)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
"""


@pytest.mark.parametrize(
    ("kind", "reason", "message"),
    [
        ("raises", FailureReason.ERROR, "RuntimeError: the user's own words"),
        ("memory", FailureReason.OUT_OF_MEMORY, "cannot allocate"),
        ("no model", FailureReason.ERROR, "has to return a keras.Model"),
        ("deep", FailureReason.ERROR, ""),
    ],
)
def test_a_users_function_that_fails(tmp_path, trainer, monkeypatch, kind, reason, message):
    monkeypatch.syspath_prepend(tmp_path)
    reference = small.write_module(tmp_path, "my_models", USER)
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    spec = spaces.load({
        **small.SPACE,
        "model": {"family": {"python": reference}},
        "baselines": [],
        "training": {"optimizer": "adam", "learning_rate": 0.01, "epochs": 2},
        "search": {"algorithm": "random", "max_trials": 3},
    })  # fmt: skip
    good = trainer.train(small.job("good", settings=spaces.configure(spec, {"kind": "good"}).to_json(), epochs_to=1))
    assert good.failure is None
    outcome = trainer.train(small.job("bad", settings=spaces.configure(spec, {"kind": kind}).to_json()))
    assert outcome.failure.reason is reason
    assert message in outcome.failure.message
    assert "Traceback" in outcome.failure.detail
    monkeypatch.delitem(sys.modules, "my_models", raising=False)


def test_a_failed_training_leaves_no_checkpoint_and_the_next_one_works(tmp_path, trainer):
    trainer.train(small.job("bad", max_parameters=1))
    assert not (tmp_path / "trials").exists()
    assert trainer.train(small.job("good", epochs_to=1)).failure is None
    assert sorted(p.name for p in (tmp_path / "trials/good").iterdir()) == ["best.npz", "last.npz", "state.npz"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MemTotal: 1 kB\nMemAvailable:    2048 kB\n", 2048 * 1024),
        ("MemTotal: 1 kB\n", None),
        ("MemAvailable:\n", None),
    ],
)
def test_free_memory_as_the_kernel_tells_it(tmp_path, monkeypatch, text, expected):
    (tmp_path / "meminfo").write_text(text)
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    assert memory.available() == expected


def test_memory_that_nobody_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "missing")
    assert memory.available() is None


def test_training_takes_weights_gradients_and_two_slots():
    assert memory.needed(1000) == 16_000
