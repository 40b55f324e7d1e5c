"""Parts that installed packages declare, one file each, and one small search with all of them."""

from __future__ import annotations

import csv
import io
import json
import sys
from importlib import metadata

import pytest

from spaces.basics import registry
from spaces.basics.errors import CodeError
from spaces.families import Family

# One search, since each takes as long as loading TensorFlow; the executor is given by a program that calls `run`.
_PROGRAM = """
import nightshift, numpy
from one_by_one import OneByOne

from spaces.outside.backend import load_tensorflow

# As it is where Keras runs on another backend; what trains is that of the package `counted`.
load_tensorflow()
import keras
keras.config.backend = lambda: "counted"

class Told(OneByOne):
    def submit(self, job, on_epoch):
        print(job.trial_id)
        return super().submit(job, on_epoch)

rng = numpy.random.default_rng(0)
labels = rng.integers(0, 3, 200)
numpy.savetxt("rows.txt", numpy.column_stack([labels, rng.normal(labels[:, None], 0.3, (200, 5))]))
changes = ("data.source={columns: rows.txt}", "model={family: maxout, units: [4, 8]}", "search.algorithm=climbing")
run = nightshift.run("space.yaml", overrides=changes, run_dir="run", check=False, executor=Told)
nightshift.export(run)
nightshift.report(run)
"""


@pytest.fixture(scope="module")
def trained(outside):
    """The trials that the executor was handed."""
    return outside.python(_PROGRAM).split()


@pytest.fixture(scope="module")
def searched(outside, trained):
    return outside.folder / "run"


@pytest.fixture(scope="module")
def rows(outside, searched):
    return list(csv.DictReader(io.StringIO(outside.nightshift("table", searched, "--format", "csv").stdout)))


def test_a_family_is_searched_ranked_and_exported(searched, rows):
    # 5 inputs and a bias for each of 2 x 4 or 2 x 8 functions, 4 or 8 maxima and a bias for each of 3 classes.
    assert {(row["units"], row["parameters"]) for row in rows} == {("4", "63"), ("8", "123")}
    assert (searched / "export/model.keras").is_file()


def test_an_oracle_chooses_the_configurations(searched, rows):
    assert len(rows) == 2
    assert "algorithm: climbing" in (searched / "space.yaml").read_text()


def test_a_data_source_is_read_and_its_file_recorded(outside, searched):
    file = outside.folder / "rows.txt"
    assert f"columns: {file}" in (searched / "space.yaml").read_text()
    assert json.loads(outside.nightshift("status", searched, "--format", "json").stdout)["phase"] == "done"


def test_a_report_section_stands_in_the_report_and_a_failing_one_costs_nothing(searched):
    report = (searched / "report/report.md").read_text()
    assert "Longest training" in report
    assert "The package that adds this section failed: CodeError: nightshift.sections: gone = no_such_module" in report
    assert "failed: TypeError: it gave list, no results.reporting.document.Section" in report
    assert "Unwritable" not in report
    assert report.count("The package that adds this section failed") == 3


def test_a_tracker_follows_the_run_and_a_missing_one_is_a_warning(searched):
    assert len((searched / "followed.txt").read_text().splitlines()) == 3, "two trials and the winner"
    log = (searched / "log.txt").read_text()
    assert "nightshift.trackers: gone = no_such_module:there: ModuleNotFoundError" in log
    assert "nightshift.trackers: plain: TypeError: it made str, no search.loop.observer.Observer" in log


def test_an_executor_trains_everything(trained, rows):
    *searched, winner = trained
    assert searched == [row["name"] for row in sorted(rows, key=lambda row: row["name"])]
    assert winner.startswith("winner-")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("model={family: maxout, units: 0}", "model.units: found 0; allowed: a whole number of at least 1"),
        ("model={family: maxout, units: 4, layer: 1}", "unknown key 'layer'; allowed: family, units, pieces, output"),
        (
            "model={family: maxot, units: 4}",
            "pretrained, {python: ...}, gone, maxout, renamed (did you mean 'maxout'?)",
        ),
        ("model={family: gone}", "model.family: nightshift.families: gone = no_such_module:there: ModuleNotFound"),
        ("search.algorithm=climb", "hyperband, bayesian, random, grid, freeze-thaw, climbing, gone"),
        ("search.algorithm=gone", "search.algorithm: nightshift.oracles: gone = os:sep: it is no Algorithm"),
        ("data.source={columns: 3}", "found 3; allowed: a file or folder"),
        ("data.source={columns: a, npz: b}", "found npz and columns; allowed: exactly one of folder, npz, csv"),
        (
            "data.source={colums: a}",
            "python, separator, encoding, decimal, parts, careless, columns, frames, gone",
        ),
        ("data.source=digit", "{python: ...}, {careless: ...}, {columns: ...}"),
        ("data.source={columns: a, separator: ;}", "data.source.separator: has no effect"),
        ("data={source: {columns: a}, target: kind}", "data.target: has no effect: only a csv"),
        (
            "model={family: renamed, units: 4}",
            "renamed = maxout:MAXOUT: it calls itself 'maxout'; both",
        ),
        ("data.source={gone: a}", "data.source: nightshift.sources: gone = os:gone: AttributeError"),
    ],
)
def test_mistakes_are_told_as_those_about_our_own(outside, monkeypatch, change, told):
    import spaces

    monkeypatch.syspath_prepend(str(outside.folder / "site"))
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load(outside.space, (change,))
    assert told in str(caught.value)


def test_the_schema_knows_families_and_says_which_cannot_be_imported(outside, monkeypatch):
    import spaces

    monkeypatch.syspath_prepend(str(outside.folder / "site"))
    with pytest.warns(UserWarning, match="nightshift") as told:
        schema = spaces.json_schema()
    messages = [str(warning.message) for warning in told]
    for entry in ("families: gone = no_such_module", "families: renamed = maxout:MAXOUT", "sources: gone = os:gone"):
        assert any(entry in message for message in messages)
    assert schema["$defs"]["MaxoutModel"]["required"] == ["family", "units"]
    sources = schema["$defs"]["DataSection"]["properties"]["source"]["anyOf"]
    assert {(*source["required"], len(source["properties"])) for source in sources if "required" in source} == {
        ("careless", 1), ("columns", 1), ("frames", 2),
    }  # fmt: skip
    assert "climbing" in schema["$defs"]["SearchSection"]["properties"]["algorithm"]["enum"]


_PARTS = """
import sys
from spaces.families import Family
print("imported")

class Plain(Family):
    name = "plain"

PLAIN, OTHER = Plain(), Plain()

def __getattr__(name):
    sys.exit(3)
"""


@pytest.fixture
def families(monkeypatch, tmp_path):
    """A registry of families in which packages have declared `plain` with these values."""
    (tmp_path / "parts_of_others.py").write_text(_PARTS)
    monkeypatch.syspath_prepend(str(tmp_path))

    def declared(*attributes):
        entries = [metadata.EntryPoint("plain", f"parts_of_others:{one}", "nightshift.families") for one in attributes]
        monkeypatch.setattr(metadata, "entry_points", lambda group: entries)
        monkeypatch.setattr(registry, "_declared_in", registry._declared_in.__wrapped__)
        return registry.Registry("nightshift.families", {}, Family)

    yield declared
    # It would answer whoever looks through all modules for a name.
    sys.modules.pop("parts_of_others", None)


def test_what_a_package_prints_is_no_output_of_ours(families, capsys):
    assert families("PLAIN", "PLAIN")["plain"].name == "plain"
    assert capsys.readouterr() == ("", "imported\n")


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        (("PLAIN", "OTHER"), "another package has this name too: parts_of_others:OTHER; remove one"),
        (("Plain",), "it is a class; what is declared is an object of it, Plain()"),
        (("gone",), "SystemExit: 3"),
    ],
)
def test_what_cannot_be_meant_is_told(families, attributes, told):
    with pytest.raises(CodeError) as caught:
        _ = families(*attributes)["plain"]
    assert str(caught.value) == f"nightshift.families: plain = parts_of_others:{attributes[0]}: {told}"


def test_engines_train_everything(outside, trained):
    assert len((outside.folder / "trainings.txt").read_text().splitlines()) == len(trained)


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("raises", "ValueError: no such thing"),
        ("tuple", "it gave tuple, no RawData"),
        ("lists", "its x is a list, no NumPy array"),
    ],
)
def test_a_source_that_cannot_be_used_is_named(outside, monkeypatch, tmp_path, location, told):
    import spaces

    monkeypatch.syspath_prepend(str(outside.folder / "site"))
    place = tmp_path / location
    spec = spaces.load(outside.space, (f"data.source={{careless: {place}}}",))
    with pytest.raises(spaces.DataError) as caught:
        spaces.load_data(spec)
    assert str(caught.value) == f"nightshift.sources: careless: {place}: {told}"


def test_a_source_of_frames_has_a_target_and_columns(outside, monkeypatch, tmp_path):
    import spaces

    monkeypatch.syspath_prepend(str(outside.folder / "site"))
    changes = (f"data.source={{frames: {tmp_path}, target: kind}}", "data.columns={note: drop}")
    data = spaces.load_data(spaces.load(outside.space, changes))
    assert data.name == "frames"
    assert data.info.class_names == ("a", "b", "c")
    assert [encoding.name for encoding in data.info.encodings] == ["width"]
