"""Rows on the disk answer what the same array in memory answers."""

import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spaces.basics.errors import DataError, RowsNotWritten
from spaces.data.stored import StoredRows, mapped, rows, store
from spaces.data.stored.store import RowStore

GENERATOR = np.random.default_rng(0)
SMALL = GENERATOR.integers(0, 255, (3000, 5, 3), dtype=np.uint8)
LARGE = GENERATOR.normal(size=(40, 1100)).astype(np.float64)


def kept(array: np.ndarray, folder: Path | None = None) -> StoredRows:
    return RowStore(True, folder).whole(array, "rows")


@pytest.mark.parametrize("array", [SMALL, LARGE], ids=["many small rows", "few large rows"])
@pytest.mark.parametrize("named", [True, False], ids=["in a folder", "without a name"])
def test_any_rows_in_any_order(array: np.ndarray, named: bool, tmp_path: Path) -> None:
    stored = kept(array, tmp_path / "rows" if named else None)
    assert (stored.shape, stored.dtype, stored.nbytes, len(stored)) == (
        array.shape, array.dtype, array.nbytes, len(array),
    )  # fmt: skip
    shuffled = GENERATOR.permutation(len(array))
    for rows_ in (
        slice(None),
        slice(3, 9),
        slice(-2, None),
        shuffled,
        shuffled[:7],
        np.array([4, 4, -1]),
        shuffled > 20,
    ):
        np.testing.assert_array_equal(stored[rows_], array[rows_])
        np.testing.assert_array_equal(stored.taken(rows_)[1:3], array[rows_][1:3])
    np.testing.assert_array_equal(stored[2], array[2])


def test_windows_of_a_file_give_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_WINDOW", 15 * 100)
    shuffled = GENERATOR.permutation(len(SMALL))
    np.testing.assert_array_equal(kept(SMALL)[shuffled], SMALL[shuffled])


def test_what_waits_for_the_disk_is_read_by_several_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_WAITING", 0.0)
    for array in (SMALL, LARGE):
        shuffled = GENERATOR.permutation(len(array))
        np.testing.assert_array_equal(kept(array)[shuffled], array[shuffled])


def test_parts_of_two_files_are_put_together_unread(tmp_path: Path) -> None:
    one, other = kept(SMALL[:2000], tmp_path / "one"), kept(SMALL[2000:], tmp_path / "other")
    both, expected = one.taken(slice(10, 1990)).joined(other), np.concatenate([SMALL[10:1990], SMALL[2000:]])
    shuffled = GENERATOR.permutation(len(expected))
    np.testing.assert_array_equal(both[shuffled], expected[shuffled])
    np.testing.assert_array_equal(both[1970:1990], expected[1970:1990])


def test_rows_are_converted_as_they_are_read() -> None:
    found = kept(LARGE).converted(np.dtype(np.float32))
    assert found[3:5].dtype == np.float32
    np.testing.assert_array_equal(found[3:5], LARGE[3:5].astype(np.float32))


def test_all_rows_are_never_read_by_accident() -> None:
    with pytest.raises(TypeError, match="index them"):
        np.asarray(kept(LARGE))


def test_tensorflow_may_use_the_memory_as_it_is() -> None:
    assert kept(LARGE)[np.array([3, 1, 2])].ctypes.data % 64 == 0


def test_another_process_is_told_where_they_are(tmp_path: Path) -> None:
    stored = kept(SMALL, tmp_path).taken(np.array([5, 2]))
    plain, index = stored.described()
    np.testing.assert_array_equal(StoredRows.of(plain, index)[:], SMALL[[5, 2]])
    with pytest.raises(ValueError, match="this process alone"):
        kept(SMALL).described()


def test_a_file_that_has_changed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, SMALL)
    stored = mapped.stored(np.load(path, mmap_mode="r"), RowStore(), "x")
    np.save(path, SMALL[:10])
    with pytest.raises(DataError, match=r"x.npy: has changed"):
        stored[0]


def test_a_mapped_array_is_read_from_its_own_file(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, LARGE)
    whole = np.load(path, mmap_mode="r")
    for part in (whole, whole[7:]):
        assert mapped.is_lazy(part)
        store = RowStore(True, tmp_path / "rows")
        np.testing.assert_array_equal(mapped.stored(part, store, "x")[2:4], part[2:4])
        assert store.written == 0
    for copied in (whole[::2], np.load(path, mmap_mode="c")):  # not one row after the other; perhaps changed in memory
        store = RowStore(True, tmp_path / "rows")
        np.testing.assert_array_equal(mapped.stored(copied, store, "x")[2:4], copied[2:4])
        assert store.written > copied.nbytes


class Foreign:
    """An array of which nobody knows how it gives rows."""

    shape, dtype = (4, 2), np.dtype(np.float32)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, key: slice) -> object:
        return self


def test_rows_that_turn_out_to_be_none_are_refused(tmp_path: Path) -> None:
    assert mapped.is_lazy(Foreign())
    with pytest.raises(DataError, match="x: some of its rows are a Foreign, an array is expected"):
        mapped.stored(Foreign(), RowStore(True, tmp_path), "x")
    assert list(tmp_path.iterdir()) == []


class Lazy(Foreign):
    """An array whose pieces are read when NumPy asks for them, as those of dask are."""

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return np.ones(self.shape, self.dtype)


def test_rows_that_numpy_can_read_are(tmp_path: Path) -> None:
    np.testing.assert_array_equal(mapped.stored(Lazy(), RowStore(True, tmp_path), "x")[:], np.ones((4, 2)))


def test_what_is_written_anew_does_not_take_its_room_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[list[Path]] = []
    monkeypatch.setattr(store, "_sweep", lambda folder: there.append(list(folder.iterdir())))
    for _ in range(2):
        np.testing.assert_array_equal(kept(LARGE, tmp_path)[:], LARGE)
    assert there == [[], []]


def test_rows_are_on_the_disk_before_they_have_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(store.os, "fsync", lambda _: steps.append("written"))
    named = store.os.replace
    monkeypatch.setattr(store.os, "replace", lambda *paths: (steps.append("named"), named(*paths)))
    kept(SMALL, tmp_path)
    assert steps[:2] == ["written", "named"]


def test_what_was_made_of_the_same_file_is_found_again(tmp_path: Path) -> None:
    store = RowStore(True, tmp_path)
    with store.writer((4, 3), np.dtype(np.int32), "x") as writer:
        writer[0:4] = np.arange(12, dtype=np.int32).reshape(4, 3)
        writer.done(["file", 1], {"left_out": ["a"]})
    found = RowStore(True, tmp_path).kept(["file", 1])
    assert found is not None
    np.testing.assert_array_equal(found.rows[:], np.arange(12).reshape(4, 3))
    assert found.notes == {"left_out": ["a"]}
    assert store.kept(["file", 2]) is None


def test_what_was_begun_and_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RowStore(True, tmp_path).writer((4, 3), np.dtype(np.int32), "x"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_limit_of_the_disk_holds_for_rows_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x: its rows take 0.4 MB on the disk, more than limits.disk of 0.1 MB"):
        RowStore(True, tmp_path, 100_000).whole(LARGE, "x")


def test_more_than_there_is_room_for_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RowsNotWritten, match=r"x: its rows take 931322\d+\.\d GiB on the disk, .* GiB are free"):
        RowStore(True, tmp_path).writer((10**12, 10**9), np.dtype(np.uint8), "x")
    assert list(tmp_path.iterdir()) == []


def test_rows_that_are_added_count_before_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def added(to: RowStore) -> StoredRows:
        with to.writer((0, 1100), LARGE.dtype, "x") as writer:
            for row in range(len(LARGE)):
                writer.append(LARGE[row : row + 1])
            return writer.done(["x"])

    limited = RowStore(True, tmp_path, 100_000)
    with pytest.raises(
        DataError, match=r"x: its rows take at least 0\.1 MB on the disk, more than limits\.disk of 0\.1"
    ):
        added(limited)
    assert 90_000 < limited.written <= 100_000
    with monkeypatch.context() as full:
        full.setattr(store.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        with pytest.raises(DataError, match=r"x: its rows take at least .* GiB are free"):
            added(RowStore(True, tmp_path))
    assert list(tmp_path.iterdir()) == []
    whole = RowStore(True, tmp_path)
    np.testing.assert_array_equal(added(whole)[:], LARGE)
    (file,) = tmp_path.glob("*.npy")
    assert whole.written == file.stat().st_size


def test_copies_of_parts_that_come_from_one_place_are_two_files(tmp_path: Path) -> None:
    for _ in range(2):  # and the same two when the data are read again
        kept_in = RowStore(True, tmp_path)
        one, other = kept_in.whole(SMALL, "rows"), kept_in.whole(SMALL[::-1], "rows")
        np.testing.assert_array_equal(one[:], SMALL)
        np.testing.assert_array_equal(other[:], SMALL[::-1])
        assert len(list(tmp_path.glob("*.npy"))) == 2


def test_what_replaces_a_file_is_not_taken_for_it(tmp_path: Path) -> None:
    one = kept(SMALL, tmp_path)
    np.testing.assert_array_equal(one[:], SMALL)
    other = kept(SMALL[::-1], tmp_path)
    np.testing.assert_array_equal(other[:], SMALL[::-1])
    np.testing.assert_array_equal(one[:], SMALL)
    assert len(list(tmp_path.glob("*.npy"))) == 1
    with RowStore(True, tmp_path).writer(SMALL.shape, SMALL.dtype, "x") as writer:
        writer[: len(SMALL)] = SMALL
        writer.done(["x"])
    first = RowStore(True, tmp_path).kept(["x"])
    assert first is not None
    first.rows[:]
    with RowStore(True, tmp_path).writer(SMALL.shape, SMALL.dtype, "x") as writer:
        writer[: len(SMALL)] = SMALL[::-1]
        writer.done(["x"])
    second = RowStore(True, tmp_path).kept(["x"])
    assert second is not None
    np.testing.assert_array_equal(second.rows[:], SMALL[::-1])


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from spaces.data.stored.store import RowStore
with RowStore(True, Path(sys.argv[1])).writer((1000, 100), np.dtype(np.float32), "x") as writer:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_had_begun_is_deleted_and_what_another_fills_is_not(tmp_path: Path) -> None:
    with RowStore(True, tmp_path).writer((4, 3), np.dtype(np.int32), "x") as held:
        killed = [sys.executable, "-c", KILLED, str(tmp_path)]
        ended = subprocess.run(killed, cwd=Path(__file__).parents[4], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert len(list(tmp_path.glob("*.part"))) == 2
        kept(SMALL, tmp_path)
        assert len(list(tmp_path.glob("*.part"))) == 1
        held[0:4] = np.arange(12, dtype=np.int32).reshape(4, 3)
        np.testing.assert_array_equal(held.done(["held"])[:], np.arange(12).reshape(4, 3))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".npy", ".npy"]


def test_a_description_that_cannot_be_written_gives_the_file_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "replace", full)
    with pytest.raises(RowsNotWritten, match=r"rows cannot be written to .* \(No space left on device\)"):
        kept(SMALL, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_temporary_files_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(store.tempfile, "gettempdir", lambda: str(tmp_path))
    with store.scratch() as folder:
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(store.tempfile, "mkdtemp", full)
        with pytest.raises(RowsNotWritten, match=rf"written to {tmp_path} \(No space left"), store.scratch():
            pass
    monkeypatch.setattr(store.tempfile, "gettempdir", nowhere)
    with pytest.raises(RowsNotWritten, match=r"temporary files cannot be written \(No usable"), store.scratch():
        pass


def test_temporary_files_of_a_process_that_was_killed_are_deleted_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(store.tempfile, "gettempdir", lambda: str(tmp_path))
    program = (
        "import os, signal\nfrom spaces.data.stored.store import scratch\n"
        "with scratch() as folder:\n    (folder / 'rows').touch()\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program], cwd=Path(store.__file__).parents[3], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    (tmp_path / "nightshift-scratch-link").symlink_to(tmp_path.parent)
    (tmp_path / "another").mkdir()
    with store.scratch() as outer, store.scratch() as inner:
        assert not left.exists()
        assert {outer, inner} <= set(tmp_path.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"another", "nightshift-scratch-link"}


def test_temporary_files_are_closed_when_they_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(store.tempfile, "gettempdir", lambda: str(tmp_path))
    with store.scratch() as folder:
        kept(LARGE, folder / "run" / "rows")[:]
        assert [Path(file.path).parent for file in rows._OPEN if str(folder) in file.path] == [folder / "run" / "rows"]
    assert not [file for file in rows._OPEN if str(folder) in file.path]


def test_a_file_that_is_written_can_be_opened_with_numpy(tmp_path: Path) -> None:
    kept(SMALL, tmp_path)
    (file,) = tmp_path.glob("*.npy")
    np.testing.assert_array_equal(np.load(file, allow_pickle=False), SMALL)


def test_no_map_of_a_whole_file_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    real = mmap.mmap

    def counted(descriptor: int, length: int, **options: int) -> mmap.mmap:
        lengths.append(length)
        return real(descriptor, length, **options)

    monkeypatch.setattr(rows, "_WINDOW", 4096)
    monkeypatch.setattr(rows.mmap, "mmap", counted)
    kept(SMALL)[GENERATOR.permutation(len(SMALL))]
    assert max(lengths) <= 4096 + os.sysconf("SC_PAGE_SIZE")
