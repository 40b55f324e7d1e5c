"""What a process that trains nothing takes of the GPUs."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from spaces.outside.backend import share_gpus


@pytest.fixture
def calls(monkeypatch):
    """What TensorFlow was told, on a machine with two GPUs."""
    told = []

    def refuse_if_running(*what):
        if told[:1] == ["running"]:
            raise RuntimeError("Visible devices cannot be modified after being initialized")
        told.append(what)

    config = SimpleNamespace(
        list_physical_devices=lambda kind: ["first", "second"],
        set_visible_devices=refuse_if_running,
        experimental=SimpleNamespace(set_memory_growth=refuse_if_running),
    )
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=config))
    return told


def test_beside_a_search_it_sees_none(calls):
    share_gpus(True)
    assert calls == [([], "GPU")]


def test_else_it_takes_what_it_needs_of_each(calls):
    share_gpus(False)
    assert calls == [("first", True), ("second", True)]


@pytest.mark.parametrize("taken", [True, False])
def test_where_tensorflow_is_running_everything_stays(calls, taken):
    calls.append("running")
    share_gpus(taken)
    assert calls == ["running"]
