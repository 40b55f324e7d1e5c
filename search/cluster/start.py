"""The executor of a Ray cluster, made of what a run knows."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.cluster import connection, fitness, site, slot
from search.cluster.executor import ClusterExecutor
from search.cluster.head import alive
from search.cluster.hosts import Hosts
from search.cluster.needs import Needs, Node, described, fitting, lacks_cores_alone, room
from search.errors import ClusterError
from search.executors import ALL, Each, Place, shared_data, worker
from search.executors.protocol import Setup
from search.training.reuse import switch
from spaces import DataInfo, SearchSpec
from spaces.outside import launch

_ROOT = Path(__file__).resolve().parents[2]
_LOOK_SECONDS = 30.0
# TensorFlow is loaded then, and perhaps weights.
_LOAD_SECONDS = 180.0

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

    def threads(self, most: int) -> int:
        """Threads of one operation in a new run: those that were asked for, or as many as its smallest node has cores.

        This process is connected to the cluster.

        Args:
            most: As many as the models are worth.
        """
        if self.each.threads is not None:
            return self.each.threads
        return fitting(self._alive(), most, self.needs)

    def require_room(self, threads: int) -> None:
        """Refuses one of this machine alone that has no room for a training, before a run is made for it.

        This process is connected to the cluster.

        Raises:
            ClusterError: It says what there is.
        """
        if self.address == connection.LOCAL:
            _require_room(self._alive(), self.needs(threads))

    def _alive(self) -> list[Node]:
        import ray

        return alive(ray, ray.get_runtime_context().get_node_id())

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
        there, hosts = self._connected(spec, needs, place.on_event)
        try:
            told = _told(spec, place.data.info, place.threads, needs, trainer)
        except BaseException:
            there.close()
            raise
        return ClusterExecutor(
            there,
            hosts,
            needs,
            told,
            place.run.resolve(),
            data.resolve(),
            place.workers or None,
            spec.search.order == "fixed",
            place.memory,
            place.clock,
            place.on_event,
        )

    def _connected(self, spec: SearchSpec, needs: Needs, on_event: Callable[[str], None]) -> tuple[site.RaySite, Hosts]:
        packages = fitness.packages(spec)
        there = site.RaySite(connection.connect(self.address), packages)
        if self.address == connection.LOCAL:
            try:
                _require_room(there.nodes(), needs)
            except ClusterError:
                there.close()
                raise
        hosts = Hosts(needs, slot.versions(packages), on_event, there.offers)
        hosts.update(there.nodes())
        return there, hosts

    def look(self, spec: SearchSpec, info: DataInfo, threads: int) -> dict[str, Any]:
        """What a cluster has and would do, without training: for `check`.

        Args:
            spec: The space file.
            info: What is known of the data.
            threads: Of one training.

        Returns:
            `address`, `needs` of one training, `nodes` as `Hosts.to_json` gives them, `workers` it has room for,
            `refused`: whether every node that might train was.

        Raises:
            ClusterError: It cannot be used.
        """
        needs = self.needs(threads)
        there, hosts = self._connected(spec, needs, lambda _: None)
        try:
            ask(there, hosts, _told(spec, info, threads, needs, None))
            return {
                "address": self.address,
                "needs": hosts.needs(),
                "nodes": hosts.to_json(),
                "workers": sum(hosts.shares(None).values()),
                "refused": hosts.all_refused,
            }
        finally:
            there.close()


def _require_room(nodes: Sequence[Node], needs: Needs) -> None:
    """Refuses this machine, all that there is, without room for a training: nobody would ever join."""
    if not any(room(node, needs) for node in nodes):
        advice = "; there is room with --cpus-per-trial 1" if lacks_cores_alone(nodes, needs) else ""
        raise ClusterError(f"--ray local: each worker needs {needs}, and this machine has {described(nodes)}{advice}")


def _told(spec: SearchSpec, info: DataInfo, threads: int, needs: Needs, trainer: MakeTrainer | None) -> dict[str, Any]:
    """What every actor is told, see `search.cluster.work.Work`."""
    return {
        "root": str(_ROOT),
        "path": launch.module_path(sys.path, getattr(sys.modules["__main__"], "__file__", None), str(Path.cwd())),
        "moved": site.users_folders(),
        "threads": threads,
        "gpu_share": needs.gpus if needs.gpus is not None and 0 < needs.gpus < 1 else None,
        "environment": switch.as_environment(),
        "trainer": None if trainer is None else pickle.dumps(trainer),
        **fitness.told(spec, info),
    }


def ask(
    there: site.Site, hosts: Hosts, told: Mapping[str, Any], monotonic: Callable[[], float] = time.monotonic
) -> None:
    """Asks every node whether it could train, and refuses those that say no or nothing.

    Args:
        there: The cluster.
        hosts: Its nodes.
        told: What every actor is told; without a trainer.
        monotonic: Seconds, for what is waited for.
    """
    asked = dict(enumerate(hosts.all()))
    for number, host in asked.items():
        there.start(number, host.node, Needs(0.0, 0.0))
    end, wait = monotonic() + _LOOK_SECONDS, _LOOK_SECONDS
    while asked and monotonic() < end:
        for number, (kind, said) in there.messages(1.0):
            if number not in asked:
                continue
            host = asked[number]
            if kind == "hello":
                reason = hosts.unfit(said["versions"])
                if reason is not None:
                    hosts.refuse(host, "version", reason)
                elif hosts.shares(None)[host]:
                    path = told["path"] if host.node.is_ours else None
                    try:
                        there.begin(number, {**told, "path": path, "folder": None, "data": None, "gpus": 0}, None)
                    except site.Crowded as error:
                        hosts.refuse(host, "start", str(error))
                    else:
                        end, wait = monotonic() + _LOAD_SECONDS, _LOAD_SECONDS
                        continue
            elif kind == "unable":
                hosts.unable(host, said)
            elif kind == "lost":
                hosts.refuse(host, "start", said.why)
            del asked[number]
    for host in asked.values():
        hosts.refuse(host, "start", f"it does not answer for {wait:.0f} s")
