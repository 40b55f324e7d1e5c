from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

import spaces
from search.executors import shared_data
from spaces import Split
from spaces.data.stored import StoredRows
from spaces.data.stored.rows import RowFile
from tests.search import small


def arrive(folder, target):
    target.mkdir()
    for name, pieces in shared_data.travelling(folder):
        (target / name).write_bytes(b"".join(pieces))
    return shared_data.read(target)


@pytest.fixture(scope="module")
def digits():
    return spaces.load_data(small.spec())


def test_data_arrive_on_another_machine_as_they_were(digits, tmp_path):
    found = arrive(shared_data.write(tmp_path, digits), tmp_path / "there")
    assert np.array_equal(found.train.x, digits.train.x)
    assert np.array_equal(found.validation.y, digits.validation.y)
    assert (found.fingerprint, found.info) == (digits.fingerprint, digits.info)


def test_data_are_on_the_disk_before_they_are_called_complete(digits, tmp_path, monkeypatch):
    """Else a machine that loses its power would go on with zeros."""
    there = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: there.append(os.fstat(descriptor).st_ino))
    folder = shared_data.write(tmp_path, digits)
    *arrays, description = there
    assert description == (folder / "data.json").stat().st_ino
    assert {path.stat().st_ino for path in folder.glob("*.npy")} == set(arrays)


@pytest.mark.parametrize("damage", ["torn", "changed", "empty", "gone", "added"])
def test_rows_that_are_no_longer_what_was_written_are_written_anew(digits, tmp_path, damage):
    """Workers would die of them, at every resume, or train on others."""
    folder = shared_data.write(tmp_path, digits)
    file = folder / "train_x.npy"
    written, content = file.stat().st_ino, file.read_bytes()
    shared_data.write(tmp_path, digits)
    assert file.stat().st_ino == written, "these very rows are left as they are"
    {
        "torn": lambda: file.write_bytes(content[:-1]),
        "changed": lambda: file.write_bytes(content[:-1] + bytes([content[-1] ^ 1])),
        "empty": lambda: file.write_bytes(b""),
        "gone": file.unlink,
        "added": lambda: np.save(folder / "train_weight.npy", np.ones(len(digits.train), np.float32)),
    }[damage]()
    found = shared_data.read(shared_data.write(tmp_path, digits)).train
    assert np.array_equal(found.x, digits.train.x)
    assert found.weight is None


def test_rows_that_stay_on_the_disk_go_along_and_stay_on_the_disk_there(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(shared_data, "_PIECE", 10_000)
    file = tmp_path / "rows.bin"
    everything = np.ascontiguousarray(digits.train.x)
    file.write_bytes(b"head" + everything.tobytes())
    size = file.stat().st_size
    rows = StoredRows([RowFile(str(file), 4, len(everything), size)], everything.shape[1:], everything.dtype)
    some = np.arange(len(everything))[::-1][:100]
    streamed = replace(digits, train=Split(rows.taken(some), digits.train.y[some]))
    found = arrive(shared_data.write(tmp_path, streamed), tmp_path / "there")
    file.unlink()
    assert isinstance(found.train.x, StoredRows)
    assert np.array_equal(found.train.x[:], everything[some])
    assert np.array_equal(found.train.y, digits.train.y[some])
    assert np.array_equal(found.validation.x, digits.validation.x)
