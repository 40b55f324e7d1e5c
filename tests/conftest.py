"""What all tests share."""

from __future__ import annotations

import os

import pytest

# Tests read what goes to a pipe, whatever the terminal or the service that they are started from says of colours and
# widths. Typer asks for some of it when it is imported.
for _name in (
    "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR", "PY_COLORS", "TERMINAL_WIDTH", "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
):  # fmt: skip
    os.environ.pop(_name, None)


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow with one thread, as a search of dense networks sets it up; loaded once for all tests."""
    from search.training import threads

    threads.configure(1)
