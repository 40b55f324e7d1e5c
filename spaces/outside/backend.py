"""Importing TensorFlow without its greetings, and what it may take of the GPUs where nothing is trained."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from spaces.basics.streams import open_closed

# Keras imports them, where they are installed, for parts that no training uses: a third of its own loading time, and
# 80 MB of memory.
_DISPENSABLE = ("matplotlib", "sklearn")
_X86 = ("x86_64", "amd64")


@contextmanager
def engines_silent() -> Iterator[None]:
    """Inside, nothing reaches the standard error stream of the process, not even what is written past Python."""
    open_closed()
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def load_tensorflow(*, for_training_only: bool = False) -> None:
    """Imports TensorFlow and Keras, silently; at once if that has been done before.

    While it loads, TensorFlow writes some lines about processors and drivers straight to the standard error stream of
    the process, whatever its log level; they tell a user nothing and tear a live display apart.

    Args:
        for_training_only: Leaves out what Keras offers for scikit-learn and matplotlib, for as long as the process
            lives. Only for processes in which no code but this program's calls Keras, besides a user's model.
    """
    if "tensorflow" in sys.modules:
        return
    hidden = [name for name in _DISPENSABLE if for_training_only and name not in sys.modules]
    for name, value in options(platform.machine()).items():
        os.environ.setdefault(name, value)
    with engines_silent():
        try:
            # None makes an import fail as if the package were not there.
            sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
            import keras  # noqa: F401
            import tensorflow as tf
        finally:
            for name in hidden:
                del sys.modules[name]
    # A search compiles a function for each network; TensorFlow takes that for a mistake and says so.
    tf.get_logger().setLevel("ERROR")


def options(machine: str) -> dict[str, str]:
    """What TensorFlow is told by the environment where the user has not told it otherwise.

    On processors without instructions made for networks it leaves oneDNN out by itself, with which convolutions are
    much faster there too: docs/decisions/0023-onednn.md.

    Args:
        machine: As `platform.machine` names it.
    """
    return {"TF_CPP_MIN_LOG_LEVEL": "3"} | ({"TF_ENABLE_ONEDNN_OPTS": "1"} if machine.lower() in _X86 else {})


@contextmanager
def policy_kept() -> Iterator[None]:
    """Afterwards new layers compute in what they did before, whatever was set for all of them, or forgotten, inside."""
    import keras

    before = keras.config.dtype_policy()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def clear_session() -> None:
    """As Keras's, which would forget too what the module of a user's function has set for all layers."""
    from keras.utils import clear_session as forget

    with policy_kept():
        forget(free_memory=False)


def share_gpus(taken: bool) -> None:
    """Lets a process that trains nothing leave the GPUs to those that do. Call it before TensorFlow's first operation.

    Where TensorFlow is already running, what it has stays as it is.

    Args:
        taken: Whether others train on them: this process computes without any then. Else it takes of their memory
            what it needs, not all there is.
    """
    import tensorflow as tf

    try:
        if taken:
            tf.config.set_visible_devices([], "GPU")
            return
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except (RuntimeError, ValueError):
        return
