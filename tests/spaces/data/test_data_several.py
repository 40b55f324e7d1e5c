"""Rows that may have several labels, rows with weights, and cross-validation, through whole spaces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces
from spaces.basics.errors import DataError, SpaceError

TAGS = "size,tags\n" + "".join(
    f"{number},{tags}\n" for number, tags in enumerate(["red;round", "red", "", "round ; old", "old;old"] * 8)
)
MARKS = "size,red,old\n" + "".join(f"{number},{number % 2},{'yes' if number % 3 else 'no'}\n" for number in range(40))
WEIGHTS = "size,w,kind\n" + "".join(f"{number},{1 + number % 4},{'ab'[number % 2]}\n" for number in range(40))

Load = Callable[..., spaces.Dataset]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.csv"


def load_file(load: Load, path: Path, text: str, **options: Any) -> spaces.Dataset:
    path.write_text(text)
    return load({"csv": str(path)}, **options)


def test_labels_in_one_cell_become_one_column_each(load: Load, path: Path) -> None:
    data = load_file(load, path, TAGS, target={"column": "tags", "separator": ";"})
    assert data.info.labels == "multi-label"
    assert (data.info.class_names, data.info.outputs) == (("old", "red", "round"), 3)
    every = np.concatenate([data.train.y, data.validation.y, data.test.y])
    assert every.sum(axis=0).tolist() == [16, 16, 16]
    by_size = dict(zip(_sizes(data), every.tolist(), strict=True))
    assert by_size[0] == [0, 1, 1]
    assert by_size[2] == [0, 0, 0]
    assert by_size[4] == [1, 0, 0]
    assert data.understood["guess"]["scores"]["validation"]["accuracy"] == pytest.approx(0.6, abs=0.1)


def _sizes(data: spaces.Dataset) -> list[int]:
    assert data.test is not None
    return [int(row[0]) for part in (data.train, data.validation, data.test) for row in part.x]


@pytest.mark.parametrize("said", [{"target": ["red", "old"]}, {"columns": {"red": "target", "old": "target"}}])
def test_several_columns_of_two_values_are_labels(load: Load, path: Path, said: Any) -> None:
    data = load_file(load, path, MARKS, **said)
    assert (data.info.labels, data.info.class_names) == ("multi-label", ("red", "old"))
    every = np.concatenate([data.train.y, data.validation.y, data.test.y])
    assert every.sum(axis=0).tolist() == [20, 26]
    targets = [column for column in data.understood["columns"] if column["role"] == "target"]
    assert [column["name"] for column in targets] == ["red", "old"]


def test_a_matrix_of_0_and_1_is_labels_where_the_loss_says_so(load: Load, save_npz: Callable[..., Path]) -> None:
    y = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0], [1, 0, 1]] * 10)
    path = save_npz(x=np.arange(40, dtype=np.float32)[:, None], y=y)
    with pytest.raises(DataError, match=r"not one-hot.*binary_crossentropy"):
        load({"npz": str(path)})
    data = load({"npz": str(path)}, loss="binary_crossentropy")
    assert (data.info.labels, data.info.outputs) == ("multi-label", 3)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (MARKS.replace("0,0,no", "0,7,no"), {"target": ["red", "old"]}, "'red' holds more than 0 and 1.*line 2"),
        (MARKS, {"target": {"separator": ";"}, "columns": {"red": "target", "old": "target"}}, "for one target column"),
        (
            TAGS,
            {"target": {"column": "tags", "separator": "|"}, "loss": "sparse_categorical_crossentropy"},
            "one class",
        ),
    ],
    ids=["more than two values", "separator of two columns", "loss of one class"],
)
def test_what_cannot_be_labels_is_refused(load: Load, path: Path, text: str, options: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_file(load, path, text, **options)


def test_weights_are_no_input_and_stay_with_their_rows(load: Load, path: Path) -> None:
    data = load_file(load, path, WEIGHTS, columns={"w": "weight"})
    assert data.info.weighted
    assert data.info.columns == ("size",)
    for part in (data.train, data.validation, data.test):
        assert part is not None
        assert part.weight is not None
        np.testing.assert_array_equal(part.weight, 1 + part.x[:, 0] % 4)
    assert [c["role"] for c in data.understood["columns"]] == ["input", "target", "weight"]


@pytest.mark.parametrize(("cell", "message"), [("-1", "holds -1 in line 2"), ("", "is empty in line 2")])
def test_a_weight_is_a_number_of_at_least_0(load: Load, path: Path, cell: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_file(load, path, WEIGHTS.replace("0,1,a", f"0,{cell},a", 1), columns={"w": "weight"})


def test_one_column_weighs(load: Load, path: Path) -> None:
    with pytest.raises(SpaceError, match="one column"):
        load_file(load, path, WEIGHTS, columns={"w": "weight", "size": "weight"})


def test_weights_change_the_guess(load: Load, path: Path) -> None:
    text = "size,w,kind\n" + "".join(f"{n},{9 if n % 4 == 0 else 1},{'b' if n % 4 == 0 else 'a'}\n" for n in range(40))
    assert load_file(load, path, text, columns={"w": "drop"}).understood["guess"]["what"].endswith("(a)")
    assert load_file(load, path, text, columns={"w": "weight"}).understood["guess"]["what"].endswith("(b)")


def test_in_folds_every_row_but_those_of_the_test_validates_once(load: Load, path: Path) -> None:
    data = load_file(load, path, WEIGHTS, validation={"folds": 4}, columns={"w": "weight"})
    assert data.folds is not None
    validated = [data.fold(number)[1] for number in range(4)]
    assert [len(part) for part in validated] == [8] * 4
    assert sorted(int(row[0]) for part in validated for row in part.x) == sorted(set(range(40)) - _tested(data))
    assert all(part.y.sum() == 4 for part in validated), "each has as many rows of either class"
    for number in range(4):
        train, validation = data.fold(number)
        assert not {*train.x[:, 0]} & {*validation.x[:, 0]}
        assert train.weight is not None
        np.testing.assert_array_equal(train.weight, 1 + train.x[:, 0] % 4)
    assert data.fingerprint != load_file(load, path, WEIGHTS, columns={"w": "weight"}).fingerprint


def _tested(data: spaces.Dataset) -> set[int]:
    assert data.test is not None
    return {int(row[0]) for row in data.test.x}


def test_folds_by_group_keep_groups_together_and_out_of_the_test(load: Load, path: Path) -> None:
    text = "size,who,kind\n" + "".join(f"{n},p{n // 4},{'ab'[n % 2]}\n" for n in range(40))
    data = load_file(load, path, text, validation={"folds": 3, "group": "who"})
    parts = [data.test, *(data.fold(number)[1] for number in range(3))]
    groups = [{int(row[0]) // 4 for row in part.x} for part in parts if part is not None]
    assert sum(map(len, groups)) == 10


def _groups(sizes: list[int], weight: Callable[[int, int], int] = lambda row, group: 1) -> str:
    """A table whose rows belong to groups of these sizes, with as many of either class in each."""
    whose = np.repeat(np.arange(len(sizes)), sizes).tolist()
    rows = [f"{row},p{group},{weight(row, group)},{'ab'[row % 2]}\n" for row, group in enumerate(whose)]
    return "size,who,w,kind\n" + "".join(rows)


BY_WHO = {"validation": {"folds": 5, "group": "who"}, "test": "none", "columns": {"w": "weight"}}


@pytest.mark.parametrize("seed", range(6))
def test_few_rows_are_of_all_folds_where_these_are_of_groups(load: Load, path: Path, seed: int) -> None:
    data = load_file(load, path, _groups([100, 100, 100, 100, 6]), **BY_WHO, limit=40, seed=seed)
    validated = [data.fold(number)[1] for number in range(5)]
    assert sum(map(len, validated)) == 40
    assert all(set(part.y.tolist()) == {0, 1} for part in validated)
    whose = [{int(row[0]) // 100 for row in part.x} for part in validated]
    assert sorted(map(len, whose)) == [1] * 5
    assert set().union(*whose) == set(range(5))


def test_few_rows_are_some_that_count_in_all_folds(load: Load, path: Path) -> None:
    text = _groups([1000], lambda row, _: int(row % 20 < 2))
    options = {"validation": {"folds": 5}, "test": "none", "columns": {"w": "weight", "who": "drop"}}
    data = load_file(load, path, text, **options, limit=25)
    for number in range(5):
        assert all(part.weight is not None and part.weight.any() for part in data.fold(number))


@pytest.mark.parametrize("idle", range(5))
def test_a_fold_whose_rows_count_for_nothing_is_refused(load: Load, path: Path, idle: int) -> None:
    text = _groups([8] * 5, lambda _, group: int(group != idle))
    with pytest.raises(DataError, match=r"things.csv: all rows of fold \d of 5 have weight 0; fewer folds"):
        load_file(load, path, text, **BY_WHO)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": {"folds": 1}}, "folds"),
        ({"validation": {"folds": 3, "grup": "w"}}, "grup"),
        ({"validation": {"first": 3}, "test": "none", "stratify": True}, "neither part is drawn"),
        ({"validation": {"group": "size"}, "stratify": True}, "neither part is drawn"),
        ({"validation": {"time": "size"}, "stratify": False}, "neither part is drawn"),
        ({"validation": {"folds": 3, "group": "size"}, "stratify": True}, "neither part is drawn"),
        ({"target": ["kind"]}, "at least two"),
    ],
)
def test_what_has_no_effect_or_no_sense_is_refused(load: Load, path: Path, options: Any, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        load_file(load, path, WEIGHTS, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"validation": {"group": "who"}, "test": 0.2, "stratify": True},
        {"validation": {"folds": 3, "group": "who"}, "limit": 20, "stratify": False},
        {"validation": {"folds": 3}, "stratify": True},
        {"validation": {"first": 3}, "stratify": True},
    ],
)
def test_classes_in_proportion_may_be_asked_for_where_rows_are_drawn(load: Load, path: Path, options: Any) -> None:
    assert len(load_file(load, path, _groups([8] * 5), **options).train)


@pytest.mark.parametrize(
    ("said", "drawn"), [({}, True), ({"stratify": True}, True), ({"stratify": False, "seed": 2}, False)]
)
def test_parts_are_of_each_class_in_proportion_unless_that_is_not_wanted(
    load: Load, path: Path, said: Any, drawn: bool
) -> None:
    text = "size,kind\n" + "".join(f"{n},{'a' if n < 160 else 'b'}\n" for n in range(200))
    counts = np.bincount(load_file(load, path, text, **said).validation.y)
    assert (counts.tolist() == [32, 8]) is drawn
