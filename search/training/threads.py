"""How many threads one operation is spread over, and where TensorFlow may run.

A sum that is spread over threads is added up in an order that depends on their number, so the number is part of what
a trial's outcome depends on. A run keeps one number from its first trial to its last. Where the user says how many
workers train, it follows from the family and the machine alone, so that any number of workers gives the same outcomes;
where the run chooses the workers itself, it is measured (see `search.night.workforce`).
"""

from __future__ import annotations

import warnings

from search.record import environment
from search.training import cards
from spaces.families import family_of_settings
from spaces.outside.backend import load_tensorflow

MOST = 8
"""Threads of one operation at most: wider pools do not help networks of the size that a night's search trains."""


def for_family(family: str) -> int:
    """Threads of one operation for models of a family, given as `Settings.family`."""
    return family_of_settings(family).threads(min(environment.cores(), MOST))


def configure(threads: int, gpu_share: float | None = None) -> None:
    """Sets up TensorFlow for training in this process. Call it before TensorFlow runs its first operation.

    Where TensorFlow is already running with other settings they stay, with a warning.

    Args:
        threads: Threads of one operation, at least 1.
        gpu_share: Share of the GPU's memory that this process may take; None: as much as it needs.
    """
    load_tensorflow()
    import tensorflow as tf

    try:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        gpus = tf.config.list_physical_devices("GPU")
        limit = None if gpu_share is None or not gpus else cards.limit(gpu_share)
        for gpu in gpus:
            if limit is None:
                tf.config.experimental.set_memory_growth(gpu, True)
            else:
                tf.config.set_logical_device_configuration(
                    gpu, [tf.config.LogicalDeviceConfiguration(memory_limit=limit)]
                )
        if not gpus:
            # On a CPU, rewriting the graphs takes a third of the time of compiling them, and they run no faster.
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    except RuntimeError:
        warnings.warn(
            "TensorFlow was running before the search began; its thread settings stay as they are", stacklevel=2
        )
