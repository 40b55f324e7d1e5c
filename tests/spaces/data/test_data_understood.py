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
