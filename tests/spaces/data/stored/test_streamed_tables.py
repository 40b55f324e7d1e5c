"""Parquet tables whose rows stay on the disk: the same data set as in memory, read a column at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces
from spaces.data.readers import memory
from spaces.data.stored.rows import StoredRows
from spaces.data.tables.kinds import as_words
from spaces.data.tables.loading import TableOptions, load_table
from spaces.data.tables.parquet import ParquetFrame

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
ROWS = 300


@pytest.fixture
def file(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    size = random.normal(50, 10, ROWS)
    town = random.choice(["Bonn", "Köln", "", "Mainz"], ROWS, p=[0.5, 0.3, 0.1, 0.1])
    price = [f"{value:,.2f} €" for value in random.uniform(10, 5000, ROWS)]
    table = pa.table({
        "size": pa.array([None if i % 11 == 0 else v for i, v in enumerate(size)]),
        "town": pa.array(town).dictionary_encode(),
        "price": price,
        "member": [None if i % 7 == 0 else bool(i % 2) for i in range(ROWS)],
        "since": pa.array(18_000 + np.arange(ROWS) * 3, pa.int32()).cast(pa.date32()),
        "note": [f"order {i} came {'late' if i % 3 else 'in time'} on day {i % 5}" for i in range(ROWS)],
        "house": random.integers(0, 40, ROWS),
        "weight": random.uniform(0.5, 2, ROWS),
        "same": ["x"] * ROWS,
        "kind": np.where(size + random.normal(0, 3, ROWS) > 50, "large", "small"),
    })  # fmt: skip
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=70)
    return tmp_path / "t.parquet"


def loaded(
    file: Path, stream: bool | str, folder: Path | None = None, begun: Any = None, **data: Any
) -> spaces.Dataset:
    space = {
        "name": "x", "model": {"family": "mlp", "layers": 1, "units": 4},
        "training": {"epochs": 1, "loss": "mse" if data.get("target") == "size" else "auto"},
        "data": {
            "source": {"parquet": str(file)}, "stream": stream, "target": "kind",
            "columns": {"weight": "weight", "same": "drop"}, **data,
        },
    }  # fmt: skip
    return spaces.load_data(spaces.load(space), begun, folder)


@pytest.mark.parametrize(
    "data",
    [
        {"validation": 0.2, "test": 0.2},
        {"validation": {"group": "house"}, "test": "none"},
        {"validation": {"time": "since"}},
        {"validation": {"folds": 3}, "test": 0.1},
        {"validation": 0.3, "test": "none", "limit": 100},
        {"validation": 0.2, "target": "size", "columns": {"size": "target", "member": "category"}},
    ],
)
def test_the_same_data_set_as_in_memory(file: Path, data: dict[str, Any]) -> None:
    if data.get("target") == "size":
        table = parquet.read_table(file)
        size = pa.array(np.nan_to_num(table.column("size").to_numpy(), nan=1.0))
        parquet.write_table(table.set_column(0, "size", size), file, row_group_size=70)
    plain, streamed = loaded(file, False, **data), loaded(file, True, **data)
    assert isinstance(streamed.train.x, StoredRows)
    assert not isinstance(plain.train.x, StoredRows)
    assert streamed.fingerprint == plain.fingerprint
    assert streamed.info == plain.info
    assert streamed.understood == plain.understood
    assert (streamed.streamed is not None, plain.streamed) == (True, None)
    for name in ("train", "validation", "test"):
        one, other = getattr(plain, name), getattr(streamed, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_array_equal(other.x[:], one.x)
            np.testing.assert_array_equal(other.y, one.y)
            np.testing.assert_array_equal(other.weight, one.weight)


def test_a_run_that_goes_on_finds_its_rows_again(file: Path, tmp_path: Path) -> None:
    first = loaded(file, True, tmp_path / "rows")
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "rows").iterdir()}
    assert len(files) == 2  # the rows and what is said of them: nothing is left of the columns
    again = loaded(file, True, tmp_path / "rows", first.info)
    assert again.fingerprint == first.fingerprint
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "rows").iterdir()} == files
    assert again.streamed is not None
    assert first.streamed is not None
    assert again.streamed.written == first.streamed.written == again.train.x.shape[1] * 4 * ROWS + 128


def test_a_file_that_is_too_large_stays_on_the_disk_and_is_never_read_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "memory_limit", lambda: 10_000)
    read = []
    whole = parquet.ParquetFile.read
    monkeypatch.setattr(
        parquet.ParquetFile,
        "read",
        lambda self, columns=None, **more: read.append(columns) or whole(self, columns=columns),
    )
    assert loaded(file, "auto").streamed is not None
    assert all(columns is not None and len(columns) == 1 for columns in read)
    with pytest.raises(spaces.DataError, match=r"t\.parquet: holds .* GiB of data, half of the memory"):
        loaded(file, False)


def test_rows_that_are_trained_on_and_predicted_are_those_of_the_file(file: Path) -> None:
    from spaces.data.tables.rows import encoded_rows

    data = loaded(file, True, validation={"first": 60}, test="none", split="chronological")
    together = np.concatenate([data.train.x[:], data.validation.x[:]])
    served = encoded_rows(file, data.info.encodings)
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, served.tolist()))


def test_names_and_values_that_are_no_table_are_told(tmp_path: Path) -> None:
    from spaces.data.stored.store import RowStore

    path = tmp_path / "t.parquet"
    cases = {
        r"t\.parquet: holds no rows": pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.int64())}),
        r"the name 'a' stands above 2 columns \(1, 3\)": pa.Table.from_arrays(
            [pa.array([1])] * 3, names=["a", "b", "a"]
        ),
        r"column 'a' holds values of type struct": pa.table({"a": [{"b": 1}], "y": [1]}),
        r"column 'a' holds values of type list": pa.table({"a": [[1]], "y": [1]}),
    }
    for message, table in cases.items():
        parquet.write_table(table, path)
        for store in (None, RowStore(True)):
            with pytest.raises(spaces.DataError, match=message):
                load_table(path, TableOptions(), store=store)


def test_whole_numbers_that_are_names_keep_all_their_digits(tmp_path: Path) -> None:
    names = pa.array(2**60 + np.arange(3))
    parquet.write_table(pa.table({"id": names, "size": [1, None, 3], "rooms": [1, 2, 3]}), tmp_path / "t.parquet")
    frame = ParquetFrame(tmp_path / "t.parquet")
    assert as_words(frame["id"]).tolist() == [str(2**60 + number) for number in range(3)]
    assert {frame[name].dtype for name in ("size", "rooms")} == {np.dtype("float64")}


def test_a_name_with_a_dot_is_a_name(tmp_path: Path) -> None:
    from spaces.data.stored.store import RowStore

    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": [1.0, 2.0, 4.0], "a.b": [5.0, 6.0, 8.0], "y": ["u", "v", "u"]}), path)
    raw = load_table(path, TableOptions(), store=RowStore(True))
    assert [column[:].tolist() for column in raw.table.stored] == [[1, 2, 4], [5, 6, 8]]


def test_the_columns_count_for_the_room_on_the_disk_too(file: Path) -> None:
    space = {
        "name": "x", "model": {"family": "mlp", "layers": 1, "units": 4}, "training": {"epochs": 1},
        "data": {"source": {"parquet": str(file)}, "stream": True}, "limits": {"disk": 9 * ROWS * 8},
    }  # fmt: skip
    with pytest.raises(spaces.DataError, match=r"t\.parquet: its rows take .* MB on the disk, more than limits\.disk"):
        spaces.load_data(spaces.load(space))


def test_a_long_word_in_many_rows_is_in_memory_once(tmp_path: Path) -> None:
    """An 8 kB file of one word may stand for more than the memory."""
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(3000, np.int32)), ["x" * 100_000])
    parquet.write_table(pa.table({"t": words}), tmp_path / "t.parquet", row_group_size=1000)
    pool = pa.default_memory_pool()
    before = pool.max_memory()
    read = ParquetFrame(tmp_path / "t.parquet")["t"]
    assert pool.max_memory() <= max(before, 50_000_000)
    assert (len(read), len(read.cat.categories)) == (3000, 1)


@pytest.mark.parametrize("row_group_size", [2, 100])
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_words_are_read_in_the_order_in_which_they_appear(
    tmp_path: Path, row_group_size: int, use_dictionary: bool
) -> None:
    text = ["b", "a", None, "b", "", "c"]
    table = pa.table({"t": text, "named": pa.array(text).dictionary_encode()})
    path = tmp_path / "t.parquet"
    parquet.write_table(table, path, row_group_size=row_group_size, use_dictionary=use_dictionary)
    for column in (ParquetFrame(path)["t"], ParquetFrame(path)["named"]):
        assert list(column) == ["b", "a", "", "b", "", "c"]
        assert list(column.cat.categories) == ["b", "a", "", "c"]
