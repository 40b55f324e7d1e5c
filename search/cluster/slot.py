"""The actor that Ray runs for each training at a time.

It is sent to the nodes as it stands here, before anybody knows whether this package is there, and in which version. So
it imports nothing but the standard library until it has said what it found and was told to begin.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

PACKAGES = ("keras-nightshift", "tensorflow", "keras")


class Slot:
    """Trains one job after the other in a thread; Ray's own threads carry the messages.

    What it has to say waits in a queue for `receive`, which the search always has one call of under way.

    Args:
        packages: What it says the versions of besides those of `PACKAGES`.
    """

    def __init__(self, packages: Sequence[str] = ()) -> None:
        self._said: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[tuple[bytes, Sequence[bytes]]] = queue.SimpleQueue()
        self._leave: Callable[[], None] = lambda: None
        self._stop: Callable[[bytes], None] = lambda _: None
        self._go_on: Callable[[], None] = lambda: None
        self._move: Callable[[bytes], None] = lambda _: None
        self._said.put(("hello", {"versions": versions(packages)}))

    def receive(self) -> list[tuple[Any, Any]]:
        """What it has to say, at least one message."""
        found = [self._said.get()]
        while not self._said.empty():
            found.append(self._said.get())
        return found

    def begin(self, told: dict[str, Any], parts: dict[str, list[Any]] | None) -> None:
        """Makes itself ready, in its own time.

        Args:
            told: Plain data: `root` of this package at home, `path` to take over or None, `moved` entries of the module
                search path that come last, `gpus` that it may use, and what `search.cluster.work` reads.
            parts: Pieces of the data's files, as references to Ray's object store; None: nothing to store.
        """
        threading.Thread(target=self._live, args=(told, parts), daemon=True).start()

    def train(self, job: bytes, files: Sequence[bytes]) -> None:
        """Takes a job, with the files of the checkpoint to go on from."""
        # Here, in order with `stop`: by the time that the thread has it, a stop may have come for it.
        self._go_on()
        self._told.put((job, files))

    def stop(self, why: bytes) -> None:
        """Ends the training after its epoch."""
        self._stop(why)

    def move(self, left: bytes) -> None:
        """Moves the deadline of the training."""
        self._move(left)

    def leave(self) -> None:
        """Removes what it has stored on this node."""
        self._leave()

    def _live(self, told: dict[str, Any], parts: dict[str, list[Any]] | None) -> None:
        try:
            self._work(told, parts)
        except BaseException:
            # Without this thread nobody would ever hear of its job again; that its process has ended is seen.
            traceback.print_exc()
            os._exit(1)

    def _work(self, told: dict[str, Any], parts: dict[str, list[Any]] | None) -> None:
        try:
            _find_packages(told)
            from search.cluster.work import Work

            work = Work(told, parts, self._said.put, self._told.get)
            self._stop, self._go_on, self._move, self._leave = work.stop, work.go_on, work.move, work.leave
        except Exception as error:
            self._said.put(("unable", {"why": f"{type(error).__name__}: {error}", "kind": "package"}))
            return
        work.go()


def versions(packages: Sequence[str] = ()) -> dict[str, str | None]:
    """What is installed of `PACKAGES` and of these, which have to be the same everywhere; None for what is not."""
    return {name: _version(name) for name in (*PACKAGES, *packages)}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _find_packages(told: dict[str, Any]) -> None:
    """Sees to it that this package is found, and that no file of the user's stands for one of its modules or Python's.

    Ray puts the folder where the search was started in front of everything.
    """
    if told["path"] is not None:
        sys.path[:] = told["path"]
    moved = [entry for entry in sys.path if entry in told["moved"]]
    sys.path[:] = [entry for entry in sys.path if entry not in told["moved"]] + moved
    if os.path.isfile(os.path.join(told["root"], "search", "cluster", "work.py")):
        # The same installation as at home: with a checkout, what is there counts and not what else is installed.
        sys.path.insert(0, told["root"])
        from spaces.outside.launch import own_packages_first

        own_packages_first()
        sys.path.remove(told["root"])
    if not told["gpus"]:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # What TensorFlow does with its threads is told to TensorFlow.
    os.environ.pop("OMP_NUM_THREADS", None)
