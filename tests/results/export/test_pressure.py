"""How many formats are begun when a promised hour comes nearer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from results.exporting.formats import FORMATS
from results.exporting.pressure import Pressure

THREE = [FORMATS[name] for name in ("keras", "h5", "savedmodel")]


def begun(left, layers, monkeypatch):
    """Formats that are begun, on an idle machine."""
    monkeypatch.setattr("results.exporting.pressure.Pressure._slowness", lambda _: 1.0)
    pressure = Pressure(lambda: left)
    pressure.weigh(layers)
    return [f.name for n, f in enumerate(THREE, 1) if pressure.allows(THREE[:n])]


def test_rows_that_have_to_be_read_once_more_take_their_time(monkeypatch):
    monkeypatch.setattr("results.exporting.pressure.Pressure._slowness", lambda _: 1.0)
    pressure = Pressure(lambda: 30.0)
    assert pressure.allows(THREE, 20.0)
    assert not pressure.allows(THREE, 25.0)


def test_a_small_model_is_written_in_seconds(monkeypatch):
    assert begun(9.0, 8, monkeypatch) == ["keras", "h5", "savedmodel"]
    assert begun(7.0, 8, monkeypatch) == ["keras", "h5"]
    assert begun(3.0, 8, monkeypatch) == []


@pytest.mark.parametrize(("own", "of_others", "written"), [(5.0, 5.0, True), (10.0, 0.0, True), (5.0, 0.0, False)])
def test_to_wait_for_the_process_that_checks_the_files_is_no_sign_of_a_busy_machine(
    monkeypatch, own, of_others, written
):
    passed = [0.0, 0.0, 0.0]
    times = SimpleNamespace(times=lambda: (passed[1], 0.0, passed[2], 0.0, passed[0]))
    monkeypatch.setattr("results.exporting.pressure.time", SimpleNamespace(monotonic=lambda: passed[0]))
    monkeypatch.setattr("results.exporting.pressure.os", times)
    pressure = Pressure(lambda: 9.0)
    passed[:] = [10.0, own, of_others]
    assert pressure.allows(THREE) is written


def test_a_deep_one_takes_as_much_longer_as_it_has_more_layers(monkeypatch):
    assert begun(9.0, 150, monkeypatch) == []
    assert begun(18.0, 150, monkeypatch) == ["keras", "h5"]
    assert begun(26.0, 150, monkeypatch) == ["keras", "h5", "savedmodel"]


def test_a_recurrent_layer_takes_its_time_step_by_step_where_the_format_has_each(monkeypatch):
    monkeypatch.setattr("results.exporting.pressure.Pressure._slowness", lambda _: 1.0)
    pressure = Pressure(lambda: 30.0)
    pressure.weigh(3, steps=100)
    assert pressure.allows([FORMATS["keras"]])
    assert not pressure.allows([FORMATS["keras"], FORMATS["tflite"]])
    pressure.weigh(3, steps=10)
    assert pressure.allows([FORMATS["keras"], FORMATS["tflite"]])
