from __future__ import annotations

import pytest

import spaces
from search.clock import SystemClock
from search.training.trainer import Trainer
from tests.search import small


@pytest.fixture(scope="session")
def digits(tensorflow):
    """The small data set."""
    return spaces.load_data(small.spec())


@pytest.fixture
def trainer(tmp_path, digits):
    """Trains in this process; its run directory is `tmp_path`."""
    return Trainer(tmp_path, digits, SystemClock())
