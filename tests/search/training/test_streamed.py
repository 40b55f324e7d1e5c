"""Training on rows that stay on the disk gives the numbers of training on the same rows in memory."""

from __future__ import annotations

import numpy as np
import pytest

import spaces
from search.clock import SystemClock
from search.executors import shared_data
from search.files import checkpoint as checkpoints
from search.training import engine
from search.training.trainer import Trainer
from spaces.data.stored import StoredRows
from tests.search import small


@pytest.fixture
def streamed(tmp_path, tensorflow):
    return spaces.load_data(small.spec(data={"stream": True}), None, tmp_path / "rows")


def assert_same(one, other, run, there):
    assert (one.failure, small.curve(one), one.score) == (None, small.curve(other), other.score)
    for kind in ("state", "last"):
        small.assert_same_arrays(
            checkpoints.read(there, getattr(one, kind)), checkpoints.read(run, getattr(other, kind))
        )


@pytest.mark.parametrize("part", ["train", "train+validation"])
def test_every_epoch_and_checkpoint_is_the_same(tmp_path, trainer, streamed, part, monkeypatch):
    # Stretches of a few steps: what is read ahead changes nothing.
    monkeypatch.setattr(engine, "_BYTES_READ_AHEAD", 3 * 64 * 64)
    there = tmp_path / "there"
    other = Trainer(there, streamed, SystemClock())
    for name in small.VALUES:
        job = small.job(name, name, data=part, epochs_to=3, objective="val_accuracy" if part == "train" else "accuracy")
        assert_same(other.train(job), trainer.train(job), tmp_path, there)


def test_answers_are_the_same(tmp_path, digits, streamed):
    made = []
    for data in (digits, streamed):
        fresh = engine.fresh(spaces.Settings.from_json(small.job().settings), data.info, 3)
        rows = engine.Rows(data.validation)
        fresh.prepare(rows)
        made.append(fresh.predict(rows))
    np.testing.assert_array_equal(*made)


def test_what_a_run_directory_says_of_places_on_the_disk_is_not_believed(tmp_path, digits, streamed):
    folder = shared_data.write(tmp_path, streamed)
    assert isinstance(shared_data.read(folder).train.x, StoredRows)
    shared_data.write(tmp_path, digits)
    assert not isinstance(shared_data.read(folder).train.x, StoredRows)
