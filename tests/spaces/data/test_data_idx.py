import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from spaces.basics.errors import DataError
from spaces.data.readers.idx import load_idx, read_idx


def idx_bytes(values: np.ndarray, code: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, code, values.ndim, *values.shape) + values.tobytes()


IMAGES = np.arange(4 * 3 * 2, dtype=np.uint8).reshape(4, 3, 2)
LABELS = np.array([0, 1, 0, 1], np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(IMAGES))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(LABELS), mtime=0))
    (tmp_path / "t10k-images.idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(IMAGES[:2]), mtime=0))
    (tmp_path / "t10k-labels.idx1-ubyte").write_bytes(idx_bytes(LABELS[:2]))
    return tmp_path


def test_folder_of_four_files_plain_or_zipped(folder: Path) -> None:
    raw = load_idx(folder)
    np.testing.assert_array_equal(raw.train.x, IMAGES)
    np.testing.assert_array_equal(raw.train.y, LABELS)
    assert raw.test is not None
    np.testing.assert_array_equal(raw.test.x, IMAGES[:2])


def test_one_images_file_finds_its_labels(folder: Path) -> None:
    raw = load_idx(folder / "train-images-idx3-ubyte")
    np.testing.assert_array_equal(raw.train.y, LABELS)
    assert raw.test is None


@pytest.mark.parametrize(("code", "dtype"), [(0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_every_value_type_is_read_in_native_order(tmp_path: Path, code: int, dtype: str) -> None:
    values = np.array([[-3, 2], [100, -128]], dtype)
    path = tmp_path / "values"
    path.write_bytes(idx_bytes(values, code))
    read = read_idx(path)
    np.testing.assert_array_equal(read, values)
    assert read.dtype.isnative


GOOD = idx_bytes(IMAGES)
ZIPPED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD[:-1], "torn or damaged"),
        (GOOD + b"\0", "longer"),
        (GOOD[:9], "ends inside its header"),
        (b"", "no IDX file"),
        (b"\x89PNG\r\n", "no IDX file"),
        (ZIPPED[:-12], "torn or damaged"),
        (ZIPPED[:20] + b"\xff\xff" + ZIPPED[22:], "damaged"),
        (ZIPPED[:-8] + b"\0\0\0\0" + ZIPPED[-4:], "damaged gzip"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**31, 2**10), "of the memory"),
    ],
)
def test_damaged_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_missing_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_idx(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no train-images"):
        load_idx(tmp_path / "empty")
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"labels file train-labels-idx1-ubyte.* is missing"):
        load_idx(folder)
