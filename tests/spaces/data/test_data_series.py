"""Time series: divided in their order, and the space file may say otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces
from spaces.basics.errors import DataError, SpaceError
from spaces.data.inputs import held_rows

Load = Callable[..., spaces.Dataset]
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(100, 12, 4)) * [1, 10, 1000, 1e5]
Y = np.arange(100) % 2


@pytest.fixture
def source(save_npz: Callable[..., Path]) -> dict[str, str]:
    return {"npz": str(save_npz(x=X, y=Y))}


def test_the_last_rows_test_and_those_before_them_validate(load: Load, source: dict[str, str]) -> None:
    data = load(source)
    assert (data.info.kind, data.info.input_shape) == ("series", (12, 4))
    assert data.test is not None
    together = np.concatenate([part.x for part in (data.train, data.validation, data.test)])
    np.testing.assert_array_equal(together, X.astype(np.float32))
    assert data.rows == {"train": 60, "validation": 20, "test": 20}
    assert data.info.mean == pytest.approx(X[:60].mean(axis=(0, 1)), rel=1e-5, abs=1e-3)
    assert data.understood["notes"] == [
        "taken for time series of 12 steps with 4 features, brought to mean 0 and deviation 1, each feature by itself; "
        "data.kind: image says otherwise",
        "divided in their order: the last rows test, those before them validate; data.split: random draws them",
    ]


@pytest.mark.parametrize(
    ("given", "options", "parts", "note"),
    [
        ((), {"test": "none"}, {"validation": "the last rows"}, ["the last rows validate"]),
        (
            (),
            {"test": {"first": 9}},
            {"validation": "the last rows", "test": "the first rows"},
            ["the last rows validate"],
        ),
        (("test",), {}, {"validation": "the last rows", "test": "comes with"}, ["the last rows validate"]),
        (("val",), {}, {"validation": "comes with", "test": "the last rows"}, ["the last rows test"]),
        (("val", "test"), {}, {"validation": "comes with", "test": "comes with"}, []),
    ],
)
def test_only_what_holds_the_last_rows_is_said_to(
    load: Load, save_npz: Callable[..., Path], given: Any, options: Any, parts: dict[str, str], note: list[str]
) -> None:
    arrays = {f"{role}_{part}": rows for part in ("train", *given) for role, rows in (("x", X), ("y", Y))}
    told = load({"npz": str(save_npz(**arrays))}, **options).understood
    assert {part: how.partition(" (")[0] for part, how in told["parts"].items()} == {
        part: words.replace("comes with", "comes with the data") for part, words in parts.items()
    }
    assert told["notes"][1:] == [f"divided in their order: {which}; data.split: random draws them" for which in note]


def test_they_are_drawn_where_the_space_file_says_so(load: Load, source: dict[str, str]) -> None:
    data = load(source, split="random")
    assert data.info.kind == "series"
    assert not np.array_equal(data.train.x, X[:60].astype(np.float32))
    assert len(data.understood["notes"]) == 1


def test_counts_may_be_larger_later(load: Load, save_npz: Callable[..., Path]) -> None:
    counts = np.arange(1200).reshape(100, 6, 2) % 200
    path = {"npz": str(save_npz(x=counts, y=Y))}
    data = load(path)
    assert (data.info.kind, data.info.dtype) == ("series", "float32")
    np.testing.assert_array_equal(data.train.x, counts[:60])
    assert held_rows([[[300, -0.5]] * 6], data.info, "rows").shape == (1, 6, 2)
    assert load(path, stream=True).fingerprint == data.fingerprint
    assert load({"npz": str(save_npz(x=counts.astype(np.uint8), y=Y))}).info.dtype == "uint8"


def test_a_run_goes_on_with_counts_as_it_began(save_npz: Callable[..., Path]) -> None:
    source = {"npz": str(save_npz(x=np.arange(1200).reshape(100, 6, 2) % 200, y=Y))}
    training, model = {"epochs": 1}, {"family": "conv1d", "blocks": 1, "filters": 2}
    spec = spaces.load({"name": "x", "data": {"source": source}, "model": model, "training": training})
    begun = dataclasses.replace(spaces.load_data(spec).info, dtype="uint8")
    assert spaces.load_data(spec, begun).train.x.dtype == np.uint8


def test_the_rows_of_a_table_may_be_divided_in_their_order(load: Load, save_npz: Callable[..., Path]) -> None:
    data = load({"npz": str(save_npz(x=X[:, 0], y=Y))}, split="chronological", preprocessing="none")
    np.testing.assert_array_equal(data.validation.x, X[60:80, 0].astype(np.float32))


def test_pictures_that_were_taken_for_series_and_the_reverse(load: Load, source: dict[str, str]) -> None:
    data = load(source, kind="image")
    assert (data.info.kind, len(data.info.mean or ())) == ("image", 1)
    assert load("digits", kind="series", limit=300).info.kind == "series"


def test_a_class_that_comes_last_is_missing_from_the_training_rows(load: Load, save_npz: Callable[..., Path]) -> None:
    late = np.repeat([0, 1, 2], [50, 40, 10])
    with pytest.raises(
        DataError, match=r"data.split: random draws some of every class\): no training row of class '2'"
    ):
        load({"npz": str(save_npz(x=X, y=late))})


def test_what_other_rows_are_asked_to_be_is_refused(load: Load, save_npz: Callable[..., Path], tmp_path: Path) -> None:
    columns = {"npz": str(save_npz(x=X[:, 0], y=Y))}
    with pytest.raises(DataError, match=r"data.kind: .*rows of columns; series have shape \(rows, steps, features\)"):
        load(columns, kind="series")
    with pytest.raises(DataError, match=r"data.kind: .*rows of columns, no images"):
        load(columns, kind="image")
    with pytest.raises(SpaceError, match=r"split: has no effect.*\n?.*kind: has no effect|kind: has no effect"):
        load({"folder": str(tmp_path)}, kind="series", split="random")


def test_images_cannot_be_made_of_series(load: Load, source: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"data.image_size: .* holds time series, no images"):
        load(source, image_size=8)


def test_folds_of_rows_that_follow_each_other_are_refused(load: Load, source: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"folds draw rows at random, but these are divided in their order"):
        load(source, validation={"folds": 3})
    assert load(source, validation={"folds": 3}, split="random").folds is not None
    assert len(load(source, stratify=True).understood["notes"]) == 1
    with pytest.raises(SpaceError, match=r"stratify: has no effect: the last rows are taken"):
        load(source, stratify=True, split="chronological")
