"""Ctrl-C, SIGTERM, SIGHUP of a terminal that goes away: the first asks for an orderly end, the second ends at once.

And the alarm that ends what hangs in this process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from spaces.basics.figures import duration

_NOTICE = b"\nstopping after the current epoch; once more to stop at once\n"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` on the first signal; the second raises `KeyboardInterrupt`.

    A terminal that goes away after another signal does not count.

    Signals can only be caught in the main thread; elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    # What a program in which Python is embedded has set, Python could not set again: that signal is that program's.
    before = {number: handler for number, handler in found.items() if handler is not None}
    if before.get(signal.SIGHUP) is signal.SIG_IGN:
        # `nohup` wants the end of the terminal to change nothing. (A shell's background jobs ignore Ctrl-C too, and are
        # still to be stopped by it.)
        del before[signal.SIGHUP]

    def handle(number: int, frame: Any) -> None:
        for each in before:
            # A terminal that is closed, or a logout, after somebody has asked for an end is no second request.
            signal.signal(each, _stay if each == signal.SIGHUP != number else _leave)
        # A handler may interrupt anything, so it writes without Python's buffers and their locks.
        with contextlib.suppress(OSError):
            os.write(2, _NOTICE)
        stop()

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ends_after(seconds: float) -> Iterator[None]:
    """Ends what takes longer with `TimeoutError`: code of others may hang.

    As with other signals only in the main thread; elsewhere nothing ends it, nor what hangs outside of Python.

    Args:
        seconds: Above 0.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = False

    def handle(number: int, frame: Any) -> None:
        if not over:
            raise TimeoutError(f"took longer than {duration(seconds)}")

    before = signal.signal(signal.SIGALRM, handle)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        # Python does not know of a handler that was not set from Python.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def _leave(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _stay(number: int, frame: Any) -> None:
    """The end has been asked for already. What is ignored instead would be so in new processes, too."""
