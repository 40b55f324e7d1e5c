from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys

import pytest

from search.errors import DiskError, RunError
from search.files import layout
from search.files.lock import Holder, RunLock, holder, is_held, is_taken

_HOLDER = """
import sys
from pathlib import Path
from search.files.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of the directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_second_process_is_refused_and_told_who_was_first(tmp_path, other):
    message = rf"already in use by process {other.pid} on {socket.gethostname()}"
    with pytest.raises(RunError, match=message), RunLock(tmp_path):
        pass


def test_a_run_is_taken_by_another_living_process_of_this_machine_alone(tmp_path, other):
    assert is_taken(tmp_path)
    other.kill()
    other.wait()
    assert not is_taken(tmp_path)
    with RunLock(tmp_path):
        assert not is_taken(tmp_path)
    assert not is_taken(tmp_path / "nothing")
    (tmp_path / layout.LOCK).write_text('{"host": "elsewhere", "pid": 1}', encoding="utf-8")
    assert not is_taken(tmp_path)


@pytest.mark.parametrize("ending", ["kill", "orderly"])
def test_the_lock_is_free_once_its_holder_is_gone_however_that_was(tmp_path, other, ending):
    other.kill() if ending == "kill" else other.stdin.close()
    other.wait()
    assert (tmp_path / layout.LOCK).exists(), "the file is left behind and locks nothing"
    with RunLock(tmp_path), pytest.raises(RunError, match=f"process {os.getpid()} "), RunLock(tmp_path):
        pass


@pytest.mark.usefixtures("other")
def test_being_refused_takes_nothing_from_the_holder(tmp_path):
    for _ in range(3):
        with pytest.raises(RunError), RunLock(tmp_path):
            pass


def test_it_can_be_taken_again_and_again(tmp_path):
    for _ in range(3):
        with RunLock(tmp_path):
            pass
    with pytest.raises(ValueError, match="inside"), RunLock(tmp_path):
        raise ValueError("inside")
    with RunLock(tmp_path):
        pass


def test_who_holds_it(tmp_path, other):
    found = holder(tmp_path)
    assert found == Holder(socket.gethostname(), other.pid)
    assert found.alive()
    other.kill()
    other.wait()
    assert holder(tmp_path) == found, "the file still names it"
    assert not found.alive()
    assert Holder("elsewhere", other.pid).alive(), "nobody here can tell"
    assert not Holder(socket.gethostname(), 2**70).alive()


def test_whether_it_is_held_is_the_kernels_to_say(tmp_path, other):
    assert is_held(tmp_path)
    other.kill()
    other.wait()
    for named in (Holder(socket.gethostname(), os.getpid()), Holder("elsewhere", 1)):
        (tmp_path / layout.LOCK).write_text(json.dumps(vars(named)))
        assert not is_held(tmp_path)
    with RunLock(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path / "nowhere")


def test_where_the_kernel_cannot_say_the_process_counts(tmp_path, monkeypatch):
    (tmp_path / layout.LOCK).write_text(json.dumps(vars(Holder(socket.gethostname(), os.getpid()))))

    def none_here(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("search.files.lock.fcntl.flock", none_here)
    assert is_held(tmp_path)
    (tmp_path / layout.LOCK).write_text("")
    assert not is_held(tmp_path)


def test_who_only_asks_is_in_nobodys_way(tmp_path, monkeypatch):
    (tmp_path / layout.LOCK).touch()
    asking = [os.open(tmp_path / layout.LOCK, os.O_RDONLY)]
    fcntl.flock(asking[0], fcntl.LOCK_SH)
    # It is done with asking while the lock is waited for.
    monkeypatch.setattr("search.files.lock.time.sleep", lambda _: os.close(asking.pop()))
    with RunLock(tmp_path):
        assert asking == []


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / layout.LOCK)
    assert holder(tmp_path) is None
    assert not is_held(tmp_path)
    with pytest.raises(RunError, match="cannot be written"), RunLock(tmp_path):
        pass


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, DiskError), (errno.EIO, DiskError), (errno.EROFS, RunError)])
def test_a_full_disk_is_no_wrong_usage(tmp_path, monkeypatch, code, kind):
    def full(*_):
        raise OSError(code, os.strerror(code))

    for call in ("ftruncate", "write", "open"):
        with monkeypatch.context() as patch:
            patch.setattr(f"os.{call}", full)
            with pytest.raises(kind, match=f"{tmp_path}: cannot be written"), RunLock(tmp_path):
                pass
    with RunLock(tmp_path):
        pass


def test_nobody_holds_a_directory_without_a_lock_file(tmp_path):
    assert holder(tmp_path) is None


NOBODY = [
    "",
    "not json",
    "[]",
    '{"pid": 1}',
    '{"host": "here", "pid": 0}',
    '{"host": "here", "pid": "1"}',
    '{"host": 1, "pid": 1}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", NOBODY)
def test_a_lock_file_that_says_nothing_is_no_obstacle(tmp_path, text):
    (tmp_path / layout.LOCK).write_text(text)
    assert holder(tmp_path) is None
    with RunLock(tmp_path):
        assert str(os.getpid()) in (tmp_path / layout.LOCK).read_text()
        (tmp_path / layout.LOCK).write_text(text)
        with pytest.raises(RunError, match="already in use by another process"), RunLock(tmp_path):
            pass


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / layout.LOCK).mkdir()
    with pytest.raises(RunError, match=f"{tmp_path}: cannot be written"), RunLock(tmp_path):
        pass
