"""How processes end."""

import subprocess
import sys

import pytest

_PROGRAM = """
import atexit, sys, threading, time
from spaces.basics.ending import Ending

class Part:
    def __del__(self):
        print("taken apart")

part = Part()
{loaded}
ending = Ending()
atexit.register(print, "asked for later")
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
{over}
"""


@pytest.mark.parametrize(
    ("loaded", "over", "code", "last"),
    [
        ("sys.modules['tensorflow'] = sys", "ending.code = 3", 3, []),
        # Without TensorFlow it takes no time, and what failed on its way has a code of its own.
        ("", "ending.code = 0", 0, ["taken apart"]),
        ("sys.modules['tensorflow'] = sys", "sys.exit(4)", 4, ["taken apart"]),
    ],
)
def test_a_program_that_is_over_takes_nothing_apart_but_does_all_that_was_asked_for(loaded, over, code, last):
    program = _PROGRAM.format(loaded=loaded, over=over)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split("\n")[:-1]) == (code, ["thread", "asked for later", *last])


def test_streams_that_are_gone_are_no_hindrance():
    program = _PROGRAM.format(loaded="sys.modules['tensorflow'] = sys", over="ending.code = 0; sys.stdout = None")
    assert subprocess.run([sys.executable, "-c", program], stderr=subprocess.DEVNULL, timeout=60).returncode == 0
