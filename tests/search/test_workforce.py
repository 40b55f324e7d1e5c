from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

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


@pytest.mark.parametrize(
    ("limit", "left", "seconds"),
    [
        (None, None, 600.0),
        (None, 1e6, 600.0),
        (None, 1000.0, 250.0),
        (None, 60.0, 30.0),
        (None, -1.0, 30.0),
        (8, None, 30.0),
        (90, None, 90.0),
        (90, 60.0, 30.0),
    ],
)
def test_a_model_is_built_here_for_as_long_as_makes_sense(monkeypatch, limit, left, seconds):
    monkeypatch.setattr(workforce, "ends_after", lambda most: most)
    spec = spaces.load("digits", [] if limit is None else [f"limits.seconds_per_trial={limit}"])
    assert workforce.building(spec, left) == seconds


def test_what_hangs_while_it_is_built_represents_nothing(monkeypatch):
    monkeypatch.setattr(spaces, "count_parameters", lambda *_: time.sleep(60))
    monkeypatch.setattr(workforce, "_LONGEST_BUILD", 0.02)
    monkeypatch.setattr(workforce, "_LEAST_BUILD", 0.02)
    assert workforce.representative(spaces.load("digits"), SimpleNamespace(info=None)) is None


def test_the_representative_is_the_configuration_of_middle_size(tensorflow):
    spec = spaces.load("digits")
    data = spaces.load_data(spec)
    samples = [spaces.configure(spec, values) for values in spaces.sample(spec, spec.search.seed, 5)]
    sizes = sorted(spaces.count_parameters(settings, data.info) for settings in samples)
    assert spaces.count_parameters(workforce.representative(spec, data), data.info) == sizes[2]
