"""Importing TensorFlow without its greetings."""

from __future__ import annotations

import os
import sys


def load_tensorflow() -> None:
    """Imports TensorFlow and Keras, silently; at once if that has been done before.

    While it loads, TensorFlow writes some lines about processors and drivers straight to the standard error stream of
    the process, whatever its log level; they tell a user nothing and tear a live display apart.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        import keras  # noqa: F401
        import tensorflow as tf
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    # A search compiles a function for each network; TensorFlow takes that for a mistake and says so.
    tf.get_logger().setLevel("ERROR")
