"""What a user may ask of a cluster, and what is answered before anything is started."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import socket
import sys
from types import SimpleNamespace

import pytest

import spaces
from search import api
from search.cluster import connection, start
from search.cluster.hosts import Hosts
from search.cluster.needs import Needs
from search.cluster.site import Crowded, Lost
from search.cluster.start import Cluster, ask
from search.errors import RunError
from search.executors import Each
from search.files import layout
from search.files.store import RunStore
from search.night import crew, options, session
from search.night.options import judged
from search.night.rehearsal import Rehearsal
from search.record import environment
from tests.search import small
from tests.search.cluster.conftest import VERSIONS, hello, node


@pytest.mark.parametrize(
    "address",
    [
        *("nowhere", "host:", ":6379", "host:port", "host:0", "host:99999", "", "ray://host:10001", True),
        pytest.param(f"host:{'9' * 5000}", id="many-digits"),
    ],
)
def test_what_is_no_address_is_refused_with_what_is_allowed(address):
    with pytest.raises(RunError, match="must be local, auto or HOST:PORT"):
        connection.require_address(address)


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.1:6379"])
def test_without_ray_it_is_said_what_to_install(monkeypatch, address):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"pip install 'keras-nightshift\[ray\]'"):
        connection.require_address(address)


def test_one_trains_in_this_process_or_on_a_cluster():
    with pytest.raises(RunError, match="--workers 0"):
        judged(0, "local", None, None)
    with pytest.raises(ValueError, match="not both"):
        api._maker(small.spec(), lambda place: None, "local", Each())


@pytest.mark.parametrize(
    ("cpus", "gpus"),
    [(0.0, None), (-1.0, None), (float("inf"), None), (None, 1.5), (None, -0.1), ("2", None), (None, "half")],
)
def test_shares_that_cannot_be_are_refused(cpus, gpus):
    with pytest.raises(RunError, match=r"per-trial .*: must be"):
        crew.as_each(cpus, gpus, None, elsewhere=True)


def test_a_share_of_a_gpu_that_is_not_there_is_refused_here_and_left_to_the_nodes_of_a_cluster(monkeypatch):
    monkeypatch.setattr(environment, "gpus", list)
    with pytest.raises(RunError, match="TensorFlow finds no GPU here"):
        crew.as_each(None, 0.25, None, elsewhere=False)
    assert crew.as_each(2.0, 0.25, None, elsewhere=True) == Each(2.0, 0.25)


def test_no_more_workers_than_there_are_shares(monkeypatch):
    monkeypatch.setattr(environment, "gpus", lambda: ["0", "1"])
    assert crew.as_each(None, 0.25, 8, elsewhere=False).gpus == 0.25
    with pytest.raises(RunError, match="there is room for 8"):
        crew.as_each(None, 0.25, 9, elsewhere=False)
    with pytest.raises(RunError, match="needs workers"):
        crew.as_each(None, 0.25, 0, elsewhere=False)


def test_where_only_this_process_has_the_function_there_are_no_shares_of_a_gpu(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "gpus", lambda: ["0"])
    monkeypatch.setattr(api, "_workers", lambda *_: 0)
    with pytest.raises(RunError, match="this process trains alone"):
        api.run(small.spec(), run_dir=tmp_path / "run", gpus_per_trial=0.5)


def test_a_share_of_a_gpu_is_left_to_an_executor_of_ones_own_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "gpus", list)
    begun = []
    monkeypatch.setattr(api, "_go", lambda directory, spec, options, *more: begun.append(options.gpu_share))

    def make(place):
        raise AssertionError

    make.elsewhere = True
    api.run(small.spec(), run_dir=tmp_path / "run", executor=make, gpus_per_trial=0.5)
    assert begun == [0.5]


def test_a_function_that_only_this_process_has_is_told_what_it_can_do_without_a_cluster(monkeypatch):
    monkeypatch.setattr(api, "_why_here", lambda code: "cannot be sent")
    monkeypatch.setattr(api, "run_in_trials", lambda spec: ["__main__:build"])
    with pytest.raises(RunError, match="use no cluster, or put it into a module of its own"):
        api._workers(small.spec(), None, "local")


def test_threads_follow_from_the_cores():
    assert [Each(cpus).threads for cpus in (None, 0.5, 1.0, 3.7)] == [None, 1, 1, 3]


def test_where_nobody_answers_it_is_said_at_once():
    pytest.importorskip("ray", reason="needs Ray: pip install 'keras-nightshift[ray]'")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(RunError, match=f"127.0.0.1:{port}: nobody answers there"):
            connection.connect(f"127.0.0.1:{port}")


@pytest.mark.parametrize("named", ["ray://host:10001", "http://host:8265", "local"])
def test_an_address_of_the_environment_that_is_of_no_head_is_refused(monkeypatch, named):
    monkeypatch.setenv("RAY_ADDRESS", named)
    with pytest.raises(RunError, match=f"--ray auto with RAY_ADDRESS={named}: the variable must be HOST:PORT"):
        connection._meant("auto")
    assert connection._meant("local") == ("local", "--ray local")


def test_where_nobody_answers_at_the_address_of_the_environment_it_is_said_at_once(monkeypatch):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        named = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", named)
        with pytest.raises(RunError, match=f"--ray auto with RAY_ADDRESS={named}: nobody answers there"):
            connection._require_answer(*connection._meant("auto"))
    for left_to_ray in ("auto", ""):
        monkeypatch.setenv("RAY_ADDRESS", left_to_ray)
        assert connection._meant("auto") == ("auto", "--ray auto")


def test_a_machine_that_does_not_belong_to_the_cluster_is_told_how_it_would():
    said = connection._said("10.0.0.1:6379", ConnectionError("Failed to connect to\n  Ray cluster"))
    assert said.endswith("(Failed to connect to Ray cluster)")
    assert "this machine is no part of a cluster there; `ray start --address=10.0.0.1:6379` makes it one" in said
    assert "belongs to no Ray cluster" in connection._said("auto", ConnectionError("none"))


@pytest.mark.parametrize("gpus", [[], ["MIG-a4", "MIG-b5"]])
def test_a_cluster_of_this_machine_has_the_cards_that_workers_would_have_without_it(monkeypatch, gpus):
    begun = []
    ray = SimpleNamespace(
        is_initialized=lambda: False,
        init=lambda **asked: begun.append((asked["address"], asked["num_gpus"])),
        nodes=lambda: [{"NodeManagerAddress": "127.0.0.1"}],
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(connection, "require_address", lambda address: None)
    monkeypatch.setattr(connection.ray_internals, "send_no_output", lambda: None)
    monkeypatch.setattr(connection.ray_internals, "loopback_is_an_address", contextlib.nullcontext)
    monkeypatch.setattr(environment, "gpus", lambda: gpus)
    connection.connect("local")
    assert begun == [("local", len(gpus))]


def test_a_connection_as_a_client_is_refused(monkeypatch):
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'keras-nightshift[ray]'")
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    connection.connect("auto")()
    monkeypatch.setattr(connection.ray_internals, "is_client", lambda: True)
    with pytest.raises(RunError, match="connected through a Ray client"):
        connection.connect("auto")


def test_a_new_run_takes_the_threads_that_the_cluster_has_room_for(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="needs Ray: pip install 'keras-nightshift[ray]'")
    begun = []
    monkeypatch.setattr(connection, "connected", lambda address: contextlib.nullcontext())
    monkeypatch.setattr(Cluster, "threads", lambda self, most: self.each.threads or 1)
    monkeypatch.setattr(api, "_go", lambda directory, spec, options, *more: begun.append(options.threads))
    for cpus in (None, 3.0):
        api.run(small.spec(), run_dir=tmp_path / "run", ray="auto", cpus_per_trial=cpus)
    assert begun == [1, 3]


@pytest.mark.parametrize(
    ("phase", "kept", "most", "addresses"),
    [
        ("done", True, None, [None, None]),
        ("done", False, None, ["auto", "auto"]),
        ("done", True, 100, ["auto", "auto"]),
        ("final", True, None, ["auto", "auto"]),
        ("search", True, None, ["auto", "auto"]),
        # It has none of the trials that it began with, which `resume` alone makes up for.
        ("done", True, small.SPACE["search"]["max_trials"], ["auto", None]),
    ],
)
def test_a_run_that_is_done_needs_no_cluster(tmp_path, monkeypatch, phase, kept, most, addresses):
    spec, run = small.spec(), tmp_path / "run"
    monkeypatch.setattr(session, "winner_is_kept", lambda store: kept)
    RunStore.create(run, {"phase": phase}).close()
    (run / layout.SPACE).write_text(spaces.dump(spec))
    connected = []
    monkeypatch.setattr(options, "require_address", lambda address: None)
    monkeypatch.setattr(connection, "connected", lambda one: connected.append(one) or contextlib.nullcontext())
    monkeypatch.setattr(Cluster, "threads", lambda self, most: 1)
    monkeypatch.setattr(api, "_go", lambda *_: None)
    api.resume(run, ray="auto", max_trials=most)
    api.run(spec, run_dir=run, ray="auto", max_trials=most)
    assert connected == addresses


def hosts_of(site):
    """The nodes of a site, once `check` has asked them."""
    hosts = Hosts(Needs(2.0), VERSIONS, lambda _: None, site.offers)
    hosts.update(site.nodes())
    ask(site, hosts, {"path": None, "trainer": None}, site.clock.monotonic)
    return hosts


def asked(site):
    """What `check` finds out of the nodes of a site: why each gets no trials, by name."""
    return {one["name"]: one["refused"] for one in hosts_of(site).to_json()}


def test_check_asks_every_node_that_has_room_whether_it_could_train(site):
    site.alive.append(node("small", 1.0))
    assert asked(site) == {"one": None, "two": None, "small": None}
    assert {site.started[number].name for number in site.begun} == {"one", "two"}


def test_check_says_what_a_node_lacks_whatever_else_is_heard_of_it(site):
    site.willing = False
    site.say(0, "hello", hello({**VERSIONS, "keras": "3.10.0"}))
    site.say(0, "lost", Lost("its process ended"))
    site.say(1, "hello", hello())
    site.say(1, "unable", {"kind": "package", "why": "model.py imports helpers.py"})
    site.say(1, "lost", Lost("its process ended"))
    assert asked(site) == {"one": "keras 3.10.0 there, 3.15.1 here", "two": "model.py imports helpers.py"}


def test_check_says_which_node_cannot_be_sent_what_it_takes(site, monkeypatch):
    def begin(*_):
        raise Crowded("the object store has no room")

    monkeypatch.setattr(site, "begin", begin)
    assert asked(site) == dict.fromkeys(("one", "two"), "the object store has no room")


def test_check_fails_where_a_night_would_for_want_of_a_node_that_may_train(site):
    site.alive.append(node("small", 1.0))
    assert not hosts_of(site).all_refused
    site.versions = {name: {**VERSIONS, "keras": "3.10.0"} for name in ("one", "two")}
    assert hosts_of(site).all_refused
    model = SimpleNamespace(is_baseline=False, problem=None)
    for refused in (True, False):
        seen = SimpleNamespace(models=[model], cluster={"refused": refused})
        assert Rehearsal.fails.fget(seen) == refused


def test_a_cluster_of_this_machine_without_room_is_refused_by_check_too(site, monkeypatch):
    monkeypatch.setattr(connection, "connect", lambda address: None)
    monkeypatch.setattr(start.site, "RaySite", lambda *_: site)
    here = Cluster("local", Each(64.0))
    with pytest.raises(RunError, match=r"--ray local: each worker needs 64 CPU, and this machine has one \(2 CPU\)"):
        here.look(small.spec(), None, 64)
    assert site.closed


def test_a_cluster_of_this_machine_without_room_is_refused_before_a_run_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(options, "require_address", lambda address: None)
    monkeypatch.setattr(connection, "connected", lambda address: contextlib.nullcontext())
    monkeypatch.setattr(Cluster, "_alive", lambda self: [node("one")])
    begun = []
    monkeypatch.setattr(api, "_go", lambda directory, *more: begun.append(directory))
    asked = {"run_dir": tmp_path / "run", "ray": "local"}
    said = r"each worker needs 64 CPU, and this machine has one \(2 CPU\); there is room with --cpus-per-trial 1$"
    with pytest.raises(RunError, match=said):
        api.run(small.spec(), cpus_per_trial=64, **asked)
    assert begun == []
    api.run(small.spec(), cpus_per_trial=2, **asked)
    assert begun == [tmp_path / "run"]


def test_a_terminal_that_goes_away_does_not_end_what_ray_starts():
    before = signal.getsignal(signal.SIGHUP)
    with connection._signals_kept():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGHUP) is before


def test_a_signal_that_was_not_set_from_python_does_not_fail_a_connection(monkeypatch):
    getsignal = signal.getsignal
    before = getsignal(signal.SIGTERM)
    monkeypatch.setattr(signal, "getsignal", lambda number: None if number == signal.SIGTERM else getsignal(number))
    try:
        with connection._signals_kept():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_check_does_not_wait_for_ever(site):
    site.willing = False
    site.say(0, "lost", Lost("its process ended"))
    assert asked(site) == {"one": "its process ended", "two": "it does not answer for 30 s"}
