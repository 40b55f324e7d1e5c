"""What this program uses of Ray that Ray does not promise: all of it, and nothing else of the kind.

`tests/search/cluster/test_ray.py` says after an upgrade which of these broke.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


def send_no_output() -> None:
    """Lets this process print nothing of what workers write; Ray would on standard output, which is the table's."""
    from ray._private import worker

    worker._worker_logs_enabled = False


def is_client() -> bool:
    """Whether this process is connected by `ray.init("ray://...")`: as a guest, on no node of the cluster."""
    from ray.util.client import ray as client

    return bool(client.is_connected())


@contextlib.contextmanager
def loopback_is_an_address() -> Iterator[None]:
    """Inside, Ray takes 127.0.0.1 for an address, as by default on macOS and Windows, and listens there alone."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def listening_on(address: str) -> dict[str, Any]:
    """What `ray.init` is told so that the node it starts has this address."""
    return {"_node_ip_address": address}
