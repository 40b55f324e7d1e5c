"""Data whose rows stay on the disk are the same data: the same parts, statistics and fingerprint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import spaces
from spaces.basics.errors import DataError, SpaceError
from spaces.data.readers import memory
from spaces.data.stored import StoredRows

Load = Callable[..., spaces.Dataset]
GENERATOR = np.random.default_rng(0)
Y = np.arange(60) % 3
PICTURES = GENERATOR.integers(0, 255, (60, 9, 8, 3), dtype=np.uint8)
COLUMNS = GENERATOR.normal(50, 20, (60, 7))


def parts(data: spaces.Dataset) -> list[Any]:
    return [part for part in (data.train, data.validation, data.test) if part is not None]


def assert_same(one: spaces.Dataset, other: spaces.Dataset) -> None:
    assert all(isinstance(part.x, StoredRows) for part in parts(one))
    assert not any(isinstance(part.x, StoredRows) for part in parts(other))
    assert one.info == other.info
    assert one.fingerprint == other.fingerprint
    for streamed, whole in zip(parts(one), parts(other), strict=True):
        assert streamed.x.dtype == whole.x.dtype
        np.testing.assert_array_equal(streamed.x[:], whole.x)
        np.testing.assert_array_equal(streamed.y, whole.y)


def assert_same_however(load: Load, source: Any, written: bool, **more: Any) -> None:
    streamed, whole = load(source, stream=True, **more), load(source, stream=False, **more)
    assert_same(streamed, whole)
    assert streamed.streamed is not None
    assert bool(streamed.streamed.written) == written
    assert whole.streamed is None


@pytest.mark.parametrize(
    "x",
    [PICTURES, PICTURES.astype(np.int64), COLUMNS, COLUMNS.astype(">f4"), COLUMNS.astype(np.int16), PICTURES > 99],
    ids=["uint8", "whole numbers", "float64", "big endian", "int16", "booleans"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "compressed"])
def test_arrays_of_a_file(load: Load, tmp_path: Path, x: np.ndarray, packed: bool) -> None:
    (np.savez_compressed if packed else np.savez)(tmp_path / "rows.npz", x=x, y=Y)
    assert_same_however(load, {"npz": str(tmp_path / "rows.npz")}, packed)


def test_a_folder_of_arrays(load: Load, tmp_path: Path) -> None:
    for name, rows in (("x_train", COLUMNS), ("x_test", COLUMNS[:9])):
        np.save(tmp_path / f"{name}.npy", rows)
        np.save(tmp_path / f"{name.replace('x', 'y')}.npy", Y[: len(rows)])
    assert_same_however(load, {"npz": str(tmp_path)}, False)


def test_a_data_set_by_name(load: Load) -> None:
    assert_same_however(load, "digits", True, limit=200)


def test_a_part_of_each_type(load: Load, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x_train=COLUMNS, y_train=Y, x_test=COLUMNS[:9].astype(np.float32), y_test=Y[:9])
    assert_same_however(load, {"npz": str(tmp_path / "rows.npz")}, True)


def test_mapped_arrays_of_a_function(load: Load, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", COLUMNS)
    code = f"import numpy as np\ndef rows():\n    return np.load({str(tmp_path / 'x.npy')!r}, 'r'), np.arange(60) % 3\n"
    (tmp_path / "mine.py").write_text(code)
    assert_same_however(load, {"python": f"{tmp_path / 'mine.py'}:rows"}, False)


def of_function(folder: Path, body: str, stream: Any) -> spaces.Dataset:
    """What a function of the user's returns, with a folder for its rows."""
    (folder / "mine.py").write_text(f"import numpy as np\ndef rows():\n    {body}\n")
    space = {
        "name": "mine",
        "data": {"source": {"python": f"{folder / 'mine.py'}:rows"}, "stream": stream},
        "model": {"family": "mlp", "layers": 0},
        "training": {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 8, "epochs": 1},
    }
    return spaces.load_data(spaces.load(space), None, folder / "rows")


@pytest.mark.parametrize(
    "opened",
    ["np.load(f, 'c')", "np.load(f, 'r')[::1, ::-1]", "__import__('h5py').File(f + '.h5')['x']"],
    ids=["private", "reversed", "h5py"],
)
def test_parts_that_are_copied_to_the_disk_stay_apart(tmp_path: Path, opened: str) -> None:
    h5py = pytest.importorskip("h5py")
    for name, x in (("train", COLUMNS), ("test", COLUMNS[::-1])):
        np.save(tmp_path / f"{name}.npy", x)
        with h5py.File(tmp_path / f"{name}.npy.h5", "w") as file:
            file["x"] = x
    files = [str(tmp_path / f"{name}.npy") for name in ("train", "test")]
    body = f"return tuple(({opened}, np.arange(60) % 3) for f in {files!r})"
    streamed = of_function(tmp_path, body, True)
    assert_same(streamed, of_function(tmp_path, body, False))
    assert len(list((tmp_path / "rows").glob("*.npy"))) == 2


def test_parts_of_several_types_are_written_in_one(tmp_path: Path) -> None:
    body = (
        "x = np.arange(420, dtype=np.int32).reshape(60, 7); "
        "return (x, np.arange(60) % 3), ((x[:30] / 7).astype(np.float32), np.arange(30) % 3)"
    )
    assert_same(of_function(tmp_path, body, True), of_function(tmp_path, body, False))
    assert len(list((tmp_path / "rows").glob("*.npy"))) == 2


@pytest.mark.parametrize(("kind", "stays"), [("i1", True), ("u2", True), ("f2", True), ("u1", False), ("?", False)])
@pytest.mark.parametrize("source", ["npz", "folder", "function"])
def test_what_counts_is_what_rows_take_in_memory(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, stays: bool, source: str
) -> None:
    rows = (np.arange(420).reshape(60, 7) % 2).astype(kind)
    (tmp_path / "folder").mkdir()
    np.savez(tmp_path / "rows.npz", x=rows, y=Y)
    for name, array in (("x", rows), ("y", Y)):
        np.save(tmp_path / "folder" / f"{name}.npy", array)
    (tmp_path / "mine.py").write_text(
        "import numpy as np\n"
        f"def rows():\n    return np.load({str(tmp_path / 'folder' / 'x.npy')!r}, 'r'), np.arange(60) % 3\n"
    )
    given = {
        "npz": {"npz": str(tmp_path / "rows.npz")},
        "folder": {"npz": str(tmp_path / "folder")},
        "function": {"python": f"{tmp_path / 'mine.py'}:rows"},
    }
    # Half of it is more than the files hold, and less than the rows as float32.
    monkeypatch.setattr(memory, "memory_limit", lambda: 2200)
    assert (load(given[source]).streamed is not None) is stays


def test_what_is_wrong_is_found_on_the_disk_too(load: Load, tmp_path: Path) -> None:
    broken = COLUMNS.copy()
    broken[41, 3] = np.nan
    np.savez(tmp_path / "rows.npz", x=broken, y=Y)
    with pytest.raises(DataError, match="row 41 holds NaN"):
        load({"npz": str(tmp_path / "rows.npz")}, stream=True)


def test_a_damaged_archive_is_refused_before_its_rows_are_used(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez(path, x=COLUMNS, y=Y)
    content = bytearray(path.read_bytes())
    content[1000] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"rows.npz \(x\): damaged"):
        load({"npz": str(path)}, stream=True)


def test_rows_that_do_not_lie_together_are_refused_on_the_disk(load: Load, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=np.asfortranarray(COLUMNS), y=Y)
    assert load({"npz": str(tmp_path / "rows.npz")}).rows["train"] == 36
    with pytest.raises(DataError, match="Fortran order"):
        load({"npz": str(tmp_path / "rows.npz")}, stream=True)


def test_many_for_the_memory_stay_on_the_disk_by_themselves(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "rows.npz", x=COLUMNS, y=Y)
    source = {"npz": str(tmp_path / "rows.npz")}
    assert load(source).streamed is None
    monkeypatch.setattr(memory, "memory_limit", lambda: 3 * COLUMNS.nbytes // 2)
    assert_same(load(source), load(source, stream=False))
    monkeypatch.setattr(memory, "memory_limit", lambda: COLUMNS.nbytes // 2)
    with pytest.raises(DataError, match="half of the memory"):
        load(source, stream=False)


@pytest.mark.parametrize("value", ["yes", 1, "true"])
def test_other_words_are_refused(load: Load, value: Any) -> None:
    with pytest.raises(SpaceError, match=r"stream: found .*; allowed: auto, true or false"):
        load("digits", stream=value)


def test_a_table_is_read_as_a_whole(load: Load, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(SpaceError, match="stream: has no effect: a csv table is read as a whole"):
        load({"csv": str(tmp_path / "rows.csv")}, stream=True)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures in two classes, some larger than others."""
    for number in range(12):
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        size = (9, 7) if number % 3 else (20, 30)
        Image.fromarray(GENERATOR.integers(0, 255, (*size, 3), dtype=np.uint8)).save(file)
    return tmp_path / "photos"


def test_pictures_of_a_folder(load: Load, photos: Path) -> None:
    assert_same_however(load, {"folder": str(photos)}, True, image_size=6)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", None], ids=["empty", "no image", "torn"])
def test_broken_pictures_are_named_or_left_out(load: Load, photos: Path, content: bytes | None) -> None:
    for name in ("a/4.png", "b/7.png"):
        file = photos / name
        file.write_bytes(file.read_bytes()[:90] if content is None else content)
    source = {"folder": str(photos)}
    with pytest.raises(DataError, match=r"2 of 12 files are no readable images: a/4.png.*; b/7.png"):
        load(source, stream=True, image_size=6)
    assert_same_however(load, source, True, image_size=6, broken="skip")


def test_pictures_are_decoded_once(load: Load, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spaces.data.readers import folder as reader

    (photos / "a" / "4.png").write_bytes(b"")
    calls = []
    decode_all = reader.decode_all
    monkeypatch.setattr(
        reader, "decode_all", lambda files, *rest, **more: calls.append(len(files)) or decode_all(files, *rest, **more)
    )
    space = {
        "name": "photos",
        "data": {"source": {"folder": str(photos)}, "image_size": 6, "stream": True, "broken": "skip"},
        "model": {"family": "mlp", "layers": 0},
        "training": {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 8, "epochs": 1},
    }
    first, again = (spaces.load_data(spaces.load(space), None, tmp_path / "rows") for _ in range(2))
    assert calls == [11]
    assert first.fingerprint == again.fingerprint
    assert sum(again.rows.values()) == 11
    shutil.copy(photos / "a" / "2.png", photos / "a" / "99.png")
    assert sum(spaces.load_data(spaces.load(space), None, tmp_path / "rows").rows.values()) == 12
    assert calls == [11, 12]
