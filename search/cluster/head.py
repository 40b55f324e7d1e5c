"""What the head of a cluster tells, and whether it is there at all.

Ray waits for a head that is gone, in every call, and then ends the process without a word. So it is asked in threads of
its own.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from typing import Any

from search.cluster.needs import Node

_LOOK_SECONDS = 1.0
_WATCH_SECONDS = 2.0
_DEAF = 4


def alive(ray: Any, here: str) -> list[Node]:
    """The nodes of the cluster that this process is connected to; `here` is the id of the one that it is on."""
    nodes = [found for found in ray.nodes() if found["Alive"]]
    names = [f"{found['NodeManagerHostname']} {found['NodeManagerAddress']}" for found in nodes]
    count = Counter(names)
    return [
        Node(
            found["NodeID"],
            # Several nodes on one machine are told apart by what Ray calls them.
            name if count[name] == 1 else f"{name} {found['NodeID'][:8]}",
            found["Resources"].get("CPU", 0.0),
            found["Resources"].get("GPU", 0.0),
            found["NodeID"] == here,
        )
        for found, name in zip(nodes, names, strict=True)
    ]


class Head:
    """The head of the cluster that this process is connected to.

    Args:
        ray: The module.
        address: Of the head.
        here: Id of the node that this process is on.

    Attributes:
        nodes: The nodes that were alive a moment ago.
        offers: What the cluster has and what of it is free, in words.
        gone: Whether it cannot be reached any more.
    """

    def __init__(self, ray: Any, address: str, here: str) -> None:
        self.address = address
        self.nodes: list[Node] = []
        self.offers = ""
        self.gone = False
        self._ray = ray
        self._here = here
        self._over = threading.Event()
        self._look()
        for work in (self._look_again, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def forget(self) -> None:
        """Asks it no more."""
        self._over.set()

    def _look(self) -> None:
        self.nodes = alive(self._ray, self._here)
        has, free = self._ray.cluster_resources(), self._ray.available_resources()
        self.offers = ", ".join(f"{free.get(kind, 0):g} of {has.get(kind, 0):g} {kind} free" for kind in ("CPU", "GPU"))

    def _look_again(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            # A look that failed is followed by another; whether the head is there is seen below.
            with contextlib.suppress(Exception):
                self._look()

    def _watch(self) -> None:
        host, _, port = self.address.rpartition(":")
        silent = 0
        while not self._over.wait(_WATCH_SECONDS):
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=_WATCH_SECONDS).close()
                silent = 0
            except OSError:
                silent += 1
            self.gone = silent >= _DEAF
