"""A night in a session of its own, which survives the terminal and the login that it was started from."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from search.errors import RunError, not_written
from search.files import layout
from search.files.lock import holder
from search.files.plain import open_plain
from search.files.rundir import require_inside

_TELLS = 2_000
_LOOK_SECONDS = 0.2


def start(command: Sequence[str], directory: Path, wait: float) -> int:
    """Starts a night in the background and waits until it has begun.

    Args:
        command: The command line of a run or a resume in `directory`.
        directory: The run directory; made if need be.
        wait: Seconds to wait at most until it has loaded its data and works on the run.

    Returns:
        Its process id.

    Raises:
        RunError: The directory cannot be written, a link leads out of it, or the night ended at once; the message is
            what it printed.
        DiskError: The disk is full.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        require_inside(directory)
        descriptor = open_plain(directory / layout.OUTPUT, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    except OSError as error:
        raise not_written(error.filename or directory, error) from error
    with open(descriptor, "a+b") as output:
        before = output.seek(0, os.SEEK_END)
        night = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, close_fds=True
        )
    ends = time.monotonic() + wait
    while night.poll() is None and time.monotonic() < ends and not _works_on(night.pid, directory):
        time.sleep(_LOOK_SECONDS)
    if night.poll() not in (None, 0):
        with open(directory / layout.OUTPUT, "rb") as stream:
            stream.seek(before)
            said = stream.read()[-_TELLS:].decode("utf-8", "replace").strip()
        raise RunError(said.removeprefix("error: ") or f"the night ended at once with exit code {night.returncode}")
    return night.pid


def _works_on(process: int, directory: Path) -> bool:
    locked_by = holder(directory)
    return locked_by is not None and locked_by.pid == process and layout.is_run(directory)
