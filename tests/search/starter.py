"""Starts searches: loads TensorFlow once, then forks a process for every start, so that thirty kills take a minute.

A fork from here has run nothing of TensorFlow and opened nothing of the project: it knows of the run what its
directory says, as a process started by hand does.

Reads one JSON object per line: `space` (path), `run` (directory), `workers`, `resume` (whether by `search.resume`),
`file_bytes` (largest file that may be written, or null), `output` (file for what it prints). Answers with a line
`{"pid": ...}` and, when that process has ended, `{"code": ...}`, negative for a signal.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from typing import Any


def main() -> None:
    from search.training import threads  # noqa: F401
    from spaces.outside.backend import load_tensorflow

    load_tensorflow()
    import keras_tuner  # noqa: F401

    import search.night.session  # noqa: F401

    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_child(order))
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status)}), flush=True)


def _child(order: dict[str, Any]) -> int:
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target)
    if order["file_bytes"] is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_bytes"], order["file_bytes"]))
    try:
        return _search(order)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 3


def _search(order: dict[str, Any]) -> int:
    import search

    try:
        if order["resume"]:
            run = search.resume(order["run"], workers=order["workers"])
        else:
            run = search.run(order["space"], run_dir=order["run"], workers=order["workers"], check=False)
    except KeyboardInterrupt as interrupted:
        # One that comes without a word is that of a second signal.
        if not interrupted.args:
            raise
        return 130
    except (search.DiskError, search.SearchFailed):
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    with run.read() as reader:
        assert reader.meta("exit") == "done"
    return 0


if __name__ == "__main__":
    main()
