"""What TensorFlow is told before it is loaded."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from spaces.outside.backend import options


def test_onednn_is_on_where_it_is_known_to_help():
    assert options("x86_64")["TF_ENABLE_ONEDNN_OPTS"] == options("AMD64")["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert "TF_ENABLE_ONEDNN_OPTS" not in options("aarch64")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="oneDNN is left to TensorFlow on other processors")
@pytest.mark.parametrize("told", [None, "0"])
def test_what_the_user_has_said_stays(told):
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2])} | (
        {} if told is None else {"TF_ENABLE_ONEDNN_OPTS": told}
    )
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], env=environment, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stdout.strip() == (told or "1")


# TensorFlow itself is not waited for: only what it would find.
_LOADED = """
import os, sys, types
sys.modules["keras"] = types.ModuleType("keras")
fake = sys.modules["tensorflow.fake"] = types.ModuleType("tensorflow")
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            print(os.environ["TF_ENABLE_ONEDNN_OPTS"])
            raise SystemExit
sys.meta_path.insert(0, Finder())
from spaces.outside.backend import load_tensorflow
load_tensorflow()
"""
