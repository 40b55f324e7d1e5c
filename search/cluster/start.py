"""The executor of a Ray cluster, made of what a run knows."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spaces
from search.cluster import connection, site, slot
from search.cluster.executor import ClusterExecutor
from search.cluster.hosts import Hosts
from search.cluster.needs import Needs, described, room
from search.errors import ClusterError
from search.executors import ALL, Each, Place, shared_data, worker
from search.executors.protocol import Setup
from spaces import SearchSpec
from spaces.families import family_of
from spaces.outside import given, launch

_ROOT = Path(__file__).resolve().parents[2]
_LOOK_SECONDS = 30.0

MakeTrainer = Callable[[Setup], Any]


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster as a user asks for it.

    Attributes:
        address: `local`, `auto` or `HOST:PORT`.
        each: What each training takes of a node; unsaid: one GPU where a node has any, and as many cores as it has
            threads, or as there are beside its GPU.
    """

    address: str
    each: Each = ALL

    def needs(self, threads: int) -> Needs:
        """What one training takes of a node."""
        if self.each.cpus is None:
            return Needs(float(threads), self.each.gpus, yielding=True)
        return Needs(self.each.cpus, self.each.gpus)

    def executor(self, spec: SearchSpec, place: Place, trainer: MakeTrainer = worker.make_trainer) -> ClusterExecutor:
        """Connects, and gives what trains there.

        Args:
            spec: The space file.
            place: Of which run.
            trainer: Makes the trainer in the actors; a function of a module that they find.

        Raises:
            ClusterError: The cluster cannot be used as asked.
            DiskError: The data cannot be written.
        """
        needs = self.needs(place.threads)
        data = shared_data.write(place.run, place.data)
        there = site.RaySite(connection.connect(self.address))
        try:
            hosts = Hosts(needs, slot.versions(), place.on_event, there.offers)
            hosts.update(there.nodes())
            if self.address == connection.LOCAL and not any(room(node, needs) for node in there.nodes()):
                raise ClusterError(
                    f"--ray local: each worker needs {needs}, and this machine has {described(there.nodes())}"
                )
        except BaseException:
            there.close()
            raise
        return ClusterExecutor(
            there,
            hosts,
            needs,
            {
                "root": str(_ROOT),
                "path": launch.module_path(
                    sys.path, getattr(sys.modules["__main__"], "__file__", None), str(Path.cwd())
                ),
                "moved": site.users_folders(),
                "threads": place.threads,
                "gpu_share": needs.gpus if needs.gpus is not None and 0 < needs.gpus < 1 else None,
                "code": _code(spec),
                "given": given.packed(),
                "files": family_of(spec.model).files(spec),
                "trainer": pickle.dumps(trainer),
            },
            place.run.resolve(),
            data.resolve(),
            place.workers or None,
            spec.search.order == "fixed",
            place.memory,
            place.clock,
            place.on_event,
        )


def _code(spec: SearchSpec) -> dict[str, bytes]:
    """The modules of the user's that the space names by their files; what is installed here has to be there too."""
    return {
        file: Path(file).read_bytes() for reference, file in spaces.imports(spec) if reference.startswith(f"{file}:")
    }


def look(cluster: Cluster, threads: int) -> dict[str, Any]:
    """What a cluster has and would do, without training: for `check`.

    Returns:
        `address`, `needs` of one training, `nodes` as `Hosts.to_json` gives them, `workers` it has room for.

    Raises:
        ClusterError: It cannot be used.
    """
    needs = cluster.needs(threads)
    there = site.RaySite(connection.connect(cluster.address))
    try:
        hosts = Hosts(needs, slot.versions(), lambda _: None, there.offers)
        hosts.update(there.nodes())
        asked = dict(enumerate(hosts.all()))
        for number, host in asked.items():
            there.start(number, host.node, Needs(0.0, 0.0))
        end = time.monotonic() + _LOOK_SECONDS
        while asked and time.monotonic() < end:
            for number, (kind, said) in there.messages(1.0):
                host = asked.pop(number)
                reason = hosts.unfit(host.node, said["versions"]) if kind == "hello" else said.why
                if reason is not None:
                    hosts.refuse(host, "version", reason)
        for host in asked.values():
            hosts.refuse(host, "start", f"it does not answer for {_LOOK_SECONDS:.0f} s")
        return {
            "address": cluster.address,
            "needs": str(needs),
            "nodes": hosts.to_json(),
            "workers": sum(hosts.shares(None).values()),
        }
    finally:
        there.close()
