from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import spaces
from search.night import workforce
from search.night.workforce import Workforce
from spaces import Split


@pytest.mark.parametrize(
    ("cores", "most", "expected"),
    [
        (1, 1, [(1, 1)]),
        (2, 2, [(1, 2), (2, 1)]),
        (8, 8, [(1, 8), (8, 1)]),
        (16, 8, [(2, 8), (8, 1)]),
        # Memory for one worker only: all cores for it, or one.
        (4, 1, [(1, 4), (1, 1)]),
        (64, 8, [(8, 8), (8, 1)]),
    ],
)
def test_few_wide_workers_are_compared_with_many_narrow_ones(cores, most, expected):
    assert workforce.candidates(cores, most) == [Workforce(*pair) for pair in expected]


@pytest.mark.parametrize(
    ("workers", "threads", "words"),
    [
        (0, 4, "this process"),
        (1, 2, "1 worker process with 2 threads"),
        (2, 1, "2 worker processes with 1 thread each"),
    ],
)
def test_in_words(workers, threads, words):
    assert str(Workforce(workers, threads)) == words


def test_whether_a_search_is_short_depends_on_the_values_it_will_read(tensorflow):
    spec = spaces.load("digits")
    data = spaces.load_data(spec)
    assert workforce.is_short(spec, data, timed=False)
    assert workforce.is_short(spec, data, timed=True)
    until_the_time_is_up = spaces.load(spec, ["search.max_trials=null", "search.algorithm=freeze-thaw"])
    assert workforce.is_short(until_the_time_is_up, data, timed=False)
    assert not workforce.is_short(until_the_time_is_up, data, timed=True)
    rows = np.zeros((1, 1000), np.uint8)
    large = replace(data, train=Split(np.broadcast_to(rows, (100_000, 1000)), np.zeros(100_000)))
    assert not workforce.is_short(spec, large, timed=False)
    only_time_ends_it = spaces.load(spec, ["search.max_trials=null", "search.algorithm=random"])
    assert not workforce.is_short(only_time_ends_it, data, timed=False)


def test_the_representative_is_the_configuration_of_middle_size(tensorflow):
    spec = spaces.load("digits")
    data = spaces.load_data(spec)
    samples = [spaces.configure(spec, values) for values in spaces.sample(spec, spec.search.seed, 5)]
    sizes = sorted(spaces.count_parameters(settings, data.info) for settings in samples)
    assert spaces.count_parameters(workforce.representative(spec, data), data.info) == sizes[2]
