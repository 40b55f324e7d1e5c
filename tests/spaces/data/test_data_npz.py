import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spaces.basics.errors import DataError
from spaces.data.readers import memory
from spaces.data.readers.npz import load_npz

X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = np.array([0, 1, 0, 1, 0, 1])


def header(text: str) -> bytes:
    padded = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded


def write_members(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_x_and_y(save_npz: Callable[..., Path]) -> None:
    raw = load_npz(save_npz(x=X, y=Y))
    np.testing.assert_array_equal(raw.train.x, X)
    np.testing.assert_array_equal(raw.train.y, Y)
    assert raw.test is None


def test_train_and_test(save_npz: Callable[..., Path]) -> None:
    raw = load_npz(save_npz(x_train=np.asfortranarray(X), y_train=Y, x_test=X[:2], y_test=Y[:2]))
    np.testing.assert_array_equal(raw.train.x, X)
    assert raw.test is not None
    np.testing.assert_array_equal(raw.test.x, X[:2])


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("X_train", "Y_train", "X_valid", "Y_valid", "X_test", "Y_test"),
        ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
        ("trainX", "trainY", "devX", "devY", "testX", "testY"),
        ("trainX", "trainy", "valX", "valy", "testX", "testy"),
        ("xtrain", "ytrain", "xdev", "ydev", "xtest", "ytest"),
        ("x_train", "y_train", "x_eval", "y_eval", "x_holdout", "y_holdout"),
        ("xTrain", "yTrain", "xCV", "yCV", "xTest", "yTest"),
    ],
)
def test_all_parts_in_any_usual_spelling(save_npz: Callable[..., Path], names: tuple[str, ...]) -> None:
    arrays = (X, Y, X[:3], Y[:3], X[:2], Y[:2])
    raw = load_npz(save_npz(**dict(zip(names, arrays, strict=True))))
    for part, count in ((raw.train, 6), (raw.validation, 3), (raw.test, 2)):
        assert part is not None
        np.testing.assert_array_equal(part.x, X[:count])
        np.testing.assert_array_equal(part.y, Y[:count])


def test_arrays_that_mean_nothing_are_named(save_npz: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    load_npz(save_npz(x=X, y=Y, mean=X[0], classes=np.array(["no", "yes"])))
    assert "not used: classes, mean" in caplog.text


def test_two_names_for_one_array_are_refused(save_npz: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="'train_images' and 'x_train' are two names for the same array"):
        load_npz(save_npz(train_images=X, x_train=X, y_train=Y))


def test_pickled_objects_are_refused_unread(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "executed",))

    path = tmp_path / "rows.npz"
    np.savez(path, x=np.array([Trap(), Trap()], object), y=Y[:2])
    with pytest.raises(DataError, match="Python objects"):
        load_npz(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "array 'y' is missing"),
        ({"pictures": X, "kinds": Y}, "array 'x' is missing.*found kinds, pictures"),
        ({"x_train": X, "y_train": Y, "x_test": X}, "'x_test' comes alone"),
    ],
)
def test_missing_arrays_are_named(save_npz: Callable[..., Path], arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_npz(save_npz(**arrays))


def test_bomb_is_refused_before_it_is_unpacked(save_npz: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_npz(x=np.zeros((1000, 1000)), y=np.zeros(1000))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(memory, "memory_limit", lambda: 1_000_000)
    with pytest.raises(DataError, match="of the memory"):
        load_npz(path)


def test_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    lie = header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }") + b"\0" * 64
    with pytest.raises(DataError, match="needs 8000000000000 bytes"):
        load_npz(write_members(tmp_path / "lie.npz", x=lie, y=npy(Y)))


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY\x01", header("{'descr': print, }"), header("{'descr': ("), b"\x93NUMPY\x09\x00abcd"]
)
def test_damaged_array_is_named(tmp_path: Path, content: bytes) -> None:
    path = write_members(tmp_path / "torn.npz", x=content, y=npy(Y))
    with pytest.raises(DataError, match=r"torn.npz \(x\): damaged"):
        load_npz(path)


def test_damaged_archive_is_named(save_npz: Callable[..., Path], tmp_path: Path) -> None:
    path = save_npz(x=np.random.default_rng(0).random((50, 4)), y=np.zeros(50))
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"rows.npz"):
        load_npz(path)
    path.write_bytes(content[:-40])
    with pytest.raises(DataError, match=r"no .npz file"):
        load_npz(path)
    with pytest.raises(DataError, match="No such file"):
        load_npz(tmp_path / "absent.npz")
