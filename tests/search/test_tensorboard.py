from __future__ import annotations

from dataclasses import replace

import pytest

from search.clock import SystemClock
from search.night.tensorboard import TensorBoardWriter
from search.record.trial import TrialKind
from tests.search.records import failed, outcome, trial

pytestmark = pytest.mark.usefixtures("tensorflow")


class At(SystemClock):
    """A clock that stands still."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


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
    writer = TensorBoardWriter(tmp_path, "val_accuracy", At(1_000.0))
    writer.finished(trial("0"), outcome([0.25, 0.5]))
    writer.finished(trial("3", configuration="0", epochs_from=2, parent="0"), outcome([0.75], first=3))
    found = scalars(tmp_path / "tensorboard" / "0")
    assert found["accuracy/validation"] == [(1, 0.25), (2, 0.5), (3, 0.75)]
    assert found["loss/train"][0] == (1, 1.0)
    assert sorted(p.name for p in (tmp_path / "tensorboard").iterdir()) == ["0"]


def hparams_tab(folder):
    """What the HParams plugin's own backend shows of a folder: names of hyperparameters, of metrics, and the rows."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

    events = EventMultiplexer().AddRunsFromDirectory(str(folder))
    events.Reload()
    backend = backend_context.Context(TBContext(data_provider=MultiplexerDataProvider(events, str(folder))))
    experiment = get_experiment.Handler(RequestContext(), backend, "", api_pb2.GetExperimentRequest()).run()
    asked = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=100, allowed_statuses=api_pb2.Status.values())
    rows = list_session_groups.Handler(RequestContext(), backend, "", asked).run().session_groups
    return (
        {found.name for found in experiment.hparam_infos},
        {found.name.tag for found in experiment.metric_infos},
        {
            row.name: (
                api_pb2.Status.Name(row.sessions[0].status),
                {name: getattr(value, value.WhichOneof("kind")) for name, value in row.hparams.items()},
                {value.name.tag: (value.training_step, value.value) for value in row.metric_values},
            )
            for row in rows
        },
    )


def test_the_hparams_tab_has_a_row_for_each_configuration(tmp_path):
    deep = {"layers": 2, "units_1": 16, "optimizer": "sgd", "momentum": 0.5}
    writer = TensorBoardWriter(tmp_path, "val_accuracy", At(1_000.0))
    writer.finished(trial("0", values=deep), outcome([0.25, 0.5]))
    writer.finished(trial("1", values={"layers": 1, "optimizer": "adam"}), outcome([0.25]))
    writer.finished(trial("2", values={"layers": 1, "optimizer": "adam"}), failed())
    article = trial("baseline-article", TrialKind.BASELINE, name="article", values={"layers": 0, "nesterov": True})
    writer.finished(article, outcome([0.125]))
    promoted = trial("3", configuration="0", epochs_from=2, parent="0", values=deep)
    writer.finished(promoted, outcome([0.75, 0.625], first=3))
    hyperparameters, metrics, rows = hparams_tab(tmp_path / "tensorboard")
    assert hyperparameters == {"layers", "units_1", "optimizer", "momentum", "nesterov"}
    assert {"best/val_accuracy", "accuracy/validation", "loss/train"} <= metrics
    assert {name: values for name, (_, values, _) in rows.items()} == {
        "0": deep,
        "1": {"layers": 1, "optimizer": "adam"},
        "2": {"layers": 1, "optimizer": "adam"},
        "baseline-article": {"layers": 0, "nesterov": True},
    }
    scores = {name: shown.get("best/val_accuracy") for name, (_, _, shown) in rows.items()}
    assert scores == {"0": (3, 0.75), "1": (1, 0.25), "2": None, "baseline-article": (1, 0.125)}
    assert rows["0"][2]["accuracy/validation"] == (4, 0.625)
    assert {name: status for name, (status, _, _) in rows.items()} == {
        "0": "STATUS_SUCCESS",
        "1": "STATUS_SUCCESS",
        "2": "STATUS_FAILURE",
        "baseline-article": "STATUS_SUCCESS",
    }


def test_wall_times_are_those_of_the_epochs(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    epochs = tuple(replace(epoch, seconds=10.0) for epoch in outcome([0.25, 0.5, 0.75]).epochs)
    writer = TensorBoardWriter(tmp_path, "val_accuracy", At(1_000.0))
    writer.finished(trial("0"), outcome([0.25], epochs=epochs, seconds=35.0))
    events = EventAccumulator(str(tmp_path / "tensorboard" / "0"))
    events.Reload()
    assert [event.wall_time for event in events.Tensors("accuracy/validation")] == [980.0, 990.0, 1_000.0]
    assert events.FirstEventTimestamp() == 965.0


def test_curves_that_cannot_be_written_end_nothing(tmp_path):
    (tmp_path / "tensorboard").write_text("in the way")
    TensorBoardWriter(tmp_path, "val_accuracy", At(1_000.0)).finished(trial("0"), outcome([0.25]))


def test_beyond_the_limit_no_more_searched_configurations_are_written_and_that_is_said_once(tmp_path, monkeypatch):
    monkeypatch.setattr("search.night.tensorboard.MOST", 2)
    said = []
    for names in (["0", "1", "2"], ["3", "1"]):
        writer = TensorBoardWriter(tmp_path, "val_accuracy", At(0.0), said.append)
        for name in names:
            writer.finished(trial(name), outcome([0.25]))
    writer.finished(trial("baseline-article", TrialKind.BASELINE, name="article"), outcome([0.125]))
    writer.finished(trial("winner-1", TrialKind.WINNER, configuration="1"), outcome([0.5]))
    assert sorted(p.name for p in (tmp_path / "tensorboard").iterdir()) == ["0", "1", "baseline-article", "winner-1"]
    assert len(said) == 1
    assert "2 configurations" in said[0]
