"""Configurations that share compiled functions are trained as if each had been compiled for itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from search.record.trial import FailureReason
from search.training.reuse import sharing
from spaces.families.pretrained import PRETRAINED
from tests.search import small
from tests.search.training import reuse_cases

ROOT = Path(__file__).parents[3]
CASES = dict(reuse_cases.cases())
# Those that find their compiled functions, or those of a network with dropout, from an earlier case.
REUSED = {
    "adam, wider, other rate", "adam, no dropout", "other momentum", "other decay", "adamw, other weight decay",
    "rmsprop with other penalty", "cnn, other numbers", "cnn, normalized, other numbers",
    "residual, other numbers", "separable, other numbers",
    "scheduled otherwise", "smoothed and clipped otherwise", "averaged otherwise", "bfloat16, wider",
    "lion, wider", "nadam, wider", "muon, other numbers",
    "augmented, other numbers", "augmented in mlp, wider",
}  # fmt: skip


# Compiling takes seconds a case: these by day, all of them by night.
BY_DAY = ("adam", "adam, wider, other rate", "adam, no dropout", "cnn", "cnn, other numbers", "averaged")


def _trained(*names):
    """What `reuse_cases` found in a process with op determinism."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.search.training.reuse_cases", *names],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def trained():
    return _trained(*BY_DAY)


@pytest.fixture(scope="module")
def all_trained():
    return _trained()


@pytest.mark.parametrize("name", BY_DAY)
def test_every_bit_is_that_of_a_model_of_its_own(trained, name):
    require_the_same(trained, name)


@pytest.mark.night
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", list(CASES))
def test_every_bit_is_that_of_a_model_of_its_own_in_every_case(all_trained, name):
    require_the_same(all_trained, name)


def require_the_same(trained, name):
    found = next(case for case in trained["cases"] if case["name"] == name)
    assert found["first"], "fresh weights"
    assert found["curve"], "metrics of two epochs"
    assert found["last"], "weights and optimizer after two epochs"
    assert found["like_keras"], "up to rounding"
    assert found["learnt"]
    assert found["parameters"], "counted without building"


def test_the_compiled_functions_were_indeed_shared(trained):
    assert {case["name"] for case in trained["cases"] if not case["new"]} == REUSED & set(BY_DAY)


@pytest.mark.night
@pytest.mark.timeout(1200)
def test_the_compiled_functions_were_indeed_shared_in_every_case(all_trained):
    assert {case["name"] for case in all_trained["cases"] if not case["new"]} == REUSED


def test_a_worker_leaves_out_what_no_training_uses(trained):
    assert trained["left_out"]


@pytest.mark.parametrize(
    "change", [{"learning_rate": 0.5}, {"batch_size": 7}, {"epochs": 99}, {"momentum": 0.1}, {"learning_rate_decay": 1}]
)
def test_numbers_that_are_read_while_running_are_no_part_of_the_signature(change):
    settings = CASES["other decay"]
    settings = replace(settings, training=replace(settings.training, optimizer="sgd", momentum=0.9))
    assert sharing.signature(replace(settings, training=replace(settings.training, **change))) == sharing.signature(
        settings
    )


@pytest.mark.parametrize(
    "change",
    [
        {"momentum": 0.0}, {"nesterov": True}, {"weight_decay": 0.1}, {"learning_rate_decay": 0.1},
        {"optimizer": "adam"}, {"metrics": ()}, {"loss": "mse"}, {"schedule": "cosine"}, {"warmup": 0.1},
        {"label_smoothing": 0.1}, {"gradient_clip": 1.0}, {"ema": 0.9}, {"precision": "bfloat16"},
    ],
)  # fmt: skip
def test_what_changes_operations_or_variables_is_part_of_the_signature(change):
    settings = CASES["momentum"]
    assert sharing.signature(replace(settings, training=replace(settings.training, **change))) != sharing.signature(
        settings
    )


def test_widths_are_part_of_the_signature_only_where_they_are_compiled():
    def with_model(name, **changes):
        return sharing.signature(replace(CASES[name], model={**CASES[name].model, **changes}))

    assert with_model("adam", units=(8, 8)) == with_model("adam", units=(16, 24))
    assert with_model("adam", units=(8,), layers=1) != with_model("adam")
    assert with_model("adam", activation="tanh") != with_model("adam")
    assert with_model("batch normalization", units=(8,)) != with_model("batch normalization", units=(24,))
    assert with_model("cnn", filters=(2,)) != with_model("cnn", filters=(3,))


def test_all_settings_but_those_before_it_are_part_of_what_a_head_is():
    model = {
        "backbone": "small.keras", "weights": "imagenet", "fine_tune": 0.0, "augmentation_flip": "none",
        "pooling": "average", "dense_layers": 1, "dense_units": (8,), "dropout": 0.1, "l2": 0.0, "output": "logits",
    }  # fmt: skip
    head = PRETRAINED.head_operations(model)
    before = {"backbone": "large.keras", "fine_tune": 0.5, "augmentation_flip": "horizontal"}
    assert PRETRAINED.head_operations({**model, **before, "dropout": 0.3}) == head
    # A family of a package that is made from it has settings of its own.
    for change in ({"dropout": 0.0}, {"l2": 0.1}, {"dense_units": (4,)}, {"pooling": "max"}, {"gated": True}):
        assert PRETRAINED.head_operations({**model, **change}) != head


def test_nothing_is_known_of_a_users_own_model():
    assert sharing.signature(replace(CASES["adam"], family="python:mine:build")) is None


def test_the_networks_used_last_are_kept_up_to_a_number_and_to_a_size(digits, monkeypatch):
    from search.training.engine import Rows
    from search.training.reuse import networks

    rows, kept = Rows(digits.train), networks.Networks(digits.info, None)

    def engine(name, parameters=1000):
        return kept.engine(CASES[name], 0, rows, parameters)

    monkeypatch.setattr(networks, "_MOST_NETWORKS", 2)
    first, second = engine("no dropout first"), engine("momentum")
    assert engine("no dropout first") is first
    engine("adam")
    assert engine("no dropout first") is first, "used after the other"
    assert engine("momentum") is not second
    monkeypatch.setattr(networks, "_MOST_PARAMETERS", 5000)
    large = engine("no dropout first", parameters=4500)
    assert large is first
    assert engine("no dropout first", parameters=4500) is large, "its own size counts once"
    engine("momentum")
    assert engine("no dropout first") is not large


def test_a_failed_training_leaves_nothing_in_the_next_one(tmp_path, digits):
    from search.clock import SystemClock
    from search.training.trainer import Trainer

    used, unused = (Trainer(tmp_path / name, digits, SystemClock()) for name in ("used", "unused"))
    job = small.job()
    training = {**job.settings["training"], "learning_rate": 1e30}
    failed = used.train(replace(job, settings={**job.settings, "training": training}))
    assert failed.failure is not None
    assert failed.failure.reason is FailureReason.NAN
    after, alone = used.train(job), unused.train(job)
    assert [epoch.metrics for epoch in after.epochs] == [epoch.metrics for epoch in alone.epochs]
    assert after.best is not None
    assert alone.best is not None
    assert after.best.digest == alone.best.digest


def test_training_on_other_rows_uses_the_same_functions(tmp_path, digits):
    """Retraining on training and validation rows comes after the search, in the same process."""
    from search.clock import SystemClock
    from search.training.trainer import Trainer

    used, unused = (Trainer(tmp_path / name, digits, SystemClock()) for name in ("used", "unused"))
    used.train(small.job())
    job = replace(small.job("1"), data="train+validation", objective="accuracy", keep=("last",))
    found, expected = used.train(job), unused.train(job)
    assert found.failure is None
    assert [epoch.metrics for epoch in found.epochs] == [epoch.metrics for epoch in expected.epochs]


def test_reuse_can_be_switched_off(tensorflow, digits, tmp_path, monkeypatch):
    from search.training.engine import Rows
    from search.training.reuse import networks

    made = []
    monkeypatch.setattr(networks, "fresh", lambda *arguments: made.append(arguments) or _Prepared())
    monkeypatch.setenv("NIGHTSHIFT_REUSE", "0")
    kept, rows = networks.Networks(digits.info, None), Rows(digits.train)
    for seed in (1, 2):
        kept.engine(CASES["adam"], seed, rows, 100)
    assert [seed for _, _, seed in made] == [1, 2]


def test_switched_off_no_network_is_kept_for_another_training_of_two_phases(tensorflow, digits, monkeypatch):
    from search.training.reuse import networks

    made = []

    class Made:
        def begin(self, settings, seed):
            return f"engine {seed}"

    def make():
        made.append(Made())
        return made[-1]

    for said, expected in (("1", 1), ("0", 2)):
        monkeypatch.setenv("NIGHTSHIFT_REUSE", said)
        made.clear()
        kept = networks.Networks(digits.info, None)
        engines = [kept._keep("head", 100, make, CASES["adam"], seed) for seed in (1, 2)]
        assert engines == ["engine 1", "engine 2"]
        assert (len(made), len(kept._kept)) == (expected, 2 - expected)


class _Prepared:
    def prepare(self, rows):
        pass
