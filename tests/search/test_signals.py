"""What ends a search orderly, and what does not."""

from __future__ import annotations

import os
import signal
import time

import pytest

from search.night.signals import ends_after, stop_on_signals

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_asks_for_an_end_and_the_second_ends(number, capfd):
    asked = []
    with stop_on_signals(lambda: asked.append(number)):
        os.kill(os.getpid(), number)
        assert asked == [number]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert asked == [number]
    assert "once more to stop at once" in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_terminal_that_goes_away_after_an_end_was_asked_for_leaves_it_orderly(number):
    asked = []
    with stop_on_signals(lambda: asked.append(number)):
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert asked == [number]


def test_afterwards_everything_is_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_on_signals(lambda: None):
        assert all(signal.getsignal(number) is not old for number, old in zip(SIGNALS, before, strict=True))
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_what_hangs_is_ended_and_the_alarm_of_others_stays():
    before, (left, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with pytest.raises(TimeoutError, match=r"^took longer than 50 ms$"), ends_after(0.05):
        time.sleep(60)
    with ends_after(0.05):
        pass
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(left, abs=5.0)


@pytest.fixture(autouse=True)
def _as_in_a_terminal():
    """Whoever runs the tests may have been started by `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_in_a_background_job_ctrl_c_stops_it_too():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asked = []
        with stop_on_signals(lambda: asked.append(1)):
            os.kill(os.getpid(), signal.SIGINT)
        assert asked == [1]
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_was_not_set_from_python_is_left_to_who_has_set_it(monkeypatch):
    getsignal = signal.getsignal
    before = [getsignal(number) for number in SIGNALS]
    monkeypatch.setattr(signal, "getsignal", lambda number: None if number == signal.SIGTERM else getsignal(number))
    with stop_on_signals(lambda: None):
        inside = [getsignal(number) for number in SIGNALS]
    assert [one is old for one, old in zip(inside, before, strict=True)] == [False, True, False]
    assert [getsignal(number) for number in SIGNALS] == before


def test_a_hang_up_that_is_ignored_stays_ignored():
    """As `nohup` does it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        asked = []
        with stop_on_signals(lambda: asked.append(1)):
            os.kill(os.getpid(), signal.SIGHUP)
        assert asked == []
    finally:
        signal.signal(signal.SIGHUP, before)
