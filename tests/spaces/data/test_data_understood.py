"""What was understood is told: every column, the target's spread, and what a model has to be better than."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    lines = [f"{i},{'' if i % 5 == 0 else i % 7},{'AB'[i % 2]},7,{'yes' if i % 4 else 'no'}," for i in range(100)]
    path.write_text("id,age,town,same,paid,\n" + "\n".join(lines) + "\n")
    return path


def by_name(data: spaces.Dataset) -> dict[str, Any]:
    return {column["name"]: column for column in data.understood["columns"]}


def test_every_column_is_told_with_its_role_and_kind(table: Path, load: Callable[..., spaces.Dataset]) -> None:
    data = load({"csv": str(table)}, columns={"same": "drop"})
    told = by_name(data)
    assert {name: (c["role"], c["kind"], c["missing"]) for name, c in told.items()} == {
        "id": ("input", "number", 0),
        "age": ("input", "number", 20),
        "town": ("input", "category", 0),
        "paid": ("target", "class", 0),
        "same": ("dropped", "", 0),
    }
    assert "identifier" in told["id"]["notes"][0]
    assert told["age"]["how"] == "standardized; missing: the median 3, and marked"
    assert told["town"]["how"].startswith("2 values; A, B")
    assert told["paid"]["how"].startswith("2 classes: no ")
    assert data.understood["notes"] == ["1 column without a name and without a cell left out"]


@pytest.mark.parametrize(("cell", "columns"), [("w{} v{} u{}", {}), ("w{}", {"name": "text"})])
def test_texts_without_a_common_word_are_told(
    tmp_path: Path, load: Callable[..., spaces.Dataset], cell: str, columns: Any
) -> None:
    path = tmp_path / "names.csv"
    path.write_text("name,a,y\n" + "".join(f"{cell.format(i, i, i)},{i / 2},{i % 2}\n" for i in range(60)))
    data = load({"csv": str(path)}, columns=columns)
    assert data.train.x.shape[1] == 1
    told = by_name(data)["name"]
    assert (told["kind"], told["how"]) == ("text", "no words")
    assert "no words in common, so that none is an input" in told["notes"][0]


def test_the_commonest_class_is_what_a_model_has_to_be_better_than(
    table: Path, load: Callable[..., spaces.Dataset]
) -> None:
    data = load({"csv": str(table)})
    guess = data.understood["guess"]
    assert guess["what"] == "the commonest class (yes)"
    assert guess["scores"]["validation"] == {"accuracy": pytest.approx(np.mean(data.validation.y == 1))}
    assert set(guess["scores"]) == {"validation", "test"}


def test_the_mean_is_what_a_regression_has_to_be_better_than(table: Path, load: Callable[..., spaces.Dataset]) -> None:
    data = load({"csv": str(table)}, loss="mse", target="id", test="none")
    told, guess = by_name(data)["id"], data.understood["guess"]
    assert (told["role"], told["kind"]) == ("target", "number")
    assert told["how"].endswith("; learnt on a standard scale")
    errors = data.validation.y - data.train.y.mean()
    assert guess["what"] == "the mean"
    assert guess["scores"]["validation"]["mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-5)
    assert guess["scores"]["validation"]["r2"] <= 0


def images(rows: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(rows).integers(0, 256, (rows, 16, 16, 3), dtype=np.uint8)


def test_what_the_model_does_to_images_and_where_parts_come_from(
    tmp_path: Path, load: Callable[..., spaces.Dataset]
) -> None:
    path = tmp_path / "a.npz"
    labels = np.arange(60) % 2
    np.savez(path, x_train=images(60), y_train=labels, x_val=images(20), y_val=labels[:20])
    told = load({"npz": str(path)}, image_size=12).understood
    assert told["parts"] == {
        "validation": f"comes with the data ({path} (x_val, y_val))",
        "test": "drawn at random, of each class in proportion",
    }
    assert told["prepared"][:3] == [
        "Input: raw rows of shape 16×16×3 (uint8); the model itself prepares them.",
        "Values are multiplied by 0.00392157.",
        "Images are resized to 12×12 inside the model, by bilinear interpolation with antialiasing (tf.image.resize, "
        "antialias=True).",
    ]
    assert told["targets"] == []


@pytest.mark.parametrize(("test", "told"), [(0.2, True), ({"first": 5}, True), ("given", False), ("none", False)])
def test_a_test_part_in_whose_place_others_are_taken_is_told(
    tmp_path: Path, load: Callable[..., spaces.Dataset], test: Any, told: bool
) -> None:
    x, y = np.arange(60.0).reshape(30, 2), np.arange(30) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:8], y_test=y[:8])
    notes = load({"npz": str(tmp_path / "a.npz")}, test=test).understood["notes"]
    assert [note[:64] for note in notes] == ["the test part that comes with the data (8 rows) is not used: dat"] * told


def test_the_spread_of_a_target_that_is_no_column(tmp_path: Path, load: Callable[..., spaces.Dataset]) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(40.0).reshape(20, 2), y=np.arange(20.0))
    data = load({"npz": str(tmp_path / "a.npz")}, loss="mse", test="none")
    low, high, mean = data.train.y.min(), data.train.y.max(), data.train.y.mean()
    assert len(data.understood["targets"]) == 1
    assert data.understood["targets"][0].startswith(f"{low:.6g} to {high:.6g}, mean {mean:.6g}, standard deviation ")
    assert data.understood["parts"] == {"validation": "drawn at random"}
    assert data.understood["prepared"][-1] == (
        "The model is trained on a standardized target, and answers in the target's own unit."
    )


@pytest.mark.parametrize(
    ("options", "validation", "test"),
    [
        ({"validation": {"time": "day"}}, "the latest rows by day, from 2021-0", "the latest rows by day, from 2021-0"),
        ({"validation": {"time": "x"}, "test": "none"}, "the latest rows by x, from ", None),
        ({"validation": {"group": "site"}}, "whole groups of site: ", "whole groups of site: "),
        ({"validation": {"first": 20}}, "the first rows", "drawn at random, of each class in proportion"),
        ({"validation": {"first": 20}, "test": {"first": 9}}, "the first rows after", "the first rows"),
        ({"validation": 0.2, "stratify": False}, "drawn at random", "drawn at random"),
        ({"validation": {"folds": 3}}, None, "drawn at random, of each class in proportion"),
    ],
)
def test_how_each_part_was_drawn(
    tmp_path: Path, load: Callable[..., spaces.Dataset], options: Any, validation: str | None, test: str | None
) -> None:
    path = tmp_path / "a.csv"
    rows = [f"2021-0{1 + i % 9}-1{i % 10},s{i % 7},{i},{i % 2}" for i in range(90)]
    path.write_text("day,site,x,y\n" + "\n".join(rows) + "\n")
    told = load({"csv": str(path)}, **options).understood["parts"]
    for part, words in (("validation", validation), ("test", test)):
        assert told.get(part, "").startswith(words) if words else part not in told


def test_a_moment_that_is_divided_is_told(tmp_path: Path, load: Callable[..., spaces.Dataset]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("week,x,y\n" + "\n".join(f"{i // 20},{i},{i % 2}" for i in range(100)) + "\n")
    told = load({"csv": str(path)}, validation={"time": "week", "size": 0.3}, test="none").understood["parts"]
    assert told["validation"] == "the latest rows by week, from 3 on (other rows of 3 are in the part before)"
    told = load({"csv": str(path)}, validation={"time": "week", "size": 0.4}, test="none").understood["parts"]
    assert told["validation"] == "the latest rows by week, from 3 on"


def test_the_time_that_divides_is_told_as_it_is_written(tmp_path: Path, load: Callable[..., spaces.Dataset]) -> None:
    path = tmp_path / "a.csv"
    seen = ["" if i == 7 else f"2020-01-{1 + i % 9:02d}" for i in range(100)]
    rows = [f"2021-03-{1 + i // 4:02d},{20_240_000 + i},{seen[i]}" for i in range(100)]
    path.write_text("day,code,seen,y\n" + "\n".join(f"{row},{i % 2}" for i, row in enumerate(rows)) + "\n")
    data = load({"csv": str(path)}, validation={"time": "day"}, columns={"day": "drop"}, test="none")
    assert data.understood["parts"]["validation"] == "the latest rows by day, from 2021-03-21 on"
    assert "missing: the median 2020-01-05" in by_name(data)["seen"]["how"]
    data = load({"csv": str(path)}, validation={"time": "code"}, test="none")
    assert data.understood["parts"]["validation"] == "the latest rows by code, from 20240080 on"


def test_the_mean_of_each_target_is_told_and_r2_is_the_mean_over_them(
    tmp_path: Path, load: Callable[..., spaces.Dataset]
) -> None:
    path = tmp_path / "houses.csv"
    lines = [f"{i % 9},{i % 5},{100_000 + 1000 * (i % 17)}" for i in range(100)]
    path.write_text("size,rooms,price\n" + "\n".join(lines) + "\n")
    data = load({"csv": str(path)}, loss="mse", target=["rooms", "price"])
    guess = data.understood["guess"]
    assert guess["values"] == pytest.approx(data.train.y.mean(axis=0, dtype=float).tolist())
    errors = data.validation.y - data.train.y.mean(axis=0, dtype=float)
    explained = 1 - (errors**2).mean(axis=0) / data.validation.y.astype(float).var(axis=0)
    assert guess["scores"]["validation"]["r2"] == pytest.approx(explained.mean())
    assert guess["scores"]["validation"]["mae"] == pytest.approx(np.abs(errors).mean())
