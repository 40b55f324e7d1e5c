from __future__ import annotations

import errno
import os
from dataclasses import replace

import numpy as np
import pytest

from search.errors import CheckpointError, DiskError
from search.files import checkpoint as checkpoints

ARRAYS = {
    "weights": [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((0, 4)), np.float32(1.5)],
    "optimizer": [np.array(7, np.int64)] + [np.full(3, i, np.float32) for i in range(12)],
}


def written(run, file="trials/0/state.npz", arrays=ARRAYS):
    return checkpoints.write(run, file, arrays, epoch=4)


def test_arrays_come_back_in_their_order_with_their_types(tmp_path):
    found = checkpoints.read(tmp_path, written(tmp_path))
    assert found.keys() == ARRAYS.keys()
    for name, arrays in ARRAYS.items():
        assert len(found[name]) == len(arrays)
        for got, given in zip(found[name], arrays, strict=True):
            assert got.dtype == np.asarray(given).dtype
            np.testing.assert_array_equal(got, given)


def test_weights_may_take_most_of_the_memory_and_stand_for_no_more_than_their_file(tmp_path, monkeypatch):
    monkeypatch.setattr("spaces.data.readers.memory.memory_limit", lambda: 1000)
    arrays = {"weights": [np.zeros(1000)]}
    record = written(tmp_path, arrays=arrays)
    assert len(checkpoints.read(tmp_path, record)["weights"][0]) == 1000
    path = tmp_path / "packed.npz"
    np.savez_compressed(path, **{"weights/0": arrays["weights"][0]})
    packed = replace(record, file="packed.npz", bytes=path.stat().st_size, digest=checkpoints._digest(path))
    with pytest.raises(CheckpointError, match="half of the memory"):
        checkpoints.read(tmp_path, packed)


def test_the_record_describes_the_file(tmp_path):
    record = written(tmp_path)
    path = tmp_path / "trials/0/state.npz"
    assert (record.file, record.bytes, record.epoch) == ("trials/0/state.npz", path.stat().st_size, 4)
    assert sorted(p.name for p in path.parent.iterdir()) == ["state.npz"], "no temporary file is left"


@pytest.mark.parametrize("damage", ["torn", "longer", "one bit", "missing", "a folder", "of another epoch"])
def test_a_file_that_is_not_the_recorded_one_is_refused(tmp_path, damage):
    record = written(tmp_path)
    path = tmp_path / record.file
    whole = bytearray(path.read_bytes())
    if damage == "torn":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "longer":
        path.write_bytes(whole + b"\0")
    elif damage == "one bit":
        whole[len(whole) // 2] ^= 1
        path.write_bytes(whole)
    elif damage == "missing":
        path.unlink()
    elif damage == "a folder":
        path.unlink()
        path.mkdir()
    else:
        other = {"weights": [a + 1 for a in ARRAYS["weights"]], "optimizer": ARRAYS["optimizer"]}
        checkpoints.write(tmp_path, record.file, other, epoch=5)
    with pytest.raises(CheckpointError, match=r"state\.npz"):
        checkpoints.read(tmp_path, record)


@pytest.mark.parametrize("file", ["../secret.npz", "trials/../../secret.npz", "{absolute}", "link.npz"])
def test_nothing_outside_the_run_directory_is_read(tmp_path, file):
    run = tmp_path / "run"
    run.mkdir()
    outside = checkpoints.write(tmp_path, "secret.npz", ARRAYS, epoch=1)
    (run / "link.npz").symlink_to(tmp_path / "secret.npz")
    file = file.format(absolute=tmp_path / "secret.npz")
    with pytest.raises(CheckpointError, match="outside the run directory"):
        checkpoints.read(run, replace(outside, file=file))


def test_pickled_objects_are_never_loaded(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, **{"weights/0": np.array([{"a": 1}], dtype=object)})
    record = replace(written(tmp_path), file="evil.npz", bytes=path.stat().st_size, digest=checkpoints._digest(path))
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints.read(tmp_path, record)


@pytest.mark.parametrize("place", ["savez", "replace", "fsync", "mkdir"])
def test_a_full_disk_is_a_disk_error_and_the_file_of_before_stays(tmp_path, monkeypatch, place):
    record = written(tmp_path)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if place == "savez":

        def half_and_full(stream, **_):
            stream.write(b"half a file")
            full()

        monkeypatch.setattr(np, "savez", half_and_full)
    elif place == "mkdir":
        monkeypatch.setattr("pathlib.Path.mkdir", full)
    else:
        monkeypatch.setattr(os, place, full)
    with pytest.raises(DiskError, match=r"state.npz: cannot be written \(No space left on device\)"):
        written(tmp_path, arrays={"weights": [np.ones(3)]})
    monkeypatch.undo()
    assert sorted(p.name for p in (tmp_path / "trials/0").iterdir()) == ["state.npz"]
    checkpoints.read(tmp_path, record)


def test_an_interruption_while_writing_leaves_no_temporary(tmp_path, monkeypatch):
    def interrupted(stream, **_):
        stream.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path)
    assert list((tmp_path / "trials/0").iterdir()) == []


def test_a_file_in_the_way_of_the_folder_is_a_disk_error(tmp_path):
    (tmp_path / "trials").write_text("in the way")
    with pytest.raises(DiskError, match=r"state\.npz"):
        written(tmp_path)


def test_a_real_full_disk(tmp_path):
    """`/dev/full` takes nothing; where it is, the system itself says so."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    (tmp_path / f".state.npz.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(DiskError, match="No space left"):
        written(tmp_path, "state.npz")
    assert list(tmp_path.iterdir()) == []
