"""What the executor needs of a cluster, and Ray as one."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from search.cluster.head import Head
from search.cluster.needs import Needs, Node, in_steps
from search.errors import ClusterLost
from search.executors.shared_data import travelling

_LEAVING_SECONDS = 3.0
# What Ray says of every actor that has died, before it says why.
_OF_EACH = ("The actor died unexpectedly", "class_name:", "actor_id:", "pid:", "name:", "namespace:", "ip:")


class Crowded(Exception):
    """The cluster has no room for what is to be sent."""


@dataclass(frozen=True)
class Lost:
    """An actor that will never answer again.

    Attributes:
        why: What is known of it, in a sentence.
        with_node: Whether its node is gone too, or cannot be reached.
        starved: Whether it was ended because the memory of its node ran out.
        never: Whether it cannot be started there at all.
    """

    why: str
    with_node: bool = False
    starved: bool = False
    never: bool = False


Message = tuple[Any, Any]
"""Kind (`hello`, `storing`, `settled`, `ready`, `unable`, `lost`), or the number of an attempt, and what was said."""


class Site(Protocol):
    """A cluster: nodes, and actors that are started on them, sent to and listened to."""

    def nodes(self) -> list[Node]:
        """The nodes that are alive."""
        ...

    def start(self, actor: int, node: Node, needs: Needs) -> None:
        """Starts an actor on a node; its first message is `hello`."""
        ...

    def begin(self, actor: int, told: dict[str, Any], data: Path | None) -> None:
        """Lets it make itself ready; `data` is a folder whose files it stores on its node.

        Raises:
            Crowded: The data cannot be sent.
        """
        ...

    def forget(self) -> None:
        """Nobody is storing data just now: they need not be at hand."""
        ...

    def train(self, actor: int, order: bytes, files: Sequence[bytes]) -> None:
        """Gives it a job.

        Raises:
            Crowded: The files cannot be sent.
        """
        ...

    def stop(self, actor: int, why: bytes) -> None:
        """Asks it to end its training after the epoch."""
        ...

    def move(self, actor: int, left: bytes) -> None:
        """Tells it that the time of its training is up at another moment."""
        ...

    def messages(self, seconds: float) -> Iterator[tuple[int, Message]]:
        """What the actors have said, oldest first; waits at most so long for the first one.

        Raises:
            ClusterLost: The cluster is gone, and what had been said until then has been heard.
        """
        ...

    def kill(self, actor: int) -> None:
        """Ends an actor; nothing more is heard of it."""
        ...

    def dismiss(self, actors: Collection[int]) -> None:
        """Ends actors, and lets them remove what they have stored."""
        ...

    def offers(self) -> str:
        """What the cluster has and what of it is free, in words."""
        ...

    def close(self) -> None:
        """Ends all actors, and lets them remove what they have stored."""
        ...


class RaySite:
    """The cluster that this process is connected to.

    Args:
        disconnect: Called at the end.
        packages: What each actor says the versions of, besides those that every search needs.
    """

    def __init__(self, disconnect: Any, packages: Sequence[str] = ()) -> None:
        import ray

        from search.cluster import slot

        self._ray = ray
        # By value: the nodes need not have this package, to say that they have not.
        ray.cloudpickle.register_pickle_by_value(slot)
        self._slot = ray.remote(concurrency_groups={"listening": 1})(slot.Slot)
        self._disconnect = disconnect
        self._packages = tuple(packages)
        self._actors: dict[int, Any] = {}
        self._heard: queue.SimpleQueue[tuple[int, Any, Future[Any]]] = queue.SimpleQueue()
        self._pieces: dict[str, list[Any]] = {}
        self._drained = False
        context = ray.get_runtime_context()
        self._head = Head(ray, context.gcs_address, context.get_node_id())

    def nodes(self) -> list[Node]:
        """The nodes that were alive a moment ago."""
        return self._head.nodes

    def start(self, actor: int, node: Node, needs: Needs) -> None:
        """Starts an actor on a node; our own attempts decide what is tried again, never Ray's."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        own = needs.on(node)
        made = self._slot.options(
            num_cpus=in_steps(own.cpus),
            num_gpus=in_steps(own.gpus or 0.0),
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        ).remote(self._packages)
        self._actors[actor] = made
        self._listen(actor, made)

    def _listen(self, actor: int, made: Any) -> None:
        reference = made.receive.options(concurrency_group="listening").remote()
        reference.future().add_done_callback(lambda done: self._heard.put((actor, made, done)))

    def begin(self, actor: int, told: dict[str, Any], data: Path | None) -> None:
        """Lets it make itself ready."""
        with _sending():
            if data is not None and not self._pieces:
                self._pieces = {name: [self._ray.put(piece) for piece in pieces] for name, pieces in travelling(data)}
            self._actors[actor].begin.remote(told, None if data is None else self._pieces)

    def forget(self) -> None:
        """Nobody is storing data just now: the object store is for others. Who comes later is sent them anew."""
        self._pieces = {}

    def train(self, actor: int, order: bytes, files: Sequence[bytes]) -> None:
        """Gives it a job."""
        with _sending():
            self._actors[actor].train.remote(order, files)

    def stop(self, actor: int, why: bytes) -> None:
        """Asks it to end its training after the epoch."""
        self._actors[actor].stop.remote(why)

    def move(self, actor: int, left: bytes) -> None:
        """Tells it that the time of its training is up at another moment."""
        self._actors[actor].move.remote(left)

    def messages(self, seconds: float) -> Iterator[tuple[int, Message]]:
        """What the actors have said, oldest first."""
        gone = self._head.gone
        if gone and self._drained:
            raise ClusterLost(
                f"the head of the Ray cluster, {self._head.address}, does not answer any more; what has ended is "
                "saved, and `resume` goes on, with a cluster or without"
            )
        # What has come home by now has ended, too.
        self._drained = gone
        wait = not gone
        while True:
            try:
                actor, made, done = self._heard.get(timeout=seconds) if wait else self._heard.get_nowait()
            except queue.Empty:
                return
            wait = False
            if self._actors.get(actor) is not made:
                continue
            error = done.exception()
            if error is not None:
                if not gone:
                    yield actor, ("lost", _lost(error))
                continue
            self._listen(actor, made)
            for message in done.result():
                yield actor, message

    def kill(self, actor: int) -> None:
        """Ends an actor."""
        made = self._actors.pop(actor, None)
        if made is not None and not self._head.gone:
            _quietly(lambda: self._ray.kill(made, no_restart=True))

    def dismiss(self, actors: Collection[int]) -> None:
        """Ends actors, and lets them remove what they have stored."""
        waiting: list[Any] = []
        for made in [self._actors[actor] for actor in actors if actor in self._actors]:
            _quietly(lambda made=made: waiting.append(made.leave.remote()))
        if waiting:
            _quietly(lambda: self._ray.wait(waiting, num_returns=len(waiting), timeout=_LEAVING_SECONDS))
        for actor in actors:
            self.kill(actor)

    def offers(self) -> str:
        """What the cluster has and what of it is free, in words."""
        return self._head.offers

    def close(self) -> None:
        """Ends all actors, and lets them remove what they have stored."""
        if not self._head.gone:
            self.dismiss(list(self._actors))
        self._actors.clear()
        self._pieces.clear()
        self._head.forget()
        self._disconnect()


def _lost(error: BaseException) -> Lost:
    from ray import exceptions

    if isinstance(error, exceptions.ObjectLostError):
        return Lost("what it sent was lost with its node", with_node=True)
    text = str(error)
    starved = "OUT_OF_MEMORY" in text or "running low on memory" in text
    unreachable = isinstance(error, exceptions.ActorUnavailableError) or "node has died" in text or "node died" in text
    never = isinstance(error, exceptions.ActorUnschedulableError)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_OF_EACH)] or lines
    return Lost(lines[0][:300] if lines else type(error).__name__, unreachable and not starved, starved, never)


@contextlib.contextmanager
def _sending() -> Iterator[None]:
    """Inside, something goes into Ray's object store, and from there to an actor."""
    from ray import exceptions

    try:
        yield
    except (exceptions.ObjectStoreFullError, exceptions.OutOfDiskError) as error:
        raise Crowded("Ray's object store on the machine of the search has no room for what is to be sent") from error


def _quietly(call: Any) -> None:
    try:
        call()
    except Exception:
        # Whatever cannot be ended any more has ended.
        return


def users_folders() -> list[str]:
    """Entries of the module search path that Ray takes over from here and puts in front: script and working folder."""
    script = Path(sys.argv[0]).resolve().parent if sys.argv and sys.argv[0] else None
    return [entry for entry in (os.getcwd(), script and str(script)) if entry]
