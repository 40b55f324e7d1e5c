from __future__ import annotations

import pytest

from search.cluster.needs import Needs, fitting, in_steps, room, spread
from search.cluster.start import Cluster
from search.executors import Each
from tests.search.cluster.conftest import node


@pytest.mark.parametrize(
    ("cpus", "gpus", "needs", "count"),
    [
        (8, 0, Needs(1.0), 8),
        (8, 0, Needs(2.0), 4),
        (8, 0, Needs(3.0), 2),
        (2, 0, Needs(0.5), 4),
        (1, 0, Needs(0.1), 10),
        (1, 0, Needs(2.0), 0),
        # One for each card, as far as the cores go.
        (16, 4, Needs(1.0), 4),
        (2, 4, Needs(1.0), 2),
        (16, 4, Needs(1.0, 0.0), 16),
        # Shares of one card lie on one card.
        (16, 1, Needs(1.0, 0.25), 4),
        (16, 2, Needs(1.0, 0.4), 4),
        (16, 1, Needs(1.0, 0.1), 10),
        (16, 0, Needs(1.0, 0.25), 0),
    ],
)
def test_room_of_a_node(cpus, gpus, needs, count):
    assert room(node("a", cpus, gpus), needs) == count


@pytest.mark.parametrize(
    ("cpus", "gpus", "needs", "each", "count"),
    [
        # Eight threads, and a machine with fewer cores than that for each of its cards.
        (4, 4, Needs(8.0, None, yielding=True), 1.0, 4),
        (10, 4, Needs(8.0, None, yielding=True), 2.0, 4),
        (64, 4, Needs(8.0, None, yielding=True), 8.0, 4),
        (4, 1, Needs(2.0, 0.25, yielding=True), 1.0, 4),
        # Parts of a core, which Ray rounds to ten thousandths.
        (1, 6, Needs(2.0, None, yielding=True), 0.1666, 6),
        # Where no card is used, the cores are what counts.
        (4, 0, Needs(8.0, None, yielding=True), 8.0, 0),
        (4, 4, Needs(2.0, 0.0, yielding=True), 2.0, 2),
        (4, 4, Needs(8.0), 8.0, 0),
    ],
)
def test_a_card_is_not_left_alone_for_want_of_cores(cpus, gpus, needs, each, count):
    machine = node("a", cpus, gpus)
    assert needs.on(machine).cpus == each
    assert room(machine, needs) == count


def test_what_was_asked_for_is_taken_and_what_follows_from_the_threads_yields():
    assert Cluster("auto").needs(8) == Needs(8.0, None, yielding=True)
    assert Cluster("auto", Each(8.0)).needs(8) == Needs(8.0)


@pytest.mark.parametrize(
    ("amount", "steps"),
    [(2 / 3, 0.6666), (1 / 6, 0.1666), (5 / 3, 1.6666), (0.29, 0.29), (8.0, 8.0), (1e-9, 1e-4), (0.0, 0.0)],
)
def test_amounts_are_rounded_so_that_all_who_are_counted_have_room(amount, steps):
    assert in_steps(amount) == steps


def test_few_trainings_are_spread_over_all_nodes():
    assert spread({"a": 4, "b": 1, "c": 4}, None) == {"a": 4, "b": 1, "c": 4}
    assert spread({"a": 4, "b": 1, "c": 4}, 4) == {"a": 2, "b": 1, "c": 1}
    assert spread({"a": 4, "b": 1}, 99) == {"a": 4, "b": 1}
    assert spread({}, 3) == {}


@pytest.mark.parametrize(
    ("nodes", "each", "threads"),
    [
        ([(8, 0), (4, 0), (1, 0)], Each(), 1),
        ([(64, 0), (4, 0), (0, 0)], Each(), 4),
        ([(64, 0)], Each(), 8),
        ([], Each(), 8),
        ([(0.5, 0)], Each(), 8),
        # Beside a card, trainings make do with the cores that there are.
        ([(4, 4)], Each(), 8),
        ([(4, 4), (6, 0)], Each(), 6),
        # A machine that trains nothing binds nobody.
        ([(16, 1), (2, 0)], Each(gpus=0.25), 8),
        ([(16, 1), (2, 0)], Each(gpus=0.0), 2),
    ],
)
def test_a_new_run_has_as_many_threads_as_the_smallest_node_that_trains_has_cores(nodes, each, threads):
    found = [node(str(number), *size) for number, size in enumerate(nodes)]
    assert fitting(found, 8, Cluster("auto", each).needs) == threads


def test_threads_that_were_asked_for_are_taken():
    assert Cluster("auto", Each(3.0)).threads(8) == 3
