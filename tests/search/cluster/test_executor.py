"""What the executor makes of a cluster's doings: a site of the tests' own, no process and no waiting."""

from __future__ import annotations

import hashlib
import pickle
from concurrent.futures import Future
from dataclasses import replace

import pytest

from search.budget import Deadline, MovingDeadline
from search.clock import SystemClock
from search.cluster.needs import Needs
from search.cluster.site import Crowded, Lost
from search.cluster.work import Left, Order, Work
from search.errors import CheckpointError, ClusterLost, DiskError
from search.executors import protocol
from search.executors.base import LATE, STARTING
from search.record.trial import Checkpoint, FailureReason, Outcome, Stop
from tests.search.cluster.conftest import VERSIONS, hello, job, node, soon, turn


def submit(executor, *jobs, told=None):
    return [executor.submit(one, lambda trial, epoch: None if told is None else told.append(trial)) for one in jobs]


def begun(executor, *jobs):
    """An executor that was given jobs, and has looked after them once; and their futures."""
    futures = submit(executor, *jobs)
    turn(executor, futures)
    return executor, futures


def checkpoint(content, file="trials/0/best.npz"):
    return Checkpoint(file, len(content), hashlib.blake2b(content, digest_size=16).hexdigest(), 1)


def test_the_first_actor_of_a_node_stores_the_data_and_the_others_follow(site, make):
    executor = make()
    site.willing = False
    futures = submit(executor, *(job(str(i)) for i in range(5)))
    turn(executor, futures)
    assert [n.name for n in site.started.values()] == ["one", "two"]
    for actor in (1, 2):
        site.say(actor, "hello", hello())
    turn(executor, futures)
    assert all(data is not None for _, data in site.begun.values())
    site.willing = True
    site.say(1, "settled", "/tmp/one")
    turn(executor, futures)
    assert [n.name for n in site.started.values()] == ["one", "two", "one"]
    told, data = site.begun[3]
    assert (told["folder"], data) == ("/tmp/one", None)
    assert site.forgotten == 0
    site.say(2, "settled", "/tmp/two")
    turn(executor, futures)
    assert site.forgotten


def test_the_data_are_let_go_of_when_the_last_who_was_to_store_them_is_lost(site, make):
    site.willing = False
    executor, futures = begun(make(workers=2), job("0"), job("1"))
    for actor in (1, 2):
        site.say(actor, "hello", hello())
    site.say(1, "settled", "/tmp/one")
    turn(executor, futures)
    assert not site.forgotten
    site.lose(2, with_node=True)
    turn(executor, futures)
    assert site.forgotten


def test_a_node_that_cannot_be_sent_the_data_is_not_waited_for(site, make, monkeypatch):
    begin = site.begin

    def begin_unless_two(actor, told, data):
        if site.started[actor].name == "two":
            raise Crowded("the object store has no room")
        begin(actor, told, data)

    monkeypatch.setattr(site, "begin", begin_unless_two)
    executor, _ = begun(make(workers=2), job("0"), job("1"))
    assert executor.events == [
        "the node two gets no trials: workers end while they start (the object store has no room)"
    ]
    assert [site.started[actor].name for actor in site.jobs] == ["one", "one"]


def test_a_trial_that_cannot_be_sent_ends_the_run_as_a_full_disk_does(site, make, monkeypatch):
    def train(*_):
        raise Crowded("the object store has no room")

    monkeypatch.setattr(site, "train", train)
    executor = make(workers=1)
    futures = submit(executor, job())
    assert turn(executor, futures) == set(futures)
    with pytest.raises(DiskError, match="trial 0: the object store has no room"):
        futures[0].result()


def test_on_our_own_node_the_data_stay_where_they_are(site, make, tmp_path):
    site.alive = [node("here", is_ours=True), node("there")]
    executor = make()
    turn(executor, submit(executor, job("0"), job("1")))
    assert {site.started[a].name: (told["data"], told.get("path")) for a, (told, _) in site.begun.items()} == {
        "here": (str(tmp_path / "data"), ("/here",)),
        "there": (None, None),
    }


def test_jobs_are_trained_and_their_epochs_told(site, make):
    executor, told = make(), []
    assert (executor.workers, executor.slots) == (4, 5)
    futures = submit(executor, *(job(str(i)) for i in range(5)), told=told)
    turn(executor, futures)
    assert sorted(order.job.trial_id for order, _ in site.jobs.values()) == ["0", "1", "2", "3"]
    (actor,) = site.training("2")
    site.epoch(actor)
    site.done(actor)
    assert turn(executor, futures) == {futures[2]}
    assert told == ["2"]
    assert site.jobs[actor][0].job.trial_id == "4"


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({**VERSIONS, "tensorflow": "2.19.0"}, "the node two gets no trials: tensorflow 2.19.0 there, 2.21.0 here"),
        ({**VERSIONS, "keras": None}, "the node two gets no trials: keras is missing there, 3.15.1 here"),
        (
            {**VERSIONS, "keras-nightshift": "0.9"},
            "the node two gets no trials: keras-nightshift 0.9 there, 1.0 here",
        ),
        (
            {**VERSIONS, "keras-nightshift": None},
            "the node two gets no trials: keras-nightshift is not installed there: "
            "pip install 'keras-nightshift[ray]==1.0'",
        ),
    ],
)
def test_a_node_with_something_else_installed_is_refused_by_name(site, make, versions, said):
    site.versions["two"] = versions
    executor = make()
    futures = submit(executor, *(job(str(i)) for i in range(4)))
    turn(executor, futures, 3.0)
    assert executor.events == [said]
    assert executor.workers == 2
    assert {site.started[actor].name for actor in site.jobs} == {"one"}
    assert {site.started[actor].name for actor in site.begun} == {"one"}


def test_where_every_node_is_refused_the_run_ends_after_half_a_minute(site, make):
    site.versions = {name: {**VERSIONS, "keras": "3.10.0"} for name in ("one", "two")}
    executor = make()
    futures = submit(executor, job())
    assert turn(executor, futures, 25.0) == set()
    with pytest.raises(ClusterLost, match=r"no node .*: one: keras 3\.10\.0 there, 3\.15\.1 here; two: keras"):
        turn(executor, futures, 10.0)


@pytest.mark.parametrize(
    "refuse",
    [
        lambda site: site.versions.update(two={**VERSIONS, "keras": "3.10.0"}),
        lambda site: site.say(2, "unable", {"kind": "disk", "why": "no space left"}),
    ],
)
def test_what_has_trained_waits_for_its_nodes_whatever_others_are_refused(site, make, refuse):
    refuse(site)
    executor, futures = begun(make(workers=4), job("0"), job("1"))
    site.alive = [one for one in site.alive if one.name == "two"]
    late = submit(executor, job("2", deadline=soon(site.clock, 100.0)))
    turn(executor, futures, 50.0)
    (said,) = [event for event in executor.events if event.startswith("nothing trains for 30 s")]
    assert "two (2 CPU)" in said
    assert "no trials for two: " in said
    assert turn(executor, late, 60.0) == set(late)
    assert late[0].result().stopped is Stop.DEADLINE
    site.alive.append(node("one"))
    turn(executor, futures)
    for actor in [*site.training("0"), *site.training("1")]:
        site.done(actor)
    turn(executor, futures)
    assert all(future.done() for future in futures)


def test_without_room_it_says_so_once_with_what_the_cluster_has(site, make):
    executor = make(Needs(64.0))
    futures = submit(executor, job())
    turn(executor, futures, 28.0)
    assert executor.events == []
    assert (executor.workers, executor.where()["room"]) == (1, 0)
    turn(executor, futures, 60.0)
    assert len(executor.events) == 1
    assert "needs 64 CPU" in executor.events[0]
    assert "one (2 CPU); two (2 CPU); 0 of 4 CPU free" in executor.events[0]
    site.alive.append(node("big", 64.0))
    turn(executor, futures)
    assert [n.name for n in site.started.values()] == ["big"]


@pytest.mark.parametrize(("needs", "advised"), [(Needs(8.0), True), (Needs(8.0, 1.0), False), (Needs(0.5, 1.0), False)])
def test_without_room_it_says_what_to_ask_for_where_fewer_cores_would_do(site, make, needs, advised):
    executor = make(needs)
    turn(executor, submit(executor, job()), 40.0)
    (said,) = executor.events
    assert said.endswith("as soon as there is room" + ", which there is with --cpus-per-trial 1" * advised)


def test_nodes_without_room_are_named_apart(site, make):
    site.alive = [node("big", 8.0), node("small", 1.0), node("head", 0.0)]
    assert make(Needs(2.0)).described() == "big (8 CPU); no room for 2 CPU on small (1 CPU)"
    site.versions["big"] = {**VERSIONS, "keras": "3.10.0"}
    executor = make(Needs(2.0))
    with pytest.raises(ClusterLost, match=r"big: keras 3\.10\.0 .*; no room for 2 CPU on small \(1 CPU\)$"):
        turn(executor, submit(executor, job()), 60.0)


def test_a_node_whose_folder_was_swept_away_stores_the_data_anew(site, make, tmp_path):
    site.alive = [node("one")]
    executor, futures = begun(make(workers=1), job())
    site.willing = False
    site.lose(1)
    turn(executor, futures)
    site.say(2, "hello", hello())
    turn(executor, futures)
    told, data = site.begun[2]
    assert (told["folder"], data) == ("/tmp/one", None)
    site.willing = True
    site.say(2, "unable", {"kind": "folder", "why": "/tmp/one is gone", "folder": "/tmp/one"})
    turn(executor, futures)
    told, data = site.begun[3]
    assert (told["folder"], data) == (None, tmp_path / "data")
    site.done(3)
    assert turn(executor, futures) == set(futures)
    assert not any("gets no trials" in event for event in executor.events)


def test_that_a_folder_is_gone_is_no_news_where_another_one_was_made(site, make):
    site.alive = [node("one", 3.0)]
    executor, futures = begun(make(workers=2), job("0"), job("1"))
    site.say(2, "unable", {"kind": "folder", "why": "/tmp/old is gone", "folder": "/tmp/old"})
    turn(executor, futures)
    assert site.begun[3][0]["folder"] == "/tmp/one"


def test_an_actor_that_is_lost_is_never_used_again_and_its_job_trained_once_more(site, make):
    executor, futures = begun(make(workers=1), job())
    site.lose(1)
    site.done(1)
    assert turn(executor, futures) == set()
    assert site.killed == [1]
    assert site.jobs[2][0].attempt == 2
    site.done(2)
    assert turn(executor, futures) == set(futures)
    assert futures[0].result().score == 0.5


def test_a_job_that_ends_two_actors_has_failed(site, make):
    executor = make(workers=1)
    futures = submit(executor, job())
    for actor in (1, 2):
        turn(executor, futures)
        site.lose(actor)
    turn(executor, futures)
    assert futures[0].result().failure.reason is FailureReason.CRASHED


def test_one_that_ends_them_for_want_of_memory_says_so(site, make):
    executor = make(workers=1)
    futures = submit(executor, job())
    for actor in (1, 2):
        turn(executor, futures)
        site.lose(actor, starved=True)
    turn(executor, futures)
    assert futures[0].result().failure.reason is FailureReason.OUT_OF_MEMORY


def test_a_node_that_is_lost_is_not_the_fault_of_its_jobs(site, make):
    executor = make(workers=1)
    futures = submit(executor, job())
    for actor in range(1, 6):
        turn(executor, futures)
        site.lose(actor, with_node=True)
    turn(executor, futures)
    assert not futures[0].done()
    site.done(6)
    assert turn(executor, futures) == set(futures)


def test_nodes_may_come_and_go(site, make):
    executor, futures = begun(make(), *(job(str(i)) for i in range(6)))
    lost = [a for a, n in site.started.items() if n.name == "two"]
    site.alive = [node("one"), node("three", 3.0)]
    turn(executor, futures)
    assert set(lost) <= set(site.killed)
    assert executor.workers == 5
    living = [n.name for a, n in site.started.items() if a not in site.killed]
    assert sorted(living) == ["one", "one", "three", "three", "three"]
    assert "the node two has left the cluster" in executor.events
    assert "the node three (3 CPU) has joined the cluster" in executor.events


def test_where_others_have_taken_the_room_of_a_node_another_one_trains_in_its_place(site, make):
    site.willing = False
    executor, futures = begun(make(workers=2), job("0"), job("1"), job("2"))
    assert [n.name for n in site.started.values()] == ["one", "two"]
    site.willing = True
    site.say(2, "hello", hello())
    turn(executor, futures, 25.0)
    assert (len(site.started), sorted(site.jobs)) == (2, [2])
    turn(executor, futures, 10.0)
    assert (site.started[3].name, sorted(site.jobs)) == ("two", [2, 3])
    site.say(1, "hello", hello())
    turn(executor, futures, 40.0)
    assert (site.killed, sorted(site.begun), len(site.started), executor.events) == ([1], [2, 3], 3, [])


def test_no_more_than_were_asked_for(site, make):
    executor = make(workers=3)
    turn(executor, submit(executor, *(job(str(i)) for i in range(6))))
    assert (executor.workers, len(site.started)) == (3, 3)


def test_a_fixed_number_stays_whatever_the_cluster_has(site, make):
    executor = make(workers=7, fixed=True)
    assert executor.workers == 7
    site.alive = []
    turn(executor, submit(executor, job()))
    assert executor.workers == 7


def test_a_deadline_travels_as_seconds_left(site, make):
    executor = make(workers=1)
    site.clock.set(-86_400.0)
    turn(executor, submit(executor, job(deadline=soon(site.clock, 100.0))))
    order, _ = site.jobs[1]
    assert order.job.deadline is None
    assert 95.0 < order.left.seconds <= 100.0


def test_a_deadline_that_moves_is_told_once_to_who_trains(site, make):
    executor = make(workers=1)
    end = [soon(site.clock, 100.0)]
    futures = submit(executor, job(deadline=MovingDeadline(lambda: end[0])))
    turn(executor, futures)
    assert site.moves == []
    end[0] = replace(soon(site.clock, 20.0), grace=7.0, first_epoch=3.0)
    turn(executor, futures)
    ((actor, which, left),) = site.moves
    assert (actor, which, left.grace, left.first_epoch) == (1, ("0", 1), 7.0, 3.0)
    assert 15.0 < left.seconds <= 20.0


@pytest.mark.parametrize("by", [3600.0, -3600.0])
def test_who_trains_is_told_when_somebody_sets_the_clock_of_the_search(site, make, by):
    executor = make(workers=1)
    futures = submit(executor, job(deadline=Deadline(unix=site.clock.now() + 7200.0)))
    turn(executor, futures)
    site.clock.set(by)
    turn(executor, futures)
    ((actor, which, left),) = site.moves
    assert (actor, which) == (1, ("0", 1))
    assert left.seconds == pytest.approx(7200.0 - by, abs=10.0)
    turn(executor, futures)
    assert len(site.moves) == 1


def test_an_actor_takes_a_moved_deadline_for_the_attempt_that_it_is_of(tmp_path):
    left = []
    work = Work({}, None, lambda _: None, lambda: (b"", ()))

    class Looking:
        def train(self, job, *_):
            left.append(round(job.deadline.left(SystemClock())))
            work.move(pickle.dumps((("1", 1), Left(20.0))))
            left.append(round(job.deadline.left(SystemClock())))
            return Outcome()

    for trial in ("0", "1"):
        work._serve(Looking(), tmp_path, Order(job(trial), 1, Left(100.0)).packed(), ())
    assert left == [100, 100, 20, 20]


def test_what_waits_for_a_place_when_its_time_is_up_is_given_back(site, make):
    executor = make(Needs(64.0))
    futures = submit(executor, job(deadline=soon(site.clock, 5.0)))
    assert turn(executor, futures, 20.0) == set(futures)
    assert futures[0].result() == Outcome(best_epoch=0, stopped=Stop.DEADLINE)


def test_checkpoints_come_home_as_bytes_and_travel_so(site, make, tmp_path):
    executor, futures = begun(make(workers=1), job())
    made = checkpoint(b"weights")
    site.done(1, Outcome(score=0.5, best_epoch=1, best=made), [(made.file, b"weights")])
    turn(executor, futures)
    assert (tmp_path / made.file).read_bytes() == b"weights"
    further = submit(executor, job("1", epochs_from=1, resume=made))
    turn(executor, further)
    assert site.jobs[1][1] == [b"weights"]
    (tmp_path / made.file).write_bytes(b"torn")
    damaged = submit(executor, job("2", epochs_from=1, resume=made))
    site.done(1)
    turn(executor, further)
    turn(executor, damaged)
    assert isinstance(damaged[0].exception(), CheckpointError)


def test_what_was_torn_on_its_way_is_trained_again_and_never_taken(site, make, tmp_path):
    executor, futures = begun(make(workers=1), job())
    made = checkpoint(b"weights")
    site.done(1, Outcome(score=0.5, best_epoch=1, best=made), [(made.file, b"wei")])
    assert turn(executor, futures) == set()
    assert not (tmp_path / made.file).exists()
    assert site.jobs[1][0].attempt == 2


def test_a_checkpoint_cannot_lead_out_of_the_run_directory(site, make, tmp_path):
    executor, futures = begun(make(workers=1), job())
    made = checkpoint(b"x", "../out.npz")
    site.done(1, Outcome(score=0.5, best_epoch=1, best=made), [(made.file, b"x")])
    turn(executor, futures)
    assert not (tmp_path.parent / "out.npz").exists()


def test_a_node_whose_disk_is_full_gets_no_more_and_its_job_goes_elsewhere(site, make):
    executor, futures = begun(make(), job("0"), job("1"))
    (actor,) = site.training("0")
    other = "two" if site.started[actor].name == "one" else "one"
    full = protocol.Raised(protocol.Trouble.DISK, "no space left")
    site.say(actor, 1, (full, []))
    turn(executor, futures)
    (again,) = site.training("0")
    assert site.started[again].name == other
    assert any("gets no trials: no space left" in event for event in executor.events)


def test_what_else_trains_on_a_node_whose_disk_is_full_is_said_to_leave_it(site, make):
    site.alive = [node("one")]
    executor, futures = begun(make(), job("0"), job("1"))
    site.say(*site.training("0"), 1, (protocol.Raised(protocol.Trouble.DISK, "no space left"), []))
    turn(executor, futures)
    assert "trial 1 lost its worker (the node one gets no trials); it is trained again" in executor.events


def test_who_is_on_a_node_whose_disk_is_full_lets_go_of_the_data_and_gets_no_other_trial(site, make):
    site.alive = [node("one")]
    executor, futures = begun(make(), job("0"), job("1"))
    (full,), (idle,) = site.training("0"), site.training("1")
    site.done(idle)
    site.say(full, 1, (protocol.Raised(protocol.Trouble.DISK, "no space left"), []))
    turn(executor, futures[:1])
    assert sorted(site.dismissed) == sorted(site.killed) == [1, 2]
    assert site.jobs[idle][0].job.trial_id == "1"


def test_where_no_node_may_train_any_more_and_none_has_left_the_run_ends(site, make):
    site.versions["two"] = {**VERSIONS, "keras": "3.10.0"}
    executor, futures = begun(make(workers=4), job("0"), job("1"))
    site.say(*site.training("0"), 1, (protocol.Raised(protocol.Trouble.DISK, "no space left"), []))
    with pytest.raises(ClusterLost, match=r"can train: one: no space left; two: keras 3\.10\.0 there"):
        turn(executor, futures, 60.0)


def test_a_node_on_which_nothing_could_be_started_when_it_left_is_waited_for(site, make):
    site.alive = [node("one", 3.0), node("two")]
    site.versions["two"] = {**VERSIONS, "keras": "3.10.0"}
    executor, futures = begun(make(), job("0"), job("1"))
    site.willing = False
    futures += submit(executor, job("2"))
    turn(executor, futures)
    assert [n.name for n in site.started.values()] == ["one", "two", "one", "one"]
    site.say(4, "lost", Lost("cannot be scheduled", never=True))
    turn(executor, futures)
    site.alive = [node("two")]
    turn(executor, futures, 60.0)
    assert any(event.startswith("nothing trains for 30 s") for event in executor.events)


def test_where_every_disk_is_full_the_run_ends_as_with_a_full_disk(site, make):
    site.willing = False
    executor, futures = begun(make(), job("0"), job("1"))
    for actor in (1, 2):
        site.say(actor, "unable", {"kind": "disk", "why": "no space left"})
    with pytest.raises(DiskError, match="no space left"):
        turn(executor, futures, 60.0)


def test_our_own_full_disk_ends_the_run(site, make, monkeypatch):
    executor, futures = begun(make(workers=1), job())
    made = checkpoint(b"weights")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("search.files.atomic.write_bytes", full)
    site.done(1, Outcome(score=0.5, best_epoch=1, best=made), [(made.file, b"weights")])
    turn(executor, futures)
    assert isinstance(futures[0].exception(), DiskError)


def test_an_answer_to_an_earlier_attempt_is_not_taken(site, make):
    executor, futures = begun(make(workers=1), job())
    site.say(1, 0, (protocol.Done(Outcome(score=0.9), 0), []))
    assert turn(executor, futures) == set()


def test_actors_that_end_while_they_start_are_not_started_for_ever(site, make):
    site.willing = False
    site.alive = [node("one")]
    executor = make(workers=1)
    futures = submit(executor, job())
    for actor in (1, 2, 3):
        turn(executor, futures)
        site.lose(actor)
    with pytest.raises(ClusterLost, match="workers end while they start"):
        turn(executor, futures, 60.0)
    assert len(site.started) == 3


def test_an_actor_that_does_not_get_ready_is_ended_unless_it_is_still_storing_data(site, make):
    site.willing, site.alive = False, [node("one")]
    executor, futures = begun(make(workers=1), job())
    site.say(1, "hello", hello())
    turn(executor, futures, STARTING - 10.0)
    site.say(1, "storing", "train_x.npy")
    turn(executor, futures, STARTING - 10.0)
    assert site.killed == []
    site.willing = True
    turn(executor, futures, 20.0)
    assert (site.killed, list(site.jobs)) == ([1], [2])


def test_where_no_actor_gets_ready_another_node_trains_in_its_place(site, make):
    executor = make(workers=1)
    site.willing = False
    futures = submit(executor, job())
    for actor in (1, 2, 3):
        turn(executor, futures)
        site.say(actor, "hello", hello())
        turn(executor, futures, STARTING + 2.0)
    site.willing = True
    site.say(4, "hello", hello())
    turn(executor, futures)
    assert [site.started[actor].name for actor in (1, 2, 3, 4)] == ["one", "one", "one", "two"]
    assert list(site.jobs) == [4]
    why = f"workers end while they start (it was not ready, and said nothing, for {STARTING:g} s)"
    assert executor.events == [f"the node one gets no trials: {why}"]


def test_a_node_without_memory_for_another_actor_goes_on_with_those_that_it_has(site, make):
    site.alive = [node("one", 4.0)]
    executor, futures = begun(make(), *(job(str(number)) for number in range(3)))
    site.willing = False
    futures += submit(executor, job("3"), job("4"))
    for actor in (4, 5, 6):
        turn(executor, futures)
        site.lose(actor, starved=True)
    turn(executor, futures, 20.0)
    assert (len(site.started), site.killed, executor.workers) == (6, [4, 5, 6], 3)
    said = "the node one trains no more than 3 at a time: further workers end while they start (its process ended)"
    assert executor.events == [said]
    assert executor.where()["nodes"][0]["room"] == 3
    site.done(1)
    assert turn(executor, futures) == {futures[0]}
    assert site.jobs[1][0].job.trial_id == "3"


def test_actors_that_have_begun_count_to_what_a_node_bears_before_they_are_ready(site, make):
    site.alive, site.willing = [node("one", 6.0)], False
    executor, futures = begun(make(), *(job(str(number)) for number in range(6)))
    site.say(1, "hello", hello())
    site.say(1, "settled", "/tmp/one")
    turn(executor, futures)
    for actor in range(2, 7):
        site.say(actor, "hello", hello())
    turn(executor, futures)
    for actor in (6, 5, 4):
        site.lose(actor, starved=True)
    turn(executor, futures)
    assert executor.workers == 3
    for actor in (1, 2, 3):
        site.say(actor, "ready", 1 << 34)
    turn(executor, futures)
    assert sorted(site.jobs) == [1, 2, 3]


def starve(site, actor):
    site.lose(actor, starved=True)


def run_out_of_memory(site, executor, futures, end):
    """The one actor of a node that trains is lost for want of memory, and the next three while they start."""
    turn(executor, futures)
    site.willing = False
    starve(site, 1)
    for actor in (2, 3, 4):
        turn(executor, futures)
        end(site, actor)


@pytest.mark.parametrize(
    "end",
    [
        starve,
        lambda site, actor: site.say(actor, "unable", {"kind": "start", "why": "MemoryError"}),
    ],
)
def test_a_node_that_has_trained_and_has_no_memory_left_is_tried_again_later(site, make, end):
    site.alive = [node("one", 1.0)]
    executor = make()
    futures = submit(executor, job())
    run_out_of_memory(site, executor, futures, end)
    turn(executor, futures, 200.0)
    assert len(site.started) == 4
    assert executor.where()["nodes"][0]["refused"] is None
    assert executor.events[1].startswith("the node one is tried again in 5 min: workers end while they start (")
    assert executor.events[2].startswith("nothing trains for 30 s")
    site.willing = True
    turn(executor, futures, 110.0)
    site.done(5)
    assert turn(executor, futures) == set(futures)


def test_meanwhile_another_node_trains_in_its_place(site, make):
    executor = make(workers=1)
    futures = submit(executor, job())
    run_out_of_memory(site, executor, futures, starve)
    turn(executor, futures)
    assert [n.name for n in site.started.values()] == ["one"] * 4 + ["two"]


def test_no_actor_begins_that_waited_for_room_where_a_node_bears_no_more_by_then(site, make):
    site.alive, site.willing = [node("one", 4.0), node("two", 4.0)], False
    executor, futures = begun(make(), *(job(str(number)) for number in range(8)))
    site.say(1, "hello", hello())
    site.say(1, "settled", "/tmp/one")
    site.say(1, "ready", 1 << 34)
    turn(executor, futures)
    for actor in (3, 4, 6):
        site.say(actor, "hello", hello())
        site.lose(actor, starved=True)
        turn(executor, futures)
    site.say(5, "hello", hello())
    turn(executor, futures)
    assert (executor.workers, sorted(site.begun), sorted(site.jobs)) == (5, [1, 3, 4, 6], [1])
    assert 5 in site.killed


def test_one_that_cannot_be_scheduled_there_is_not_tried_again(site, make):
    site.willing = False
    site.alive = [node("one")]
    executor, futures = begun(make(workers=1), job())
    site.say(1, "lost", Lost("cannot be scheduled", never=True))
    turn(executor, futures, 20.0)
    assert len(site.started) == 1


def test_a_stop_reaches_every_actor_and_what_waits_is_given_back(site, make):
    executor, futures = begun(make(workers=1), job("0"), job("1"))
    executor.stop(Stop.INTERRUPTED)
    assert turn(executor, futures) == {futures[1]}
    assert futures[1].result() == Outcome(stopped=Stop.INTERRUPTED)
    assert site.stops == [1]


def test_a_job_that_does_not_answer_long_after_its_deadline_is_ended(site, make):
    executor = make(workers=1)
    futures = submit(executor, job(deadline=soon(site.clock, 5.0)))
    turn(executor, futures, LATE)
    assert not futures[0].done()
    turn(executor, futures, LATE)
    outcome = futures[0].result()
    assert (outcome.stopped, outcome.failure) == (Stop.DEADLINE, None)
    assert site.killed == [1]


def test_a_job_that_does_not_answer_long_after_its_limit_has_hung(site, make):
    executor = make(workers=1)
    futures = submit(executor, job(seconds_per_trial=10.0))
    turn(executor, futures, 12.0)
    assert not futures[0].done()
    turn(executor, futures, 12.0)
    assert futures[0].result().failure.reason is FailureReason.HUNG
    assert site.killed == [1]


@pytest.mark.parametrize("first", [True, False])
def test_what_was_said_while_the_search_was_away_is_heard_before_anything_has_hung(site, make, monkeypatch, first):
    executor, futures = begun(make(workers=1), job(seconds_per_trial=10.0))
    heard, rest = site.messages, [1]

    def messages(seconds):
        yield from heard(seconds)
        # What was said after the first message comes when it is asked again.
        for actor in rest:
            site.done(actor)
        rest.clear()

    monkeypatch.setattr(site, "messages", messages)
    if first:
        site.epoch(1)
    site.clock.pass_time(60.0)
    assert turn(executor, futures) == set(futures)
    assert futures[0].result().score == 0.5
    assert site.killed == []


def test_nobody_who_has_just_said_something_has_hung_however_often_the_search_is_away(site, make):
    executor, futures = begun(
        make(workers=2), job("long", seconds_per_trial=10.0), *(job(str(number)) for number in range(8))
    )
    (long,) = site.training("long")
    (other,) = {1, 2} - {long}
    for number in range(6):
        site.clock.pass_time(20.0)
        site.done(other)
        site.epoch(long)
        assert turn(executor, futures[number + 1 :]) == {futures[number + 1]}
    assert site.killed == []
    for number in range(6, 8):
        site.clock.pass_time(20.0)
        site.done(other)
        assert futures[number + 1] in turn(executor, futures[number + 1 :])
    assert futures[0].result().failure.reason is FailureReason.HUNG


def test_an_actor_is_not_replaced_for_holding_what_the_next_one_would(site, make):
    site.alive = [node("one", 64.0)]
    executor = make(workers=1)
    turn(executor, submit(executor, job("0")))
    # TensorFlow and a small network; of 16 GiB each of 64 has 160 MiB.
    site.done(1, resident=1_000_000_000)
    turn(executor, submit(executor, job("1")))
    assert site.killed == []


@pytest.mark.parametrize("memory", [None, 1 << 30])
def test_an_actor_that_has_grown_too_large_is_replaced_between_its_jobs(site, make, memory):
    executor, futures = begun(make(workers=1, memory=memory), job("0"), job("1"))
    # More than a machine of 16 GiB has for all.
    site.done(1, resident=1 << (34 if memory is None else 31))
    assert turn(executor, futures) == {futures[0]}
    turn(executor, futures[1:])
    assert (site.killed, site.jobs[2][0].attempt) == ([1], 1)


@pytest.mark.parametrize(("workers", "replaced"), [(2, []), (64, [1]), (None, [1])])
def test_a_machine_is_shared_by_those_that_train_there_not_by_all_it_has_cores_for(site, make, workers, replaced):
    site.alive = [node("one", 64.0)]
    executor = make(workers=workers)
    turn(executor, submit(executor, job("0")))
    site.done(1, resident=4_000_000_000)
    turn(executor, submit(executor, job("1")))
    assert site.killed == replaced


def test_a_free_actor_gets_its_job_while_others_are_still_thought_about(site, make):
    executor, futures = begun(make(workers=2), job("0"), job("1"))
    for actor in (1, 2):
        site.done(actor)
    turn(executor, futures)
    submit(executor, job("2"))
    assert len(site.training("2")) == 1


def test_what_is_done_is_said_as_often_as_it_is_asked_for(site, make):
    executor, futures = begun(make(workers=1), job("0"), job("1"))
    site.done(1)
    for _ in range(2):
        assert turn(executor, futures) == {futures[0]}
    assert turn(executor, futures[1:], 0.0) == set()


def test_a_turn_looks_at_what_has_happened_alone_however_many_train(site, make, monkeypatch):
    site.alive = [node("one", 200.0)]
    executor, looks = make(), []
    futures = submit(executor, *(job(str(number), deadline=soon(site.clock, 1e6)) for number in range(200)))
    turn(executor, futures)
    assert len(site.jobs) == 200
    for kind, name in ((Deadline, "left"), (Future, "done")):
        real = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda *given, real=real: looks.append(1) or real(*given))
    for _ in range(50):
        site.epoch(1)
        turn(executor, futures, 0.01)
    # Once a second whether anybody's time is up.
    assert len(looks) <= 2 * 200


def test_who_watches_learns_of_nodes_and_actors_while_nothing_begins_or_ends(site, make):
    executor, seen = make(), []
    executor.watch(lambda: seen.append(executor.where()))
    futures = submit(executor, *(job(str(number)) for number in range(6)))
    turn(executor, futures, 5.0)
    assert seen[-1]["workers"] == 4
    site.versions["three"] = {**VERSIONS, "keras": "3.10.0"}
    site.alive.append(node("three"))
    turn(executor, futures, 5.0)
    assert [host["name"] for host in seen[-1]["nodes"] if host["refused"]] == ["three"]
    assert len(seen) <= 20


def test_who_watches_learns_why_no_node_can_train(site, make):
    site.versions = {name: {**VERSIONS, "keras": "3.10.0"} for name in ("one", "two")}
    executor, seen = make(), []
    executor.watch(lambda: seen.append(executor.where()))
    with pytest.raises(ClusterLost):
        turn(executor, submit(executor, job()), 60.0)
    assert all("keras 3.10.0" in host["refused"] for host in seen[-1]["nodes"])


def test_it_says_what_a_training_takes_where_it_is_a_card(site, make):
    site.alive = [node("cards", 8.0, 4.0)]
    executor = make(needs=Needs(8.0, yielding=True))
    assert (executor.where()["needs"], executor.workers) == ("2 CPU and 1 GPU", 4)
    site.alive.append(node("plain", 8.0))
    turn(executor, submit(executor, job()))
    assert executor.where()["needs"] == "2 CPU and 1 GPU, or 8 CPU"


def test_it_says_where_it_trains(site, make):
    executor = make()
    turn(executor, submit(executor, job()))
    where = executor.where()
    assert (where["workers"], where["room"], where["needs"]) == (1, 4, "1 CPU")
    assert [n["name"] for n in where["nodes"]] == ["one", "two"]
    executor.shutdown()
    assert site.closed
