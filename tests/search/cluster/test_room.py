from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from search.cluster import room
from search.cluster.room import Room, Swept


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_last_one_who_leaves_removes_the_folder():
    first = Room()
    second = Room(first.folder)
    (first.folder / "data").write_text("rows")
    first.leave()
    assert (second.folder / "data").exists()
    second.leave()
    assert not second.folder.exists()


def test_what_a_killed_search_left_behind_goes_when_the_next_one_begins(tmp_path):
    left = tmp_path / "nightshift-node-left"
    left.mkdir()
    (left / "lock").touch()
    (tmp_path / "somebody-elses").mkdir()
    living = Room()
    another = Room()
    assert not left.exists()
    assert living.folder.exists()
    assert another.folder.exists()
    assert (tmp_path / "somebody-elses").exists()


def test_what_was_cut_off_while_it_removed_its_folder_is_removed_by_the_next_one(monkeypatch):
    made = Room()
    (made.folder / "data").mkdir()
    (made.folder / "data" / "rows").touch()

    class Killed(BaseException):
        pass

    def cut_off(folder, **_):
        for file in folder.iterdir():
            if file.is_file():
                file.unlink()
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(room.shutil, "rmtree", cut_off)
        with pytest.raises(Killed):
            made.leave()
    assert made.folder.exists()
    Room()
    assert not made.folder.exists()


def test_a_folder_that_is_gone_cannot_be_shared(tmp_path):
    with pytest.raises(Swept, match="gone"):
        Room(Path(tmp_path / "gone"))


def test_one_that_goes_while_it_is_being_shared_is_gone_too(monkeypatch):
    made = Room()
    lock = room.fcntl.flock

    def swept(descriptor, how):
        shutil.rmtree(made.folder)
        lock(descriptor, how)

    monkeypatch.setattr(room.fcntl, "flock", swept)
    with pytest.raises(Swept, match="gone"):
        Room(made.folder)


def test_the_data_lie_on_a_disk_as_all_files_without_a_name_do(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(room, "temporary_folder", lambda: disk)
    left = disk / "nightshift-node-left"
    left.mkdir()
    (left / "lock").touch()
    assert Room().folder.parent == disk
    assert not left.exists()
