"""What is known of the nodes of a cluster: which may be used, and why others may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from search.cluster.needs import Needs, Node, described, lacks_cores_alone, room, spread
from search.cluster.site import Lost
from search.errors import ClusterLost, DiskError

# So many actors in a row that end while they start: the next one would too.
_STARTS = 3
_PATIENCE = 30.0
# So long a node is left alone that has trained, and has no memory for a single actor now.
_REST = 300.0


@dataclass(eq=False)
class Host:
    """A node as the search sees it.

    Attributes:
        node: The node.
        folder: Where the search keeps its files there; None until the data are stored.
        refused: Why it gets no job, or None.
        gone: Whether it has left the cluster.
        failures: Actors in a row that ended while they started.
        most: Trainings that it has turned out to bear at a time; None: as many as there is room for.
        memory: Bytes that the machine, or its container, has; 0 until an actor was ready there, and has said so.
        rests_until: Monotonic time before which no further actor is started there.
    """

    node: Node
    folder: str | None = None
    refused: str | None = None
    kind: str = ""
    gone: bool = False
    failures: int = 0
    most: int | None = None
    memory: int = 0
    rests_until: float = float("-inf")

    def settle(self, folder: str) -> None:
        """The data are stored there."""
        self.folder = folder


class Hosts:
    """The nodes of a cluster.

    Args:
        needs: What one training takes of a node.
        versions: What the search itself runs with, by package.
        on_event: Told in words what happens to nodes.
        offers: What the cluster has, in words.
    """

    def __init__(
        self,
        needs: Needs,
        versions: Mapping[str, str | None],
        on_event: Callable[[str], None],
        offers: Callable[[], str],
    ) -> None:
        self._needs = needs
        self._versions = versions
        self._on_event = on_event
        self._offers = offers
        self._hosts: dict[str, Host] = {}
        self._idle_since: float | None = None
        self._complained = False
        self._begun = False
        self._trained = False
        self._away: set[str] = set()
        self._shared: dict[int | None, dict[Host, int]] = {}

    def update(self, nodes: Iterable[Node]) -> None:
        """Takes up who has come and who has left."""
        alive = {node.id: node for node in nodes}
        for name, host in list(self._hosts.items()):
            if name not in alive:
                host.gone = True
                # That nothing could be started on a node that was about to leave says nothing of when it is back.
                if host.kind in ("", "start") and host.folder is not None:
                    self._away.add(host.node.name)
                self._shared.clear()
                del self._hosts[name]
                self._on_event(f"the node {host.node.name} has left the cluster")
        for name, node in alive.items():
            if name not in self._hosts:
                self._hosts[name] = Host(node)
                self._away.discard(node.name)
                self._shared.clear()
                if self._begun:
                    self._on_event(f"the node {node} has joined the cluster")
        self._begun = True

    def all(self) -> list[Host]:
        """Every node that is there."""
        return list(self._hosts.values())

    def shares(self, most: int | None) -> dict[Host, int]:
        """How many trainings each usable node gets, of `most` in all."""
        if most not in self._shared:
            usable = {name: host for name, host in self._hosts.items() if host.refused is None}
            counts = spread({name: self.room_of(host) for name, host in usable.items()}, most)
            self._shared[most] = {host: counts[name] for name, host in usable.items()}
        return self._shared[most]

    def room_of(self, host: Host) -> int:
        """How many trainings a node bears at a time."""
        found = room(host.node, self._needs)
        return found if host.most is None else min(found, host.most)

    def needs(self) -> str:
        """What one training takes, in words: of a node with GPUs something else than of others, if nobody has said."""
        own = (
            self._needs.on(host.node) for host in self._hosts.values() if host.refused is None and self.room_of(host)
        )
        return ", or ".join(dict.fromkeys(map(str, own))) or str(self._needs)

    def unfit(self, versions: Mapping[str, str | None]) -> str | None:
        """Why a node with these versions may not train, or None."""
        ours = self._versions
        package = "keras-nightshift"
        if versions.get(package) is None and ours.get(package) is not None:
            return f"{package} is not installed there: pip install '{package}[ray]=={ours[package]}'"
        differing = [
            f"{name} {versions.get(name) or 'is missing'} there, {version or 'missing'} here"
            for name, version in ours.items()
            if versions.get(name) != version
        ]
        return "; ".join(differing) or None

    def refuse(self, host: Host, kind: str, why: str) -> None:
        """Gives a node no more jobs; `kind` is `version`, `package`, `disk` or `start`."""
        if host.refused is None:
            host.refused, host.kind = why, kind
            self._shared.clear()
            self._on_event(f"the node {host.node.name} gets no trials: {why}")

    def unable(self, host: Host, said: Mapping[str, Any]) -> Lost:
        """An actor there cannot make itself ready: for `kind` and `why` of what it said, see `refuse`.

        One of kind `folder` did not find the node's folder: the next one stores the data anew. One of kind `start` is
        like one that ends while it starts, where others were ready before: memory may be short now.

        Returns:
            How the actor is lost.
        """
        passing = said["kind"] == "start" and host.memory > 0
        if said["kind"] == "folder":
            if host.folder == said["folder"]:
                host.folder = None
        elif not passing:
            self.refuse(host, said["kind"], said["why"])
        return Lost(said["why"], with_node=not passing)

    def failed_to_start(self, host: Host, lost: Lost, others: int, now: float) -> None:
        """An actor ended before it was ready.

        Args:
            host: Where.
            lost: How.
            others: So many others there have begun, and go on.
            now: Monotonic time.
        """
        if host.gone or host.refused is not None:
            return
        host.failures += not lost.with_node
        if not lost.never and host.failures < _STARTS:
            return
        why = f"workers end while they start ({lost.why})"
        if lost.never or not (others or host.memory):
            self.refuse(host, "start", why)
            return
        host.failures = 0
        if not others:
            # What has trained there can again, once whoever took the memory lets go of it.
            host.rests_until = now + _REST
            self._on_event(f"the node {host.node.name} is tried again in {_REST / 60:.0f} min: {why}")
            return
        # Its memory may not be enough for one more.
        if host.most is None:
            self._on_event(f"the node {host.node.name} trains no more than {others} at a time: further {why}")
        host.most = others
        self._shared.clear()

    def ready(self, host: Host, memory: int) -> None:
        """An actor there takes jobs; `memory` is what its machine has, in bytes."""
        host.failures, host.memory = 0, memory
        self._trained = True

    @property
    def all_refused(self) -> bool:
        """Whether nodes were refused, and none is left that has room."""
        return any(host.refused is not None for host in self._hosts.values()) and not any(self.shares(None).values())

    def complain(self, now: float, waiting: bool, working: bool) -> None:
        """Says once that nothing trains, when that has been so for half a minute.

        Where a node that may train is away, what has trained before goes on: it may come back, and others may join.

        Args:
            now: Seconds.
            waiting: Whether there are jobs that wait.
            working: Whether any actor has been started.

        Raises:
            ClusterLost: Every node was refused, and none that may train is away, or none has ever trained.
            DiskError: Every node was refused for want of room on its disk, and none that had room is away.
        """
        if working or not waiting:
            self._idle_since, self._complained = None, False
            return
        if self._idle_since is None:
            self._idle_since = now
        if now - self._idle_since < _PATIENCE:
            return
        refused = [host for host in self._hosts.values() if host.refused is not None]
        reasons = "; ".join(f"{host.node.name}: {host.refused}" for host in refused)
        if self.all_refused:
            full = all(host.kind == "disk" for host in refused) and not self._away
            if not (self._away and self._trained):
                error = DiskError if full else ClusterLost
                raise error(f"no node of the Ray cluster can train: {reasons}{self._too_small()}")
        if not self._complained:
            self._complained = True
            self._on_event(
                f"nothing trains for {_PATIENCE:.0f} s: each worker needs {self._needs}, and the cluster has "
                f"{described(self._nodes())}; {self._offers()}"
                f"{f' (no trials for {reasons})' if reasons else ''}. It goes on as soon as there is room"
                f"{self._advice()}"
            )

    def _advice(self) -> str:
        """What to ask for instead, where it is the cores alone that no node has."""
        usable = [host.node for host in self._hosts.values() if host.refused is None]
        return ", which there is with --cpus-per-trial 1" if lacks_cores_alone(usable, self._needs) else ""

    def described(self) -> str:
        """The nodes in words, those without room apart."""
        return f"{described(node for node in self._nodes() if room(node, self._needs))}{self._too_small()}"

    def _too_small(self) -> str:
        # A head that is to train nothing offers nothing.
        small = [node for node in self._nodes() if node.cpus + node.gpus and not room(node, self._needs)]
        return f"; no room for {self._needs} on {described(small)}" if small else ""

    def _nodes(self) -> list[Node]:
        return [host.node for host in self._hosts.values()]

    def to_json(self) -> list[dict[str, Any]]:
        """The nodes as plain data."""
        return [
            {
                "name": host.node.name,
                "cpus": host.node.cpus,
                "gpus": host.node.gpus,
                "room": self.room_of(host),
                "refused": host.refused,
            }
            for host in self._hosts.values()
        ]
