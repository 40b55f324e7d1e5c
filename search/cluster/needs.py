"""How many trainings each node of a cluster has room for: plain arithmetic on what the nodes say of themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

# Shares of a card such as 0.1 add up to a whole one only nearly.
_NEARLY = 1e-6
# Ray counts parts of a core in ten thousandths, and rounds to the nearest one.
_STEPS = 10_000


@dataclass(frozen=True)
class Needs:
    """What one training takes of a node.

    Attributes:
        cpus: Processor cores.
        gpus: GPUs, or a share of one; None: a whole one where a node has any, else none.
        yielding: Whether a GPU is worth more than the cores: where a node has too few of them for all of its GPUs,
            each training takes an equal part of what is there.
    """

    cpus: float
    gpus: float | None = None
    yielding: bool = False

    def on(self, node: Node) -> Needs:
        """The same decided for this node."""
        gpus = self.gpus if self.gpus is not None else 1.0 if node.gpus >= 1 else 0.0
        shares = _shares(node.gpus, gpus) if gpus and self.yielding else 0
        return Needs(min(self.cpus, _part(node.cpus, shares)) if shares else self.cpus, gpus)

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPU"]
        parts += [f"{self.gpus:g} GPU"] if self.gpus else []
        return " and ".join(parts)


@dataclass(frozen=True)
class Node:
    """A machine of the cluster that is alive.

    Attributes:
        id: Ray's id of it; a machine that comes back has another one.
        name: Host name and address, for people.
        cpus: Cores that it offers.
        gpus: GPUs that it offers.
        is_ours: Whether the search itself runs there.
    """

    id: str
    name: str
    cpus: float
    gpus: float
    is_ours: bool = False

    def __str__(self) -> str:
        gpus = f", {self.gpus:g} GPU" if self.gpus else ""
        return f"{self.name} ({self.cpus:g} CPU{gpus})"


def room(node: Node, needs: Needs) -> int:
    """How many trainings a node has room for.

    A node with GPUs trains one on each share of them, as far as its cores go; without, one on so many cores.
    """
    own = needs.on(node)
    by_cpus = int(node.cpus / own.cpus + _NEARLY) if own.cpus else None
    by_gpus = _shares(node.gpus, own.gpus) if own.gpus else None
    counts = [count for count in (by_cpus, by_gpus) if count is not None]
    return min(counts, default=0)


def _shares(gpus: float, each: float) -> int:
    """A training that takes less than a card lies on one card; one that takes several takes whole ones."""
    return int(gpus) * int(1 / each + _NEARLY) if each < 1 else int(gpus / each + _NEARLY)


def in_steps(amount: float) -> float:
    """An amount as Ray counts it, rounded down so that all have room that add up to a whole; no less than it takes."""
    return max(1, math.floor(amount * _STEPS + _NEARLY)) / _STEPS if amount else 0.0


def _part(cpus: float, count: int) -> float:
    """An equal part of the cores: whole ones, where there is one for each."""
    each = cpus / count
    return float(math.floor(each)) if each >= 1 else in_steps(each)


def spread(rooms: Mapping[str, int], most: int | None) -> dict[str, int]:
    """How many trainings each node gets when there are `most` at the most: by turns, so that none is left out.

    Args:
        rooms: Room of each node.
        most: Trainings in all; None: as many as there is room for.
    """
    total = sum(rooms.values())
    left = total if most is None else min(most, total)
    given = dict.fromkeys(rooms, 0)
    while left:
        for node, count in rooms.items():
            if left and given[node] < count:
                given[node] += 1
                left -= 1
    return given


def fitting(nodes: Iterable[Node], most: int, needs: Callable[[int], Needs]) -> int:
    """Threads of one training, `most` at the most, with which every node has room that has any with one thread.

    Args:
        nodes: The nodes.
        most: As many as are worth it.
        needs: What a training of so many threads takes of a node.
    """
    able = [node for node in nodes if room(node, needs(1))]
    return max(threads for threads in range(1, most + 1) if all(room(node, needs(threads)) for node in able))


def lacks_cores_alone(nodes: Sequence[Node], needs: Needs) -> bool:
    """Whether no node has room, and some would have for trainings on one core each."""
    least = replace(needs, cpus=1.0)
    return not any(room(node, needs) for node in nodes) and any(room(node, least) for node in nodes)


def described(nodes: Iterable[Node]) -> str:
    """The nodes in words."""
    return "; ".join(map(str, nodes)) or "no node"
