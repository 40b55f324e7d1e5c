from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from search.files import atomic


def test_a_file_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "new" / "file"
    atomic.write_bytes(target, b"first")
    with atomic.replacing(target) as stream:
        stream.write(b"sec")
        assert target.read_bytes() == b"first"
        stream.write(b"ond")
    assert target.read_bytes() == b"second"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def half_written(target, error, way=atomic.replacing):
    with way(target) as stream:
        stream.write(b"half of the ne")
        raise error


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(type(error)):
        half_written(target, error)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_content_is_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr("os.fsync", lambda _: done.append("on the disk"))
    replace = atomic.os.replace
    monkeypatch.setattr("os.replace", lambda *paths: (done.append("named"), replace(*paths)))
    atomic.write_bytes(tmp_path / "file", b"x")
    assert done == ["on the disk", "named"]


def named(path, content=b"new"):
    with atomic.replacing_what_is_named(path) as stream:
        stream.write(content)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_that_is_named_stays_one(tmp_path, there):
    link, target = tmp_path / "link", tmp_path / "below" / "file"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"what was there before")
    link.symlink_to("below/file")
    named(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_what_cannot_be_replaced_is_written_into(tmp_path):
    pipe, device = tmp_path / "pipe", tmp_path / "device"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    named(pipe)
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert os.read(reading, 10) == b"new"
    os.close(reading)
    device.symlink_to(os.devnull)
    named(device)
    assert device.is_symlink()
    assert stat.S_ISCHR(device.stat().st_mode)
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "device"}


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="this system shows no open files")
def test_an_open_file_without_a_name_is_written_into(tmp_path):
    with open(tmp_path / "file", "w+b") as stream:
        (tmp_path / "file").unlink()
        named(Path(f"/dev/fd/{stream.fileno()}"))
        assert stream.read() == b"new"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_named_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        half_written(target, KeyboardInterrupt(), atomic.replacing_what_is_named)
    assert target.read_bytes() == b"old"
    named(target)
    assert target.read_bytes() == b"new"
