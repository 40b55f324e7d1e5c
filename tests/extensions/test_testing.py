"""What `nightshift.testing` accepts and what it finds."""

from __future__ import annotations

import pytest

from nightshift import testing
from spaces import DataInfo
from spaces.families import FAMILIES
from spaces.families.mlp import MLP
from spaces.sections.algorithms import ALGORITHMS

ROWS = DataInfo("tabular", (4,), "float32", "classification", "integer", 3, ("a", "b", "c"))
SECTION = {"family": "mlp", "layers": {"min": 0, "max": 2}, "units": [4, 8]}


def test_our_own_families_and_algorithms_keep_to_it(tensorflow):
    testing.check_family(FAMILIES["mlp"], SECTION, ROWS)
    for name in ("random", "hyperband"):
        testing.check_oracle(ALGORITHMS[name])


def test_a_family_that_counts_wrong_is_found(tensorflow, monkeypatch):
    monkeypatch.setattr(type(MLP), "count_parameters", lambda *_: 1)
    with pytest.raises(AssertionError, match="mlp: 1 parameters counted"):
        testing.check_family(MLP, SECTION, ROWS)


def test_an_oracle_that_repeats_itself_is_found(tensorflow, monkeypatch):
    from search.oracles.random_search import RandomOracle

    repeated = {"status": "RUNNING", "values": {"units": 1, "optimizer": "sgd"}}
    monkeypatch.setattr(RandomOracle, "populate_space", lambda *_: repeated)
    with pytest.raises(AssertionError, match="random: proposed a configuration twice"):
        testing.check_oracle(ALGORITHMS["random"])
