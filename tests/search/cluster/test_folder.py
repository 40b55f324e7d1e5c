from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from search.cluster import folder as folders
from search.cluster.folder import NodeFolder, Swept


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_last_one_who_leaves_removes_the_folder():
    first = NodeFolder()
    second = NodeFolder(first.path)
    (first.path / "data").write_text("rows")
    first.leave()
    assert (second.path / "data").exists()
    second.leave()
    assert not second.path.exists()


def test_what_a_killed_search_left_behind_goes_when_the_next_one_begins(tmp_path):
    left = tmp_path / "nightshift-node-left"
    left.mkdir()
    (left / "lock").touch()
    (tmp_path / "somebody-elses").mkdir()
    living = NodeFolder()
    another = NodeFolder()
    assert not left.exists()
    assert living.path.exists()
    assert another.path.exists()
    assert (tmp_path / "somebody-elses").exists()


def test_what_was_cut_off_while_it_removed_its_folder_is_removed_by_the_next_one(monkeypatch):
    made = NodeFolder()
    (made.path / "data").mkdir()
    (made.path / "data" / "rows").touch()

    class Killed(BaseException):
        pass

    def cut_off(folder, **_):
        for file in folder.iterdir():
            if file.is_file():
                file.unlink()
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(folders.shutil, "rmtree", cut_off)
        with pytest.raises(Killed):
            made.leave()
    assert made.path.exists()
    NodeFolder()
    assert not made.path.exists()


def test_a_folder_that_is_gone_cannot_be_shared(tmp_path):
    with pytest.raises(Swept, match="gone"):
        NodeFolder(Path(tmp_path / "gone"))


def test_one_that_goes_while_it_is_being_shared_is_gone_too(monkeypatch):
    made = NodeFolder()
    lock = folders.fcntl.flock

    def swept(descriptor, how):
        shutil.rmtree(made.path)
        lock(descriptor, how)

    monkeypatch.setattr(folders.fcntl, "flock", swept)
    with pytest.raises(Swept, match="gone"):
        NodeFolder(made.path)


def test_the_data_lie_on_a_disk_as_all_files_without_a_name_do(tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(folders, "temporary_folder", lambda: disk)
    left = disk / "nightshift-node-left"
    left.mkdir()
    (left / "lock").touch()
    assert NodeFolder().path.parent == disk
    assert not left.exists()
