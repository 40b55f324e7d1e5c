from __future__ import annotations

import pytest

from search.cluster.needs import Needs, room, spread
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


def test_few_trainings_are_spread_over_all_nodes():
    assert spread({"a": 4, "b": 1, "c": 4}, None) == {"a": 4, "b": 1, "c": 4}
    assert spread({"a": 4, "b": 1, "c": 4}, 4) == {"a": 2, "b": 1, "c": 1}
    assert spread({"a": 4, "b": 1}, 99) == {"a": 4, "b": 1}
    assert spread({}, 3) == {}
