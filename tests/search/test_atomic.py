from __future__ import annotations

import errno

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


def half_written(target, error):
    with atomic.replacing(target) as stream:
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
