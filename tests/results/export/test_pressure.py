"""How many formats are begun when a promised hour comes nearer."""

from __future__ import annotations

from results.exporting.formats import FORMATS
from results.exporting.pressure import Pressure

THREE = [FORMATS[name] for name in ("keras", "h5", "savedmodel")]


def begun(left, layers, monkeypatch):
    """Formats that are begun, on an idle machine."""
    monkeypatch.setattr("results.exporting.pressure.Pressure._slowness", lambda _: 1.0)
    pressure = Pressure(lambda: left)
    pressure.weigh(layers)
    return [f.name for n, f in enumerate(THREE, 1) if pressure.allows(THREE[:n])]


def test_a_small_model_is_written_in_seconds(monkeypatch):
    assert begun(9.0, 8, monkeypatch) == ["keras", "h5", "savedmodel"]
    assert begun(7.0, 8, monkeypatch) == ["keras", "h5"]
    assert begun(3.0, 8, monkeypatch) == []


def test_a_deep_one_takes_as_much_longer_as_it_has_more_layers(monkeypatch):
    assert begun(9.0, 150, monkeypatch) == []
    assert begun(18.0, 150, monkeypatch) == ["keras", "h5"]
    assert begun(26.0, 150, monkeypatch) == ["keras", "h5", "savedmodel"]
