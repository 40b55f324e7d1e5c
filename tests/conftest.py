"""What all tests share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def tensorflow():
    """TensorFlow with one thread, as a search of dense networks sets it up; loaded once for all tests."""
    from search.training import threads

    threads.configure(1)
