"""A night in a session of its own, which survives the terminal and the login that it was started from."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from search.errors import NightEnded, RunError, not_written
from search.files import layout
from search.files.lock import holder
from search.files.plain import open_plain
from search.files.rundir import require_inside
from search.files.store import RunReader

_TELLS = 2_000
_LOOK_SECONDS = 0.2


def start(command: Sequence[str], directory: Path, wait: float) -> int | None:
    """Starts a night in the background and waits until it has begun.

    Args:
        command: The command line of a run or a resume in `directory`.
        directory: The run directory; made if need be.
        wait: Seconds to wait at most until it has loaded its data and works on the run.

    Returns:
        Its process id; None if it is over already, and went well: of a run that is done nothing is left to do.

    Raises:
        NightEnded: It ended at once, and not well.
        RunError: The directory cannot be written, or a link leads out of it.
        DiskError: The disk is full.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        require_inside(directory)
        made = not os.path.lexists(directory / layout.OUTPUT)
        descriptor = open_plain(directory / layout.OUTPUT, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    except OSError as error:
        raise not_written(error.filename or directory, error) from error
    with open(descriptor, "a+b") as output:
        before = output.seek(0, os.SEEK_END)
        night = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, close_fds=True
        )
    try:
        ends = time.monotonic() + wait
        while night.poll() is None and time.monotonic() < ends and not _works_on(night.pid, directory):
            time.sleep(_LOOK_SECONDS)
    except BaseException:
        # Nobody has been told of it, and so nobody could end it.
        night.terminate()
        raise
    if night.returncode is None:
        return night.pid
    if night.returncode == 0:
        return None
    with open(directory / layout.OUTPUT, "rb") as stream:
        stream.seek(before)
        printed = stream.read()
    if made and len(printed) <= _TELLS and not layout.is_run(directory):
        # All of it is told, and of a night that never began nothing is to be left.
        with suppress(OSError):
            os.unlink(directory / layout.OUTPUT)
    said = printed[-_TELLS:].decode("utf-8", "replace").strip()
    # A signal ends a process with its negative number, which a shell shows above 128.
    code = night.returncode if night.returncode > 0 else 128 - night.returncode
    raise NightEnded(said.removeprefix("error: ") or f"the night ended at once with exit code {code}", code)


def _works_on(process: int, directory: Path) -> bool:
    locked_by = holder(directory)
    if locked_by is None or locked_by.pid != process or not layout.is_run(directory):
        return False
    try:
        with RunReader(directory) as reader:
            # Of one that is done only the export and the report are made again.
            return bool(reader.meta("phase") != "done")
    except RunError:
        # The night says itself what is wrong with it.
        return False
