"""Connecting to Ray: a cluster that is there, or one of this machine alone that ends with the search."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from search.cluster import ray_internals
from search.errors import ClusterError
from search.record import environment

LOCAL, AUTO = "local", "auto"
# What Ray takes for `auto`, where it is set.
_ADDRESS_VARIABLE = "RAY_ADDRESS"
# Trials need it for checkpoints on their way; by default Ray takes a third of the machine's memory.
_STORE_BYTES = 1 << 30
_LEAVING_SECONDS = 10.0
_HEADLESS_SECONDS = 180
_ANSWER_SECONDS = 5.0


def require_address(address: Any) -> None:
    """Refuses what is no address, and says what to install where Ray is missing.

    Raises:
        ClusterError: With what is allowed.
    """
    if address not in (LOCAL, AUTO) and not _is_of_a_head(address):
        raise ClusterError(f"--ray {address}: must be {LOCAL}, {AUTO} or HOST:PORT")
    if importlib.util.find_spec("ray") is None:
        raise ClusterError("--ray needs Ray: pip install 'keras-nightshift[ray]'")


def _is_of_a_head(address: Any) -> bool:
    """Whether it is HOST:PORT, and not that of a Ray client, `ray://HOST:PORT`, which is no part of the cluster."""
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    # Of more digits than Python takes for a whole number a float is infinite.
    return bool(host) and "/" not in host and port.isdecimal() and 0 < float(port) < 65536


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Inside, this process is connected to a cluster, see `connect`; None: to none."""
    disconnect = connect(address) if address is not None else None
    try:
        yield
    finally:
        if disconnect is not None:
            disconnect()


def connect(address: str) -> Callable[[], None]:
    """Connects this process to a cluster, unless it is connected already.

    Args:
        address: `local`: starts one on this machine, which only this machine can reach, without dashboard; `auto`: the
            one that this machine belongs to; or `HOST:PORT` of the head.

    Returns:
        Ends the connection, and a cluster that was started for it.

    Raises:
        ClusterError: There is no such cluster, or it cannot be used from here.
    """
    require_address(address)
    if address != LOCAL:
        # By itself, Ray ends this process a minute after it has lost the head.
        os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(_HEADLESS_SECONDS))
    import ray

    if ray.is_initialized():
        if ray_internals.is_client():
            raise ClusterError(
                f"--ray {address}: this process is connected through a Ray client, so that its machine is no part of "
                "the cluster; search on one that is, without a client"
            )
        return lambda: None
    at, told = _meant(address)
    if at not in (LOCAL, AUTO):
        _require_answer(at, told)
    # Ray itself would count the cards that TensorFlow cannot use, or was told to leave alone, as by -1 in
    # CUDA_VISIBLE_DEVICES, and of MIG devices none.
    own: dict[str, Any] = (
        {"num_cpus": environment.cores(), "num_gpus": len(environment.gpus())} if address == LOCAL else {}
    )
    _silence()
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "include_dashboard": False}
    with _signals_kept():
        try:
            if address == LOCAL:
                with ray_internals.loopback_is_an_address():
                    ray.init(
                        address="local",
                        **own,
                        object_store_memory=_STORE_BYTES,
                        **ray_internals.listening_on("127.0.0.1"),
                        **quiet,
                    )
                _require_loopback(ray)
            else:
                del quiet["include_dashboard"]
                ray.init(address=address, **quiet)
        except ClusterError:
            raise
        except Exception as error:
            raise ClusterError(f"{told}: {_said(at, error)}") from error
    return lambda: _disconnect(ray)


def _meant(address: str) -> tuple[str, str]:
    """The address that Ray takes, which for `auto` a variable may say, and how messages name it.

    Raises:
        ClusterError: The variable is of no head: Ray would make a client of it, or a cluster of its own.
    """
    named = os.environ.get(_ADDRESS_VARIABLE) or AUTO
    if address != AUTO or named == AUTO:
        return address, f"--ray {address}"
    told = f"--ray {address} with {_ADDRESS_VARIABLE}={named}"
    if not _is_of_a_head(named):
        raise ClusterError(f"{told}: the variable must be HOST:PORT of the head, or not be set")
    return named, told


def _require_answer(address: str, told: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS).close()
    except OSError as error:
        raise ClusterError(f"{told}: nobody answers there ({error.strerror or error})") from error


def _silence() -> None:
    """What is worth knowing is told by the executor."""
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray_internals.send_no_output()


def _said(address: str, error: Exception) -> str:
    if address == AUTO and isinstance(error, ConnectionError):
        return "this machine belongs to no Ray cluster that runs; start one with `ray start`, or use --ray local"
    if address != LOCAL and isinstance(error, ConnectionError):
        why = _in_one_line(error.__cause__ or error)
        return f"this machine is no part of a cluster there; `ray start --address={address}` makes it one ({why})"
    return f"{type(error).__name__}: {_in_one_line(error)}"


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:600]


def _require_loopback(ray: Any) -> None:
    addresses = {node["NodeManagerAddress"] for node in ray.nodes()}
    if not all(address.startswith("127.") or address == "::1" for address in addresses):
        ray.shutdown()
        raise ClusterError(
            f"--ray {LOCAL}: this version of Ray listens on {', '.join(addresses)}, not on this machine alone"
        )


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray puts a handler of its own in the place of the one that saves the search.

    A terminal that goes away reaches the search alone: processes that Ray starts meanwhile ignore that for good.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            # Python does not know of a handler that was not set from Python.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _disconnect(ray: Any) -> None:
    """Without its head, Ray may take for ever; nobody waits for that."""
    thread = threading.Thread(target=ray.shutdown, daemon=True)
    thread.start()
    thread.join(_LEAVING_SECONDS)
    if thread.is_alive():
        import atexit

        atexit.unregister(ray.shutdown)
