"""What all tests share."""

from __future__ import annotations

import os
import shutil

import pytest

# Tests read what goes to a pipe, whatever the terminal or the service that they are started from says of colours and
# widths. Typer asks for some of it when it is imported.
for _name in (
    "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR", "PY_COLORS", "TERMINAL_WIDTH", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
):  # fmt: skip
    os.environ.pop(_name, None)


# Runs are written so that no power cut loses them. A disk that others use too takes its time for that; memory does not.
_MEMORY = "/dev/shm"
if os.path.isdir(_MEMORY) and os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _MEMORY)

# The files that take longest, which begin first: at the end none of them is left to one process alone.
_LONGEST = (
    "test_whole_nights", "test_cli", "test_runs", "test_pool", "test_order", "test_ensemble", "test_simulated_nights",
    "test_freeze_thaw", "test_conformance", "test_checking", "test_both_ways", "test_damaged_stores", "test_night",
    "test_export", "test_same_numbers", "test_reuse", "test_two_phases", "test_tuning", "test_markdown", "test_models",
)  # fmt: skip


def pytest_xdist_auto_num_workers():
    """One more process than there are cores: many tests wait for processes of their own, or for time to pass."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items):
    """Puts the files that take longest first; the tests of a file keep their order."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow with one thread, as a search of dense networks sets it up; loaded once for all tests."""
    from search.training import threads

    threads.configure(1)
