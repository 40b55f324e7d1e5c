"""Rows are held out by a column: whole groups that belong together, or the latest ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spaces
from spaces.basics.errors import DataError, SpaceError
from spaces.data.keyed_split import Keyed, keyed_partition
from spaces.data.split import First


@settings(deadline=None, max_examples=30)
@given(
    groups=st.lists(st.integers(0, 8), min_size=30, max_size=80).filter(lambda found: len(set(found)) > 5),
    seed=st.integers(0, 2**32 - 1),
    latest=st.booleans(),
)
def test_every_row_has_one_part_and_no_group_has_two(groups: list[int], seed: int, latest: bool) -> None:
    key = np.array(groups)
    wanted = Keyed("who", key, latest, 0.2)
    found = keyed_partition(key % 2, wanted, wanted, seed=seed, classes=False)
    parts = [np.asarray(part) for part in (found.train, found.validation, found.test)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(key)))
    assert all(len(part) and (np.diff(part) > 0).all() for part in parts)
    train, validation, test = (set(key[part].tolist()) for part in parts)
    if latest:
        assert max(train) <= min(validation)
        assert max(validation) <= min(test)
    else:
        assert len(train) + len(validation) + len(test) == len(set(groups))


def test_another_seed_draws_other_groups_and_the_same_the_same() -> None:
    key = np.arange(200) // 4
    drawn = [
        keyed_partition(key, Keyed("who", key, False, 40), None, seed=seed, classes=False).validation
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert len(drawn[0]) == 40


def by_groups(sizes: list[int], seed: int, **options: Any) -> list[int]:
    """How many rows train, validate and test, where groups of these sizes are divided."""
    key = np.repeat(np.arange(len(sizes)), sizes)
    wanted = Keyed("who", key, False, 0.2)
    chooses = None if options else wanted
    found = keyed_partition(np.zeros(len(key)), chooses, wanted, seed=seed, classes=False, **options)
    return [len(np.asarray(part)) for part in (found.train, found.validation, found.test)]


@pytest.mark.parametrize("seed", range(10))
def test_a_large_group_does_not_make_a_part_far_too_large(seed: int) -> None:
    assert by_groups([600, 100, 100, 100, 100], seed) == [600, 200, 200]
    assert by_groups([390, 100, 100, 100, 100, 100, 100], seed) == [590, 200, 200]
    train, validation, test = by_groups([90, 2, 2, 2, 2, 2], seed)
    assert (train, validation, test) == (90, 2, 8), "a group is left to validate"
    assert by_groups([50, 50, 50], seed) == [50, 50, 50]
    assert by_groups([90, 2, 2, 2, 2, 2], seed, folds=5) == [98, 0, 2], "a group is left for each fold"
    assert by_groups([8, 100, 100, 100, 100, 100], seed, folds=5) == [408, 0, 100]


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(6, 12), min_size=60, max_size=80),
    large=st.lists(st.integers(100, 200), max_size=2),
    seed=st.integers(0, 2**32 - 1),
)
def test_parts_of_groups_have_about_the_size_that_is_wanted(sizes: list[int], large: list[int], seed: int) -> None:
    _, validation, test = by_groups(sizes + large, seed)
    wanted = 0.2 * sum(sizes + large)
    # There are enough small groups: what is missed is less than one of them, or a quarter of what is wanted.
    for part in (validation, test):
        assert abs(part - wanted) <= max(12, wanted / 4 + 1)


def test_groups_of_much_the_same_size_are_drawn_as_by_earlier_versions() -> None:
    sizes = np.random.default_rng(0).integers(3, 13, 60)
    key = np.repeat(np.arange(60), sizes)
    for seed in range(20):
        order = np.random.default_rng([seed, 11]).permutation(60)
        totals = np.cumsum(sizes[order])
        first = order[: 1 + np.argmin(np.abs(totals - 80))]
        found = keyed_partition(key, Keyed("who", key, False, 80), None, seed=seed, classes=False)
        assert set(key[found.validation]) == set(first)


def test_the_other_part_may_be_drawn_as_ever() -> None:
    key = np.arange(100)
    labels = np.tile([0, 1], 50)
    found = keyed_partition(labels, 0.1, Keyed("day", key, True, 20), seed=0, classes=True)
    assert np.asarray(found.test).tolist() == list(range(80, 100))
    assert len(found.validation) == 10
    assert labels[found.validation].sum() == 5
    first = keyed_partition(labels, First(5), Keyed("day", key, True, 20), seed=0, classes=True)
    assert np.asarray(first.validation).tolist() == [0, 1, 2, 3, 4]
    first = keyed_partition(labels, Keyed("day", key, True, 20), First(5), seed=0, classes=True)
    assert (np.asarray(first.test).tolist(), np.asarray(first.validation).min()) == ([0, 1, 2, 3, 4], 80)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Keyed("who", np.zeros(10), False, 0.2), "column 'who' has one group only"),
        (Keyed("day", np.arange(10), True, 10), "10 of 10 rows cannot be held out"),
        (Keyed("day", np.arange(10), True, 0.01), "0 of 10 rows cannot be held out"),
    ],
)
def test_what_cannot_be_divided_is_told(wanted: Keyed, message: str) -> None:
    with pytest.raises(DataError, match=message):
        keyed_partition(np.zeros(10), wanted, None, seed=0, classes=False)


def test_a_part_without_a_row_is_told_by_its_own_name() -> None:
    day = Keyed("day", np.arange(10), True, 0.2)
    with pytest.raises(DataError, match=r"data.test: 0.01 of 10 rows is no row at all"):
        keyed_partition(np.zeros(10), day, 0.01, seed=0, classes=False)


def test_how_many_groups_there_are_is_told_rightly() -> None:
    wanted = Keyed("who", np.repeat([0, 1], 50), False, 0.2)
    with pytest.raises(DataError, match=r"data.validation: column 'who' has only one of 2 groups left after the test"):
        keyed_partition(np.zeros(100), wanted, wanted, seed=0, classes=False)


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    rows = [f"p{i % 20},2021-{1 + i // 20:02}-{1 + i % 20:02},{i % 7},{i % 2}" for i in range(200)]
    path.write_text("patient,day,x,y\n" + "\n".join(rows) + "\n")
    return path


def test_groups_of_a_table_stay_together_and_are_no_input(visits: Path, load: Callable[..., spaces.Dataset]) -> None:
    data = load({"csv": str(visits)}, validation={"group": "patient", "size": 0.25})
    assert data.info.columns == ("day", "x")
    assert (len(data.train), len(data.validation), len(data.test or ())) == (110, 50, 40)
    told = {column["name"]: column for column in data.understood["columns"]}
    assert told["patient"]["how"] == "says which rows belong together"
    kept = load({"csv": str(visits)}, validation={"group": "patient"}, columns={"patient": "category"}, test="none")
    assert kept.info.columns == ("patient", "day", "x")
    groups = [set(np.flatnonzero(part.x[:, :20].any(axis=0))) for part in (kept.train, kept.validation)]
    assert kept.info.table[0].values == tuple(sorted(kept.info.table[0].values))
    assert not kept.validation.x[:, : len(kept.info.table[0].values)].any(), groups


def test_the_latest_rows_of_a_table_test_and_those_before_validate(
    visits: Path, load: Callable[..., spaces.Dataset]
) -> None:
    data = load({"csv": str(visits)}, validation={"time": "day"}, columns={"patient": "drop"})
    days = [part.x[:, 0] for part in (data.train, data.validation, data.test) if part is not None]
    assert days[0].max() < days[1].min()
    assert days[1].max() < days[2].min()
    with pytest.raises(DataError, match="no column 'dai'; did you mean 'day'"):
        load({"csv": str(visits)}, validation={"time": "dai"})
    with pytest.raises(DataError, match="column 'patient' holds no times"):
        load({"csv": str(visits)}, test={"time": "patient"})


FUNCTION = """
import pandas as pd

def parts():
    sizes = {"p": 80, "q": 24}
    frames = [pd.DataFrame({"who": [f"{p}{i // 4}" for i in range(n)], "a": range(n)}) for p, n in sizes.items()]
    return tuple((frame, (frame["a"] % 2).rename("ill")) for frame in frames)
"""


@pytest.mark.parametrize("validation", [{"group": "who"}, {"time": "a"}, {"folds": 4, "group": "who"}])
def test_a_test_part_that_comes_with_the_data_is_taken(
    validation: dict[str, Any], tmp_path: Path, load: Callable[..., spaces.Dataset]
) -> None:
    (tmp_path / "mine.py").write_text(FUNCTION)
    data = load({"python": f"{tmp_path / 'mine.py'}:parts"}, validation=validation)
    assert len(data.test or ()) == 24
    assert len(data.train) + len(data.validation) == 80


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"source": "digits", "test": {"group": "who"}}, "data.test: has no effect: only a csv or parquet source"),
        ({"source": {"csv": "x"}, "validation": {"group": "a", "time": "b"}}, "found group and time; allowed: exactly"),
        ({"source": {"csv": "x"}, "test": {"time": "b", "size": 0}}, "data.test.size: found 0"),
        ({"source": {"csv": "x"}, "test": {"tme": "b"}}, "unknown key 'tme'"),
    ],
)
def test_mistakes_are_named(data: dict[str, Any], message: str) -> None:
    space = {"name": "x", "data": data, "model": {"family": "mlp", "layers": 0}, "training": {"epochs": 1}}
    with pytest.raises(SpaceError, match=message):
        spaces.load(space)
