"""A search algorithm that an installed package declares."""

from __future__ import annotations

ORACLE = ("nightshift.oracles", "climbing", "climbing:CLIMBING")


def test_an_algorithm_of_another_package_searches_a_space(outside):
    outside.install("climbing", ORACLE)
    chosen = ("--set", "search.algorithm=climbing", "--set", "model.units=[4, 8, 12, 16]")
    outside.nightshift("run", outside.space, *chosen, "--workers", "0", "--no-check", "--run-dir", "run")
    assert len(outside.nightshift("table", "run", "--format", "csv").stdout.splitlines()) == 3
    # The report's sections about a search know it too, by what it says about itself.
    outside.nightshift("report", "run")


def test_an_unknown_one_is_told_with_those_of_packages(outside):
    outside.install("climbing", ORACLE, ("nightshift.oracles", "climbed", "climbing:Any"))
    wrong = outside.nightshift("check", outside.space, "--set", "search.algorithm=climb", code=2).stderr
    assert "found 'climb'; allowed: hyperband, bayesian, random, grid, freeze-thaw, climbed, climbing" in wrong
    wrong = outside.nightshift("check", outside.space, "--set", "search.algorithm=climbed", code=2).stderr
    assert "search.algorithm: nightshift.oracles: climbed = climbing:Any: it is no Algorithm" in wrong
