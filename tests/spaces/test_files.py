"""What is a plain file and what is not."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from spaces.basics.errors import DataError
from spaces.basics.files import missing, unreadable, walked


def test_only_plain_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    (tmp_path / "link").symlink_to(plain)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_pipe").symlink_to(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert unreadable(plain) is None
    assert unreadable(tmp_path / "link") is None
    assert unreadable(tmp_path) == "is not a file but a folder"
    assert unreadable(tmp_path / "pipe") == unreadable(tmp_path / "to_pipe") == "is not a file but a pipe"
    assert unreadable("/dev/zero") == "is not a file but a device"
    assert unreadable(tmp_path / "nowhere") == "is a link that leads nowhere: No such file or directory"
    assert unreadable(tmp_path / "circle") == "is a link that leads to itself"
    assert unreadable(tmp_path / "gone") == unreadable("a\0b") == "cannot be read: No such file or directory"
    assert unreadable(plain / "below") == "cannot be read: Not a directory"
    assert unreadable("a" * 300) == "cannot be read: File name too long"
    assert all(map(missing, (tmp_path / "gone", plain / "below", "a\0b")))
    assert not any(map(missing, (tmp_path / "nowhere", tmp_path / "circle", "a" * 300)))
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the name of a socket has to be short
        server.bind("socket")
        assert unreadable(tmp_path / "socket") == "is not a file but a socket"


def test_a_folder_that_cannot_be_read_is_no_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "closed").mkdir(parents=True)
    look = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match="a/closed: cannot be read: Permission denied"):
        walked(tmp_path, lambda _: False)
