"""DataFrames from Python: tables with all that a file may hold, and the parts in which `fit` has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import spaces
from spaces import DataError
from spaces.data.inputs import held_rows, read_rows
from spaces.data.load import load_data
from spaces.data.readers.objects import as_array
from spaces.data.tables.frames import cells_of
from spaces.specs.objects import with_references

ROWS = 60


@pytest.fixture
def frame() -> pd.DataFrame:
    """A column of each kind that pandas knows, gaps, and the target at the end."""
    rng = np.random.default_rng(0)
    made = pd.DataFrame(
        {
            "city": pd.Categorical(rng.choice(["Rome", "Oslo", "Paris"], ROWS)),
            "size": rng.normal(size=ROWS),
            "rooms": pd.array(rng.integers(1, 5, ROWS).tolist(), dtype="Int64"),
            "built": pd.date_range("2020-01-01", periods=ROWS, tz="Europe/Rome"),
            "ok": rng.random(ROWS) > 0.5,
            "id": [f"row {i}" for i in range(ROWS)],
            "sold": rng.choice(["yes", "no"], ROWS),
        }
    )
    made.loc[3, "rooms"] = pd.NA
    made.loc[5, "city"] = np.nan
    return made


def load(data: Any, family: Any = "mlp", **changes: Any) -> Any:
    space = {
        "name": "frames",
        "data": data,
        "model": {"family": family} | ({"layers": 1, "units": 8} if family == "mlp" else {}),
        "training": {"epochs": 2},
        "search": {"algorithm": "random", "max_trials": 2},
        **changes,
    }
    return load_data(spaces.load(with_references(space)))


def kinds(data: Any) -> dict[str, str]:
    return {c["name"]: c["kind"] for c in data.understood["columns"] if c["role"] == "input"}


def test_what_is_dropped_may_group_the_rows_or_be_their_time(frame):
    frame = frame.assign(owner=[f"owner {i // 4}" for i in range(ROWS)])
    for rules in (
        {"columns": {"id": "drop", "owner": "drop"}, "validation": {"group": "owner"}},
        {"columns": {"id": "drop", "built": "drop", "owner": "drop"}, "validation": {"time": "built"}},
    ):
        held = load({"source": frame, "target": "sold", **rules})
        assert {"owner", *(["built"] if "time" in rules["validation"] else [])}.isdisjoint(kinds(held))
        assert len(held.validation) > 0


def test_every_kind_of_column_is_what_it_is_in_a_file(frame, tmp_path):
    held = load({"source": frame, "columns": {"id": "drop"}})
    assert kinds(held) == {"city": "category", "size": "number", "rooms": "number", "built": "date", "ok": "boolean"}
    assert held.info.class_names == ("no", "yes")
    assert held.understood["columns"][0]["missing"] == 1
    plain = frame.assign(built=frame["built"].dt.tz_convert("UTC").dt.tz_localize(None))
    plain.to_csv(tmp_path / "rows.csv", index=False)
    read = load({"source": {"csv": str(tmp_path / "rows.csv")}, "columns": {"id": "drop"}})
    np.testing.assert_allclose(held.train.x, read.train.x, rtol=1e-6)
    assert held.info.columns == read.info.columns


def test_rules_about_columns_hold_for_frames(frame):
    rules = {"target": "city", "columns": {"id": "drop", "sold": "category"}, "validation": {"time": "built"}}
    held = load({"source": frame.dropna(), **rules})
    assert held.info.class_names == ("Oslo", "Paris", "Rome")
    assert "city" not in kinds(held)
    assert load(lambda: frame).info.class_names == ("no", "yes")


def test_rows_and_labels_apart_in_the_parts_of_fit(frame):
    x, y = frame.drop(columns=["sold", "id"]), frame["sold"]
    held = load(((x[:40], y[:40]), (x[40:], y[40:])))
    # A fifth of the training rows is the test part.
    assert (len(held.train), len(held.validation), len(held.test)) == (32, 20, 8)
    assert held.understood["columns"][-1]["name"] == "sold"
    assert held.info.class_names == ("no", "yes")
    named = load({"x_train": x, "y_train": y.to_numpy(), "x_test": x[:20], "y_test": y[:20].tolist()})
    assert len(named.test) == 20


def test_a_frame_is_in_memory_whatever_the_space_asks_for(frame):
    with pytest.raises(DataError, match=r"data\.stream: true has no effect: data \(training part\) is a DataFrame"):
        load({"source": frame, "stream": True})


def test_labels_may_be_words_in_a_frame_of_one_column(frame):
    held = load((frame.drop(columns=["sold", "id"]), frame[["sold"]]))
    assert held.info.class_names == ("no", "yes")
    assert held.understood["columns"][-1]["name"] == "sold"
    assert load((np.ones((ROWS, 2)), frame[["sold"]])).info.class_names == ("no", "yes")


def test_frames_of_numbers_keep_their_names_in_a_family_and_are_arrays_in_a_function(frame):
    numbers = pd.DataFrame({"b": [1.0, 2.0, 4.0] * 8, "a": [5, 6, 7] * 8, "label": [0, 1] * 12})
    assert load(numbers).info.columns == ("b", "a")

    def build(hp: Any) -> None:
        raise AssertionError

    assert load(numbers, {"python": build}).info.columns == ()
    with_a_gap = numbers.assign(b=[np.nan, *numbers["b"][1:]])
    assert load(with_a_gap, {"python": build}).info.columns == ("b", "a")
    assert load({"source": numbers, "target": "a"}, {"python": build}).info.columns == ("b", "label")


def test_a_column_without_a_cell_in_one_part_is_missing_there(frame):
    rows, y = frame[["city", "ok", "built", "size"]], frame["sold"]
    held = load(((rows, y), (rows[:9].assign(city=np.nan, ok=np.nan, built=np.nan), y[:9])))
    assert kinds(held) == {"city": "category", "ok": "boolean", "built": "date", "size": "number"}
    encodings = {encoding.name: encoding for encoding in held.info.table}
    assert encodings["city"].values == ("Oslo", "Paris", "Rome")
    assert len(held.validation) == 9


def test_what_pandas_calls_categories_is_no_number(frame):
    zones = [1, 2, 3] * (ROWS // 3)
    words = pd.Categorical([str(zone) if zone < 3 else "3 or more" for zone in zones])
    frame = frame.assign(zone=pd.Categorical(zones), rooms_too=words)
    held = load({"source": frame, "target": "sold"})
    assert [kinds(held)[name] for name in ("zone", "rooms_too", "rooms")] == ["category", "category", "number"]
    (encoding,) = (one for one in held.info.encodings if one.name == "zone")
    assert encoding.values == ("1", "2", "3")
    plain = frame.assign(zone=zones)
    np.testing.assert_array_equal(held_rows(plain, held.info, "rows"), held_rows(frame, held.info, "rows"))
    assert kinds(load({"source": frame, "target": "sold", "columns": {"zone": "number"}}))["zone"] == "number"
    assert load({"source": frame, "target": "zone"}).info.class_names == ("1", "2", "3")


@pytest.mark.parametrize("kind", ["int64", "uint64", "Int64"])
def test_whole_numbers_that_are_names_keep_all_their_digits(frame, kind):
    names = pd.array(2**60 + np.arange(ROWS) % 3, dtype=kind)
    for held in (names, pd.Categorical(names)):
        frame["id"] = held
        data = load({"source": frame, "target": "sold", "columns": {"id": "category"}})
        (encoding,) = (one for one in data.info.encodings if one.name == "id")
        assert encoding.values == tuple(str(2**60 + number) for number in range(3))


def test_moments_with_a_gap_may_be_words(frame):
    frame.loc[7, "built"] = pd.NaT
    held = load({"source": frame, "columns": {"built": "category"}})
    assert kinds(held)["built"] == "category"
    with pytest.raises(DataError, match="'built' says which rows belong together, but names no group in 1 of them"):
        load({"source": frame, "validation": {"group": "built"}})


def test_a_frame_of_numbers_that_is_an_array_is_known_by_its_columns(tmp_path):
    def build(hp: Any) -> None:
        raise AssertionError

    x = pd.DataFrame({"b": [1.0, 2.0, 4.0] * 8, "a": [5.0, 6.0, 7.0] * 8})
    y, other = [0, 1] * 12, x[["a", "b"]]
    info = load((x, y), {"python": build}).info
    assert info.frame_columns == ("b", "a")
    assert spaces.DataInfo.from_json(info.to_json()) == info
    new = x.assign(label=y)[["a", "label", "b"]]
    new.to_csv(tmp_path / "new.csv", index=False)
    pd.DataFrame(x.to_numpy(), columns=["p", "q"]).to_csv(tmp_path / "unnamed.csv", index=False)
    for rows in (held_rows(new, info, "rows"), held_rows(pd.DataFrame(x.to_numpy()), info, "rows")):
        np.testing.assert_array_equal(rows, x)
    for file in ("new.csv", "unnamed.csv"):
        np.testing.assert_array_equal(read_rows(tmp_path / file, info), x)
    with pytest.raises(DataError, match="rows: has no column 'b', which the model needs"):
        held_rows(new[["a", "label"]], info, "rows")
    with pytest.raises(DataError, match=r"validation part\): its columns are not those of the training part"):
        load(((x, y), (other, y)), {"python": build})
    assert load(((x, y), (pd.DataFrame(x.to_numpy()), y)), {"python": build}).info.frame_columns == ("b", "a")
    assert load((x.to_numpy(), y), {"python": build}).info.frame_columns == ()


def test_columns_that_pandas_has_counted_are_those_of_a_model_trained_on_numbered_ones(tmp_path):
    def build(hp: Any) -> None:
        raise AssertionError

    x, y = pd.DataFrame({1: [1.0, 2.0, 4.0] * 8, 2: [5.0, 6.0, 7.0] * 8}), [0, 1] * 12
    counted = pd.DataFrame(x.to_numpy())
    info = load(((x, y), (counted, y)), {"python": build}).info
    assert info.frame_columns == ("1", "2")
    counted.to_csv(tmp_path / "new.csv", index=False, header=False)
    np.testing.assert_array_equal(read_rows(tmp_path / "new.csv", info), x)
    np.testing.assert_array_equal(held_rows(counted, info, "rows"), x)
    np.testing.assert_array_equal(held_rows(x[[2, 1]], info, "rows"), x)
    # With the column that was left out there are more of them, which are found by their numbers.
    np.testing.assert_array_equal(held_rows(x.assign(**{"0": 9.0})[["0", 1, 2]], info, "rows"), x)
    with pytest.raises(DataError, match=r"validation part\): its columns are not those of the training part"):
        load(((counted[[1, 0]], y), (counted, y)), {"python": build})


def test_numbers_of_pandas_types_that_know_gaps_are_arrays():
    frame = pd.DataFrame({"a": [5, 6, 7], "b": [1, 2, 4]}, dtype="Int64")
    found = as_array(frame, "x", "data")
    assert (found.dtype, found.tolist()) == (np.int64, [[5, 1], [6, 2], [7, 4]])
    frame.loc[1, "b"] = pd.NA
    assert np.isnan(as_array(frame, "x", "data")).tolist() == [[False, False], [False, True], [False, False]]
    assert as_array(frame.astype("boolean")[:1], "x", "data").tolist() == [[True, True]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f, f["sold"][:9]), "data (training part): 60 rows but 9 labels"),
        (lambda f: {"source": f, "target": "pricee"}, "data: has no column 'pricee'"),
        (lambda f: f.assign(city=[[1]] * ROWS), "column 'city' holds values of type list, which is not read"),
        (lambda f: f.assign(size=pd.to_timedelta(1, "D")), "column 'size' holds values of type timedelta64"),
        (lambda f: {"source": (f, f["sold"]), "target": "city"}, "data.target names a column, but labels are given"),
        (lambda f: ((f, f["sold"]), (f.drop(columns="city"), f["sold"])), "its columns are not those of the training"),
        (lambda f: f[:0], "data: holds no rows"),
        (lambda f: pd.concat([f, f["city"]], axis=1), "the name 'city' stands above 2 columns"),
        (
            lambda f: {"source": (np.zeros((9, 2)), np.zeros(9)), "columns": {"a": "drop"}},
            "holds arrays, which have no",
        ),
    ],
)
def test_what_no_table_holds_is_refused_by_name(frame, change, message):
    with pytest.raises(DataError) as found:
        load(change(frame))
    assert message in str(found.value)


def test_what_no_table_holds_may_be_dropped(frame):
    odd = frame.assign(city=[[1]] * ROWS)
    held = load({"source": odd, "columns": {"city": "drop"}})
    assert "city" not in kinds(held)
    np.testing.assert_array_equal(held_rows(odd, held.info, "rows"), held_rows(frame, held.info, "rows"))


def test_a_run_that_began_with_arrays_goes_on_with_arrays():
    numbers = pd.DataFrame({"a": [5.0, 6.0, 7.0] * 8, "label": [0, 1] * 12})
    space = {
        "name": "frames",
        "data": numbers,
        "model": {"family": "mlp", "layers": 1, "units": 8},
        "training": {"epochs": 2},
        "search": {"algorithm": "random", "max_trials": 2},
    }
    spec = spaces.load(with_references(space))
    begun = load((numbers[["a"]].to_numpy(), numbers["label"].to_numpy())).info
    assert begun.columns == ()
    assert load_data(spec, begun).info == begun


def test_objects_are_read_as_what_they_hold():
    cells = cells_of(
        pd.DataFrame(
            {
                "mixed": np.array([1, None, 2.5], dtype=object),
                "flags": np.array([True, False, None], dtype=object),
                "quarter": pd.period_range("2020Q1", periods=3, freq="Q"),
                7: ["a", "", None],
            }
        ),
        "data",
        ("mixed", "flags", "quarter", "7"),
    )
    assert cells.names == ("mixed", "flags", "quarter", "7")
    np.testing.assert_array_equal(cells.frame["mixed"], [1, np.nan, 2.5])
    assert cells.frame["flags"].tolist() == ["True", "False", ""]
    assert cells.frame["quarter"].dtype.kind == "M"
    assert cells.frame["7"].tolist() == ["a", "", ""]
    assert cells.place(2) == "row 2"
