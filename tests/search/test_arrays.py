from __future__ import annotations

import errno
import os
import random
import resource

import numpy as np
import pytest

from search.files import arrays


def test_no_changed_byte_of_a_file_is_more_than_damage(tmp_path):
    path = tmp_path / "file.npz"
    given = {"predictions": np.zeros((3, 2), np.float32), "labels": np.arange(3)}
    np.savez(path, **given)
    whole, rng, damaged = path.read_bytes(), random.Random(0), 0
    for _ in range(600):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 3))):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content if rng.random() < 0.9 else content[: rng.randrange(len(content))])
        try:
            arrays.load(path, "predictions", "labels")
        except (ValueError, OSError):
            damaged += 1
    assert damaged > 300
    path.write_bytes(whole)
    assert all((arrays.load(path)[name] == array).all() for name, array in given.items())


def test_an_array_that_is_missing_is_named(tmp_path):
    np.savez(tmp_path / "file.npz", x=np.zeros(1))
    with pytest.raises(ValueError, match="has no labels"):
        arrays.load(tmp_path / "file.npz", "x", "labels")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "file.npz")
    with pytest.raises(OSError, match="is not a file but a pipe"):
        arrays.load(tmp_path / "file.npz")
    with pytest.raises(FileNotFoundError):
        arrays.load(tmp_path / "missing.npz")


def test_what_would_unpack_to_more_than_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "file.npz", x=np.zeros(9_000))
    assert (tmp_path / "file.npz").stat().st_size < 1_000
    monkeypatch.setattr("spaces.data.readers.memory.memory_limit", lambda: 50_000)
    with pytest.raises(ValueError, match=r"file\.npz: holds .* of data, half of the memory"):
        arrays.load(tmp_path / "file.npz", "x")
    monkeypatch.setattr("spaces.data.readers.memory.memory_limit", lambda: 100_000)
    assert arrays.load(tmp_path / "file.npz", "x")["x"].shape == (9_000,)


def test_pickled_objects_are_not_read(tmp_path):
    np.savez(tmp_path / "file.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        arrays.load(tmp_path / "file.npz")


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.zeros((0, 2), np.uint8)]
)
def test_what_is_saved_is_what_numpy_reads(tmp_path, array):
    arrays.save(tmp_path / "new" / "file.npy", array)
    found = np.load(tmp_path / "new" / "file.npy")
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert (found == array).all()


def test_why_an_array_cannot_be_saved_is_told_and_an_earlier_one_stays(tmp_path):
    path = tmp_path / "file.npy"
    arrays.save(path, np.arange(3))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as told:
            arrays.save(path, np.zeros(9000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told.value.errno == errno.EFBIG
    assert np.load(path).tolist() == [0, 1, 2]
    assert os.listdir(tmp_path) == ["file.npy"]
