"""A model family that an installed package declares."""

from __future__ import annotations

import csv
import io

FAMILY = ("nightshift.families", "maxout", "maxout:MAXOUT")


def test_a_family_of_another_package_is_searched_ranked_and_exported(outside):
    outside.install("maxout", FAMILY)
    chosen = ("--set", "model={family: maxout, units: [4, 8]}", "--workers", "0", "--no-check", "--run-dir", "run")
    assert "winner: " in outside.nightshift("run", outside.space, *chosen).stdout
    rows = list(csv.DictReader(io.StringIO(outside.nightshift("table", "run", "--format", "csv").stdout)))
    # 64 pixels and a bias for each of 2 x 8 functions, 8 maxima and a bias for each of 10 classes.
    assert {(row["units"], row["parameters"]) for row in rows} == {("4", "570"), ("8", "1130")}
    assert (outside.folder / "run/export/model.keras").is_file()


def test_its_mistakes_are_told_as_those_of_any_other(outside):
    outside.install("maxout", FAMILY, ("nightshift.families", "gone", "no_such_module:X"))
    wrong = outside.nightshift(
        "check", outside.space, "--set", "model={family: maxout, units: 0, layer: 1}", code=2
    ).stderr
    assert "model.units: found 0; allowed: a whole number of at least 1" in wrong
    assert "model.layer: unknown key 'layer'; allowed: family, units, pieces, output" in wrong
    unknown = outside.nightshift("check", outside.space, "--set", "model={family: maxot, units: 4}", code=2).stderr
    assert "allowed: mlp, cnn, {python: ...}, gone, maxout (did you mean 'maxout'?)" in unknown
    gone = outside.nightshift("check", outside.space, "--set", "model={family: gone}", code=2).stderr
    assert "model.family: nightshift.families: gone = no_such_module:X: ModuleNotFoundError" in gone


def test_the_schema_knows_it_and_says_which_cannot_be_imported(outside):
    outside.install("maxout", FAMILY, ("nightshift.families", "gone", "no_such_module:X"))
    program = (
        "import json, spaces, warnings\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    schema = spaces.json_schema()\n"
        "print(json.dumps([schema['$defs']['MaxoutModel']['required'], [str(one.message) for one in told]]))"
    )
    assert outside.python(program).startswith('[["family", "units"], ["nightshift.families: gone = no_such_module:X')
