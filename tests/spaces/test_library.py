"""Loading: shipped spaces, mappings, overrides, paths, references, and writing back."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import numpy as np
import pytest
from ruamel.yaml import YAML

import spaces
from spaces.basics.errors import problem
from spaces.families import FAMILIES
from spaces.families.mlp import MLP
from spaces.outside.references import load_function
from spaces.sections.data_section import KeyedRows, Source
from spaces.values.dimensions import Choice, Dimension, Fixed, Range
from spaces.values.kinds import Kind
from spaces.values.setting import setting_of

MINIMAL: dict[str, Any] = {
    "name": "small",
    "data": {"source": "digits"},
    "model": {"family": "mlp", "layers": 1, "units": [8, 16]},
    "training": {"epochs": 3},
}


def test_all_shipped_spaces_are_legal_and_named_as_their_files() -> None:
    assert spaces.names() == (
        "digits", "fashion-mnist-cnn", "fashion-mnist-mlp", "flowers-cnn", "images-64-cnn", "photos-cnn",
        "photos-pretrained", "table-classes", "table-numbers",
    )  # fmt: skip
    for name in spaces.names():
        assert spaces.load(name).name == name
        assert spaces.library_file(name).is_file()


def test_an_unknown_shipped_name_is_refused() -> None:
    with pytest.raises(spaces.SpaceError, match=r"^nothing: no shipped space of that name; shipped: digits"):
        spaces.library_file("nothing")


def test_a_mistake_that_is_found_later_has_its_place_too(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text("name: a\ndata: {source: digits}\nmodel: {family: mlp, layers: 0}\ntraining: {epochs: 3}\n")
    mistakes = [problem(("training", "epochs"), "is wrong"), problem(("name",), "is bad")]
    found = spaces.placed(spaces.SpaceError(mistakes), file, ["name=b"])
    assert str(found) == f"--set name: is bad\n{file}:4: training.epochs: is wrong"
    assert spaces.placed(found, file) is found
    file.unlink()
    assert str(spaces.placed(spaces.SpaceError(mistakes), file)) == "training.epochs: is wrong\nname: is bad"


@pytest.mark.parametrize("name", spaces.names())
def test_what_is_dumped_loads_as_the_same(name: str, tmp_path: Path) -> None:
    spec = spaces.load(name)
    file = tmp_path / "space.yaml"
    file.write_text(spaces.dump(spec))
    again = spaces.load(file)
    assert again == spec
    assert spaces.dump(again) == spaces.dump(spec)


def test_a_dump_holds_every_form_of_setting(tmp_path: Path) -> None:
    spec = spaces.load(
        {
            "name": "all",
            "data": {"source": {"csv": "a.csv", "target": "no"}, "validation": {"first": 7}, "test": 0.25},
            "model": {
                "family": "mlp",
                "layers": [0, 1, 2],
                "units": {"shared": {"min": 8, "max": 64, "step": 2, "log": True}},
                "dropout": {"choices": [0.1, 0.2], "when": {"optimizer": ["sgd", "adamw"]}},
                "batch_normalization": [True, False],
                "l2": {"value": 1e-5, "when": {"layers": 2}},
            },
            "training": {
                "optimizer": ["sgd", "adamw", "adam"],
                "learning_rate": {"min": 1e-5, "max": 1e-1, "log": True},
                "epochs": {"min": 2, "max": 9},
                "loss": "mse",
                "stop_when": {"loss": {"below": 0.4}, "val_mae": {"above": 0.1, "below": 0.01}},
            },
            "search": {"algorithm": "random", "objective": {"name": "val_mae", "direction": "min"}},
            "limits": {"disk": "20GB", "seconds_per_epoch": 1.5},
            "baselines": [{"name": "b", "values": {"layers": 0}, "early_stopping": None, "epochs": 2}],
        }
    )
    file = tmp_path / "space.yaml"
    file.write_text(spaces.dump(spec))
    again = spaces.load(file)
    assert again == spec
    assert again.baselines[0].early_stopping is None
    assert again.limits.disk == 20 * 10**9
    assert again.data.target == "no"
    assert again.objective == spaces.Objective("val_mae", "min")


@pytest.mark.parametrize("name", ["Do you agree with {}", "Column  {}", "It's  so: {}", "\u200b  {} x", "??{}", ":{}"])
def test_a_dump_keeps_names_of_several_words_in_lines_of_any_length(name: str, tmp_path: Path) -> None:
    # Lines are broken somewhere after 200 characters: at each place that a name has, at least once.
    names = [name.format("w" * length) for length in range(1, 140)]
    data = {"source": {"csv": "a.csv"}, "columns": dict.fromkeys(names, "drop")}
    baseline = {"name": "b", "description": "  ".join(names), "values": {"layers": 0}}
    spec = spaces.load({**MINIMAL, "data": data, "baselines": [baseline]})
    targets = spaces.load({**MINIMAL, "data": {"source": {"csv": "a.csv"}, "target": names}})
    file = tmp_path / "space.yaml"
    for one in (spec, targets):
        file.write_text(spaces.dump(one), encoding="utf-8")
        assert spaces.load(file) == one


def test_numbers_and_words_follow_yaml_1_2(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        "name: no\ndata: {source: digits}\nmodel: {family: mlp, layers: 0x2, units: 1_000}\n"
        "training: {epochs: 1_0, learning_rate: 1e-4}\nconstraints: {parameters: 2_000_000}\n"
    )
    spec = spaces.load(file)
    assert spec.name == "no"
    assert spec.training.learning_rate == Fixed(1e-4)
    assert spec.max_epochs == 10
    assert spec.model.layers == Fixed(2)  # type: ignore[union-attr]
    assert spec.constraints.parameters == 2_000_000


def test_a_spec_is_returned_as_it_is_or_with_overrides() -> None:
    spec = spaces.load(MINIMAL)
    assert spaces.load(spec) is spec
    changed = spaces.load(spec, ["training.epochs={min: 2, max: 5}", "search.seed=7"])
    assert (changed.min_epochs, changed.max_epochs, changed.search.seed) == (2, 5, 7)
    assert changed.model == spec.model


def test_direct_construction_checks_as_loading_does() -> None:
    assert spaces.SearchSpec(**MINIMAL) == spaces.load(MINIMAL)
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.SearchSpec(**{**MINIMAL, "training": {"epochs": 0}, "modell": 1})
    assert [problem.key for problem in caught.value.problems] == ["modell", "training.epochs"]
    assert caught.value.problems[0].file is None


def test_a_run_that_began_without_formats_is_read() -> None:
    assert spaces.load({**MINIMAL, "export": {"formats": []}}, begun=True).export.formats == ()


def test_what_has_no_effect_is_no_mistake_of_a_run_that_began_with_it() -> None:
    space = {**MINIMAL, "training": {"epochs": 9, "stop_when": {"val_accuracy": {"above": 95}}}}
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load(space)
    assert [problem.key for problem in caught.value.problems] == ["training.stop_when.val_accuracy.above"]
    assert spaces.load(space, begun=True).max_epochs == 9


def test_keys_of_a_mapping_are_words() -> None:
    with pytest.raises(spaces.SpaceError, match="allowed: words as keys"):
        spaces.load({**MINIMAL, 3: "x"})
    with pytest.raises(spaces.SpaceError, match="model: found the key 3; allowed: words as keys"):
        spaces.load({**MINIMAL, "model": {3: "x"}})


def test_a_mapping_may_hold_paths_and_what_numpy_makes() -> None:
    data = {
        "name": "small",
        "data": {"source": {"folder": Path("photos")}, "validation": np.float32(0.25), "seed": np.int64(3)},
        "model": {"family": "mlp", "layers": np.int64(1), "units": np.array([8, 16])},
        "training": {
            "epochs": np.int32(3),
            "optimizer": list(np.array(["adam", "sgd"])),
            "momentum": {"min": np.float64(0.5), "max": 0.9, "step": np.float64(0.1)},
            "stop_when": {"loss": {"below": np.float64(0.5)}},
        },
        "search": {"algorithm": "freeze-thaw", "warm_start": [Path("runs/a")]},
        "baselines": [{"name": "b", "values": {"layers": np.int64(2), "units": 8}}],
    }
    spec = spaces.load(data)
    assert spec.data.source.location == str(Path.cwd() / "photos")  # type: ignore[union-attr]
    assert spec.search.warm_start == (str(Path.cwd() / "runs" / "a"),)
    assert spec.model.units.dimension == Choice((8, 16))  # type: ignore[union-attr]
    assert spaces.SearchSpec(**data) == spec
    assert spaces.load(YAML(typ="safe").load(spaces.dump(spec))) == spec


@pytest.mark.parametrize("name", ["a" * 300, "x/" + "a" * 300, "~nobody-of-this-name/x"])
def test_a_name_that_no_file_can_have_is_one_of_a_file_that_is_not_there(name: str) -> None:
    for source in ("folder", "npz", "idx"):
        spec = spaces.load({**MINIMAL, "data": {"source": {source: name}}})
        with pytest.raises(spaces.DataError, match=name[-8:]):
            spaces.load_data(spec)
    code = f"{name}.py:build" if "/" in name else f"{name}:build"
    spec = spaces.load({**MINIMAL, "model": {"family": {"python": code}}})
    with pytest.raises(spaces.CodeError, match=name[-8:]):
        load_function(spec.model.family.python)


def test_a_mapping_is_not_changed_by_loading() -> None:
    data = {**MINIMAL, "data": {"source": {"npz": "a.npz"}}}
    spaces.load(data, ["training.epochs=4"])
    assert data["data"] == {"source": {"npz": "a.npz"}}
    assert data["training"] == {"epochs": 3}


@pytest.mark.parametrize("overrides", [(), ["training.epochs=2"]])
@pytest.mark.parametrize("units", [(units for units in (16, 32)), {16: 1}.keys(), threading.Lock()])
def test_what_has_no_copy_is_named_by_its_key(units: Any, overrides: Any) -> None:
    space = {"name": "x", "data": {"source": "digits"}, "model": {"family": "mlp", "layers": 1, "units": units}}
    with pytest.raises(spaces.SpaceError, match=r"model\.units: found .*; allowed: a whole number"):
        spaces.load({**space, "training": {"epochs": 1}}, overrides)


class TestOverrides:
    def test_values_are_yaml_and_later_ones_win(self) -> None:
        spec = spaces.load("digits", ["model.units=[16, 32]", "model.layers=1", "model.layers=2", "name=tiny"])
        assert spec.model.units.dimension == Choice((16, 32))  # type: ignore[union-attr]
        assert spec.model.layers == Fixed(2)  # type: ignore[union-attr]
        assert spec.name == "tiny"

    def test_a_scalar_on_the_way_gives_place_to_a_mapping(self, tmp_path: Path) -> None:
        spec = spaces.load("flowers-cnn", [f"data.source.folder={tmp_path}", "training.epochs=2"])
        assert isinstance(spec.data.source, Source)
        assert spec.data.source.location == str(tmp_path)
        assert spec.max_epochs == 2

    @pytest.mark.parametrize("kind", ["parquet", "folder", "npz"])
    def test_a_source_of_another_kind_takes_the_place_of_the_spaces(self, tmp_path: Path, kind: str) -> None:
        override = f"data.source.{kind}={tmp_path}/x"
        written = {"csv": "t.csv", "separator": ";", "target": "price"}
        beside = spaces.load("table-classes", [override, "training.epochs=2"])
        for source in ("table-classes", beside, spaces.load("digits")):
            assert spaces.load(source, [override]).data.source == beside.data.source
            found = spaces.load(source, [override]).data.source
            assert isinstance(found, Source)
            assert (found.kind, found.location) == (kind, f"{tmp_path}/x")
        space = {"name": "x", "data": {"source": written}, "model": {"family": "mlp", "layers": 0}}
        changed = spaces.load({**space, "training": {"epochs": 1}}, [override])
        assert changed.data.source == beside.data.source
        assert changed.data.target_column == ("price" if kind == "parquet" else None)

    def test_of_two_sources_that_are_set_none_takes_the_place_of_the_other(self) -> None:
        for first in ("data.source.csv=a", "data.source={csv: a}"):
            with pytest.raises(spaces.SpaceError, match=r"found csv and parquet; allowed: exactly one"):
                spaces.load("table-classes", [first, "data.source.parquet=b"])

    def test_how_a_table_is_written_leaves_its_file(self) -> None:
        found = spaces.load("table-classes", ["data.source.encoding=latin-1"]).data.source
        assert isinstance(found, Source)
        assert (found.kind, found.encoding) == ("csv", "latin-1")

    @pytest.mark.parametrize("name", ["2020", "# sold", "Preis: EUR", "true", "[m2", "a, b"])
    def test_a_column_has_the_name_that_is_written(self, name: str) -> None:
        for key in ("data.target", "data.source.target", "data.target.column"):
            assert spaces.load("table-classes", ["data.source.csv=a", f"{key}={name}"]).data.target_column == name
        by_day = ["data.source.csv=a", "data.validation={time: day}"]
        day = spaces.load("table-classes", [*by_day, f"data.validation.time={name}"]).data.validation
        assert isinstance(day, KeyedRows)
        assert day.time == name
        roles = spaces.load("table-classes", ["data.source.csv=a", "data.columns.sepal.length=drop"]).data.columns
        assert roles == {"sepal.length": "drop"}

    @pytest.mark.parametrize(
        ("data", "override", "target"),
        [
            ({"source": {"csv": "a", "target": "x"}}, "data.target=y", "y"),
            ({"source": {"csv": "a", "target": "x"}}, "data.target.column=y", "y"),
            ({"source": {"csv": "a", "target": "x"}}, "data.target=null", None),
            ({"source": {"csv": "a"}, "target": "x"}, "data.source.target=y", "y"),
            ({"source": {"csv": "a"}, "target": "x"}, "data.source={csv: b, target: y}", "y"),
            ({"source": {"csv": "a"}, "target": {"column": "x"}}, "data.source.target=y", "y"),
        ],
    )
    def test_the_column_to_predict_gives_place_wherever_it_stands(
        self, data: dict[str, Any], override: str, target: str | None
    ) -> None:
        assert spaces.load({**MINIMAL, "data": data}, [override]).data.target_column == target

    def test_two_columns_to_predict_that_were_both_set_are_a_mistake(self) -> None:
        space = {**MINIMAL, "data": {"source": {"csv": "a", "target": "x"}}}
        for order in (1, -1):
            with pytest.raises(spaces.SpaceError, match="is given twice"):
                spaces.load(space, ["data.target=y", "data.source.target=z"][::order])
        both = {**MINIMAL, "data": {**space["data"], "target": "y"}}
        with pytest.raises(spaces.SpaceError, match="is given twice"):
            spaces.load(both, ["data.source.csv=b"])

    @pytest.mark.parametrize(
        ("written", "override", "left"),
        [
            ({"folds": 5, "pause": False}, "time=day", {"time": "day"}),
            ({"first": 5000}, "folds=4", {"folds": 4}),
            ({"first": 5000}, "group=who", {"group": "who"}),
            ({"time": "day", "size": 0.1}, "group=who", {"group": "who", "size": 0.1}),
            ({"group": "who", "size": 0.1}, "folds=4", {"folds": 4, "group": "who"}),
            ({"folds": 5, "pause": False}, "group=who", {"folds": 5, "group": "who", "pause": False}),
            ({"folds": 5}, "folds=4", {"folds": 4}),
            ({"time": "day"}, "group=null", {"time": "day"}),
        ],
    )
    def test_what_says_otherwise_which_rows_validate_gives_place(
        self, written: dict[str, Any], override: str, left: dict[str, Any]
    ) -> None:
        def space(validation: dict[str, Any]) -> dict[str, Any]:
            return {**MINIMAL, "data": {"source": {"csv": "a"}, "validation": validation}}

        found = spaces.load(space(written), [f"data.validation.{override}"]).data
        assert found == spaces.load(space(left)).data

    def test_of_two_ways_to_hold_rows_out_that_were_both_set_none_gives_place(self) -> None:
        for first in ("data.validation.folds=4", "data.validation={folds: 4}"):
            with pytest.raises(spaces.SpaceError, match="unknown key 'time'"):
                spaces.load("table-classes", [first, "data.validation.time=day"])

    def test_several_targets_and_none_are_still_yaml(self) -> None:
        found = {
            value: spaces.load("table-classes", ["data.source.csv=a", f"data.target={value}"]).data.target
            for value in ("[a, 'b']", "null", "", "'a b'", '"2020"')
        }
        assert list(found.values()) == [("a", "b"), None, None, "a b", "2020"]

    def test_signs_that_no_reader_sees_are_spelt_as_tables_spell_them(self) -> None:
        asked = ["data.source.csv=a", "data.target=x\u200cy", "data.columns={a\u200db: drop}"]
        data = spaces.load("table-classes", asked).data
        assert (data.target, data.columns) == ("x\\u200cy", {"a\\u200db": "drop"})

    def test_whole_numbers_may_be_written_with_an_exponent(self) -> None:
        spec = spaces.load("digits", ["constraints.parameters=1e6", "limits.disk=2e10", "search.max_trials=1e2"])
        whole = (spec.constraints.parameters, spec.limits.disk, spec.search.max_trials)
        assert whole == (1_000_000, 20_000_000_000, 100)
        assert {type(number) for number in whole} == {int}
        assert isinstance(spaces.load("digits", ["limits.seconds_per_trial=1e2"]).limits.seconds_per_trial, float)
        with pytest.raises(spaces.SpaceError, match=r"found 1.5; allowed: a whole number"):
            spaces.load("digits", ["constraints.parameters=1.5"])
        rows = spaces.load(
            "digits", ["data.validation=3e2", "data.test={first: 1e2}", "data.image_size=[1e1, 8.0]"]
        ).data
        assert (rows.validation, rows.image_size) == (300, (10, 8))
        assert type(rows.validation) is int

    @pytest.mark.parametrize("key", ["search.max_trials", "training.batch_size", "data.validation", "data.image_size"])
    def test_none_is_longer_than_what_can_be_read_again(self, key: str) -> None:
        with pytest.raises(spaces.SpaceError, match=rf"{key}: found 1e\+20; allowed: a"):
            spaces.load("digits", [f"{key}=1e20"])
        section, name = key.split(".")
        longest = {**MINIMAL, section: {**MINIMAL.get(section, {}), name: 10**18}}
        with pytest.raises(
            spaces.SpaceError, match=rf"{key}: found 1000000000000000000; allowed: .* at most 18 digits"
        ):
            spaces.load(longest)

    def test_a_value_with_a_hash_stands_in_quotes(self) -> None:
        space = {**MINIMAL, "data": {"source": {"csv": "#1.csv"}}}
        found = spaces.load(space, ["data.target='#rooms'", "data.columns={a#b: drop}"]).data
        assert (found.target, found.columns) == ("#rooms", {"a#b": "drop"})
        lines = "data.columns=\n  a: drop # no number\n  b: text"
        assert spaces.load(space, [lines]).data.columns == {"a": "drop", "b": "text"}

    def test_missing_mappings_are_made_and_null_takes_a_rule_away(self) -> None:
        spec = spaces.load("digits", ["limits.memory=2GB", "training.early_stopping=null"])
        assert spec.limits.memory == 2 * 10**9
        assert spec.training.early_stopping is None
        spec = spaces.load("digits", ["training.stop_when.loss.below=0.4"])
        assert spec.training.stop_when
        assert spaces.load(spec, ["training.stop_when=null"]).training.stop_when == ()

    def test_null_takes_a_section_away_that_may_be_left_out(self) -> None:
        model = {"family": "cnn", "blocks": 1, "filters": 8}
        plain = spaces.load({**MINIMAL, "model": model})
        more = {**model, "stem": {"filters": 4}, "augmentation": {"zoom": 0.1}}
        sections = ("search", "constraints", "limits", "keep_checkpoints", "final", "export")
        given = {**MINIMAL, "model": more, "constraints": {"parameters": 5}, "final": {"seeds": 1}}
        nulls = [f"{key}=null" for key in ("model.stem", "model.augmentation", *sections)]
        assert spaces.load(given, nulls) == plain
        assert spaces.dump(spaces.load(given, nulls)) == spaces.dump(plain)
        with pytest.raises(spaces.SpaceError, match="training: found nothing; allowed: a mapping"):
            spaces.load(given, ["training=null"])

    def test_an_item_of_a_list_is_named_by_its_position(self) -> None:
        spec = spaces.load("digits", ["baselines.0.values.units=32"])
        assert spec.baselines[0].values["units"] == 32
        with pytest.raises(spaces.SpaceError, match=r"found '0' as the position in a list; allowed: none, for it is"):
            spaces.load("digits", ["baselines=[]", "baselines.0.name=x"])

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ("training.epochs", "--set training.epochs: is not of the form key=value"),
            ("=3", "--set =3: is not of the form key=value"),
            ("training..epochs=3", "--set training..epochs=3: is not of the form key=value"),
            ("training.epochs=0", "--set training.epochs: found 0; allowed: a whole number of at least 1"),
            ("training.epoch=3", "--set training.epoch: unknown key 'epoch'; allowed: optimizer"),
            ("model.units.min=[", "--set model.units.min: is not valid YAML"),
            ("baselines.3.name=x", "--set baselines.3.name: found '3' as the position in a list; allowed: 0 to 0"),
            ("data.source.folder.x=1", "--set data.source.folder.x: data.source.folder: found a mapping"),
            ("name=!!python/name:os.system", "--set name: found the tag !!python/name:os.system"),
        ],
    )
    def test_a_mistake_names_the_override(self, override: str, expected: str) -> None:
        with pytest.raises(spaces.SpaceError) as caught:
            spaces.load("digits", [override])
        assert expected in str(caught.value)

    @pytest.mark.parametrize("key", ["training.optimizer.0.x", "training.batch_size.1.x.y", "model.activation.x"])
    def test_a_mapping_in_the_place_of_a_scalar_is_the_overrides_mistake(self, key: str) -> None:
        with pytest.raises(spaces.SpaceError) as caught:
            spaces.load("digits", [f"{key}=1"])
        assert {problem.file for problem in caught.value.problems} == {f"--set {key}"}

    def test_a_mistake_inside_an_overridden_mapping_names_the_override(self) -> None:
        with pytest.raises(spaces.SpaceError) as caught:
            spaces.load("digits", ["training.learning_rate={min: 1e-4, max: big}"])
        assert str(caught.value).startswith("--set training.learning_rate: training.learning_rate.max: found 'big'")

    def test_an_override_is_not_named_for_what_stands_beside_it(self) -> None:
        with pytest.raises(spaces.SpaceError) as caught:
            spaces.load(
                {"name": "x", "data": {}, "model": {"family": "mlp"}, "training": {"epochs": 1, "loss": "mes"}},
                ["training.epochs=2", "model.units.min=0"],
            )
        found = {problem.key: problem.file for problem in caught.value.problems}
        assert found["training.loss"] is None
        assert {*found.values()} == {None, "--set model.units.min"}

    def test_an_override_of_the_target_is_named_in_a_space_from_python(self) -> None:
        data = {"source": {"csv": "a.csv"}, "target": {"column": "y"}}
        space = {"name": "x", "data": data, "model": {"family": "mlp", "layers": 0}, "training": {"epochs": 1}}
        with pytest.raises(spaces.SpaceError) as caught:
            spaces.load(space, ["data.target.scale=big"])
        assert {problem.file for problem in caught.value.problems} == {"--set data.target.scale"}

    def test_all_wrong_overrides_are_named_beside_the_mistakes_of_the_file(self) -> None:
        with pytest.raises(spaces.SpaceError) as caught:
            spaces.load("digits", ["training", "name=[", "model.layers=0.5"])
        assert [problem.file for problem in caught.value.problems] == [
            "--set training", "--set name", "--set model.layers",
        ]  # fmt: skip

    def test_mistakes_of_file_and_override_are_told_apart(self, tmp_path: Path) -> None:
        file = tmp_path / "space.yaml"
        file.write_text("name: x\ndata: {source: digits}\nmodel: {family: mlp, layers: 0}\ntraining: {epochs: x}\n")
        with pytest.raises(spaces.SpaceError) as caught:
            spaces.load(file, ["data.seed=-1"])
        assert [(p.file, p.line) for p in caught.value.problems] == [("--set data.seed", None), (str(file), 4)]


class TestPaths:
    def space_in(self, folder: Path, source: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "space.yaml"
        text = f"name: x\ndata: {{source: {source}}}\nmodel: {{family: mlp, layers: 0}}\ntraining: {{epochs: 1}}\n"
        file.write_text(text)
        return file

    def test_beside_the_file_first_then_the_current_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = self.space_in(tmp_path / "spaces", "{npz: rows.npz}")
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        location = tmp_path / "spaces" / "rows.npz"
        assert spaces.load(file).data.source.location == str(location)  # type: ignore[union-attr]
        (tmp_path / "work" / "rows.npz").touch()
        assert spaces.load(file).data.source.location == str(tmp_path / "work" / "rows.npz")  # type: ignore[union-attr]
        location.touch()
        assert spaces.load(file).data.source.location == str(location)  # type: ignore[union-attr]
        with_override = spaces.load(file, ["data.source.npz=rows.npz"])
        assert with_override.data.source.location == str(tmp_path / "work" / "rows.npz")  # type: ignore[union-attr]

    @pytest.mark.parametrize("kind", ["csv", "folder", "npz"])
    @pytest.mark.parametrize("name", ["#1.csv", "[a].csv", "{b}", "2024", "1e3", "y: n", "a #b", "it's", "*x", "true"])
    def test_a_path_that_is_set_is_its_text(
        self, kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for written in (name, f" {name} ", json.dumps(name)):
            found = spaces.load("digits", [f"data.source.{kind}={written}"])
            assert found.data.source.location == str(tmp_path / name)  # type: ignore[union-attr]

    def test_null_takes_a_path_away_and_no_path_is_told(self) -> None:
        found = spaces.load("table-classes", ["data.source.csv=null", "data.source.parquet=a"])
        assert found.data.source.kind == "parquet"  # type: ignore[union-attr]
        with pytest.raises(spaces.SpaceError, match=r"data\.source\.csv: found an empty path"):
            spaces.load("table-classes", ["data.source.csv="])

    def test_a_python_source_is_found_but_not_imported(self, tmp_path: Path) -> None:
        file = self.space_in(tmp_path, "{python: 'rows:load'}")
        (tmp_path / "rows.py").write_text("raise SystemExit('imported')\n")
        spec = spaces.load(file)
        reference = f"{tmp_path / 'rows.py'}:load"
        assert spec.data.source.location == reference  # type: ignore[union-attr]
        assert spaces.imports(spec) == [(reference, str(tmp_path / "rows.py"))]
        assert "rows" not in sys.modules

    def test_installed_modules_are_found_without_importing_them(self, tmp_path: Path) -> None:
        spec = spaces.load(self.space_in(tmp_path, "{python: 'wsgiref.simple_server:make_server'}"))
        ((reference, file),) = spaces.imports(spec)
        assert reference == "wsgiref.simple_server:make_server"
        assert file.endswith("wsgiref/simple_server.py")
        assert "wsgiref" not in sys.modules
        missing = spaces.load(self.space_in(tmp_path, "{python: 'no_such_module:f'}"))
        assert spaces.imports(missing) == [("no_such_module:f", "")]

    def test_a_space_without_references_runs_nobody_elses_code(self) -> None:
        assert spaces.imports(spaces.load("digits")) == []


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = spaces.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_references_made_in_python_are_checked_and_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.py").touch()
    spec = spaces.SearchSpec(**{**MINIMAL, "data": {"source": {"python": "rows:load"}}})
    assert spec.data.source.location == f"{tmp_path / 'rows.py'}:load"  # type: ignore[union-attr]
    by_file = spaces.load({**MINIMAL, "data": {"source": {"python": "missing/rows.py:load"}}})
    assert by_file.data.source.location == f"{tmp_path / 'missing/rows.py'}:load"  # type: ignore[union-attr]
    with pytest.raises(spaces.SpaceError, match=r"data\.source\.python: found 'rows'"):
        spaces.SearchSpec(**{**MINIMAL, "data": {"source": {"python": "rows"}}})


class _Encoding(MLP.section):  # type: ignore[name-defined]
    encoder: Annotated[Dimension, Kind("word", words=("none",), endings=(".onnx",))]


class _Encoded(type(MLP)):  # type: ignore[misc]
    section = _Encoding

    def settings(self, section: Any) -> Any:
        return [*super().settings(section), setting_of(section, ("model",), "encoder")]


def test_files_of_a_family_from_outside_are_meant_from_the_space_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES._found, "mlp", _Encoded())
    (tmp_path / "here.onnx").touch()
    model = {"family": "mlp", "layers": 1, "units": 8, "encoder": ["none", "here.onnx"]}
    baseline = {"name": "plain", "values": {"units": 4, "encoder": "here.onnx"}}
    (tmp_path / "space.yaml").write_text(json.dumps({**MINIMAL, "model": model, "baselines": [baseline]}))
    monkeypatch.chdir("/")
    spec = spaces.load(tmp_path / "space.yaml")
    assert spec.model.encoder.values == ("none", str(tmp_path / "here.onnx"))  # type: ignore[attr-defined]
    assert spec.baselines[0].values["encoder"] == str(tmp_path / "here.onnx")


class TestSchema:
    @pytest.mark.parametrize("name", spaces.names())
    def test_shipped_files_and_their_dumps_fit(self, name: str, validator: Any) -> None:
        yaml = YAML(typ="safe", pure=True)
        validator.validate(yaml.load(spaces.library_file(name)))
        validator.validate(yaml.load(spaces.dump(spaces.load(name))))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("data", {"source": "digit"}),
            ("data", {"source": "digits", "validaton": 3}),
            ("data", {"source": "digits", "validation": 1.5}),
            ("model", {"family": "mlp", "layers": 1.5}),
            ("model", {"family": "mlp", "layers": {"min": 1}}),
            ("model", {"family": "cnn", "blocks": 1}),
            ("training", {"epochs": 0}),
            ("training", {"epochs": 1, "optimizer": "sdg"}),
            ("training", {"epochs": 1, "stop_when": {"loss": {"under": 3}}}),
            ("training", {"epochs": 1, "stop_when": {}}),
            ("training", {"epochs": 1, "metrics": ["auc", "auc"]}),
            ("training", {"epochs": 1, "batch_size": {"choices": [8, 8]}}),
            ("data", {"source": {"csv": "a"}, "target": ["b"]}),
            ("data", {"source": {"csv": "a"}, "validation": {"size": 3}}),
            ("data", {"source": {"csv": "a"}, "test": {"group": "b", "time": "c"}}),
            ("limits", {"disk": "much"}),
            ("export", {"formats": ["h5", "h5"]}),
            ("name", "a b"),
            ("final", {"candidates": 0}),
            ("unknown", 1),
        ],
    )
    def test_what_loading_refuses_does_not_fit(self, key: str, value: Any, validator: Any) -> None:
        assert validator.is_valid(MINIMAL)
        assert not validator.is_valid({**MINIMAL, key: value})
        with pytest.raises(spaces.SpaceError):
            spaces.load({**MINIMAL, key: value})

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("data", {"source": {"csv": "a", "target": ["b", "c"]}}),
            ("data", {"source": {"csv": "a"}, "validation": {"group": "b", "size": 3}}),
            ("data", {"source": "digits", "image_size": None}),
            ("limits", {"disk": " 1.5 GiB ", "memory": None}),
            ("training", {"epochs": 1, "early_stopping": None, "stop_when": None}),
            ("model", {"family": "cnn", "blocks": 1, "filters": 8, "stem": None, "augmentation": None}),
            ("final", None),
            ("search", None),
        ],
    )
    def test_what_loading_takes_fits(self, key: str, value: Any, validator: Any) -> None:
        assert spaces.load({**MINIMAL, key: value})
        validator.validate({**MINIMAL, key: value})

    def test_every_key_is_described(self) -> None:
        schema = spaces.json_schema()
        sections = [schema, *(found for found in schema["$defs"].values() if "properties" in found)]
        for section in sections:
            assert section["additionalProperties"] is False
            for name, key in section["properties"].items():
                assert "description" in key or "$ref" in key, name


def test_importing_is_quick_and_light() -> None:
    code = (
        "import sys, spaces; spaces.load('digits'); "
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'pandas', 'numpy', 'sklearn'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_spec_can_be_sent_to_another_process() -> None:
    spec = spaces.load("flowers-cnn")
    assert spec.space.hyperparameters
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec
    assert spaces.sample(again, 0, 5) == spaces.sample(spec, 0, 5)
    error = pickle.loads(pickle.dumps(spaces.SpaceError([spaces.Problem("f", 1, 2, "k", "m")])))
    assert str(error) == "f:1: k: m"


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'modle'"):
        spaces.modle  # noqa: B018


def test_ranges_keep_their_form() -> None:
    spec = spaces.load("digits")
    assert spec.model.layers == Range(1, 3, integer=True)  # type: ignore[union-attr]
    assert spec.training.learning_rate == Range(5e-4, 5e-2, integer=False, log=True)
