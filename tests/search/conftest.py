"""What the tests of the running side share."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.files.store import RunStore


@pytest.fixture(autouse=True, scope="session")
def one_thread_for_linear_algebra():
    """The matrices here are small; on a busy machine threads wait for each other longer than they compute."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


@pytest.fixture
def store(tmp_path: Path):
    """An empty run store."""
    with RunStore.create(tmp_path / "run", {"phase": "search"}) as made:
        yield made
