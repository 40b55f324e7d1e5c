from __future__ import annotations

import pytest

from search.tensorboard import TensorBoardWriter
from tests.search.records import outcome, trial

pytestmark = pytest.mark.usefixtures("tensorflow")


def scalars(folder):
    import tensorflow as tf
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
        if not tag.startswith("_hparams")
    }


def test_a_configuration_has_one_curve_over_all_its_trials(tmp_path):
    writer = TensorBoardWriter(tmp_path, "val_accuracy")
    writer.finished(trial("0"), outcome([0.25, 0.5]))
    writer.finished(trial("3", configuration="0", epochs_from=2, parent="0"), outcome([0.75], first=3))
    found = scalars(tmp_path / "tensorboard" / "0")
    assert found["accuracy/validation"] == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert found["loss/train"][0] == (1, 1.0)
    assert sorted(p.name for p in (tmp_path / "tensorboard").iterdir()) == ["0"]


def test_curves_that_cannot_be_written_end_nothing(tmp_path):
    (tmp_path / "tensorboard").write_text("in the way")
    TensorBoardWriter(tmp_path, "val_accuracy").finished(trial("0"), outcome([0.25]))
