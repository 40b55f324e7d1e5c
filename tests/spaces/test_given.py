"""Functions and arrays that a program gives itself stand in a space by reference. No TensorFlow is needed for that."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import spaces
from spaces.basics.errors import CodeError
from spaces.data.readers.objects import loader
from spaces.data.readers.python import load_python
from spaces.outside import given
from spaces.outside.references import file_of, load_function
from spaces.specs.objects import Known, with_references

X, Y = np.arange(20.0).reshape(10, 2), np.array([0, 1] * 5)


def make(units: int) -> Any:
    def build(hp):
        return hp, units

    return build


def spec(model: Any, data: Any) -> spaces.SearchSpec:
    return spaces.SearchSpec(name="mine", data=data, model=model, training={"epochs": 1})


def model_of(found: spaces.SearchSpec) -> str:
    return found.family.removeprefix("python:")


def test_a_function_and_arrays_stand_in_a_space_by_reference():
    build = make(1)
    found = spec({"family": build}, {"source": (X, Y), "test": 0.3})
    assert load_function(model_of(found)) is build
    assert found.data.test == 0.3
    np.testing.assert_array_equal(load_python(found.data.source.python).train.x, X)
    assert (
        spaces.load({"name": "mine", "data": (X, Y), "model": build, "training": {"epochs": 1}}).family == found.family
    )


def test_the_reference_follows_from_what_the_function_does():
    assert given.keep_function(make(1)) == given.keep_function(make(1))
    assert given.keep_function(make(1)) != given.keep_function(make(2))
    assert given.keep_function(make(np.zeros(3))).startswith("__given__:build_")
    assert given.spoken(given.keep_function(lambda hp: hp)) == "lambda"


def act(hp, *, activation="relu"):
    return hp, activation


class Building:
    width = 3

    def __init__(self, **chosen):
        self.chosen = chosen

    def build(self, hp):
        return hp, self.chosen


NET = "class Base:\n    def call(self, x): return x + {}\nclass ACT(Base):\n    def itself(self): return ACT"


def test_what_differs_in_its_values_has_another_reference():
    def kept(*functions):
        return [given.keep_function(one) for one in functions]

    wide = type("Building", (Building,), {"width": 4})
    narrow = type("Building", (Building,), {"width": 3})
    for one, same, other in (
        (partial(act, activation="relu"), partial(act, activation="relu"), partial(act, activation="tanh")),
        (Building(units=[1, 2]), Building(units=[1, 2]), Building(units=[1, 3])),
        (narrow, type("Building", (Building,), {"width": 3}), wide),
        (cell("ACT = 'relu'"), cell("ACT = 'relu'"), cell("ACT = 'tanh'")),
        (cell("ACT = 'relu'", "x + 1"), cell("ACT = 'relu'", "x + 1"), cell("ACT = 'relu'", "x + 2")),
        (cell("ACT = 'relu'", default=1), cell("ACT = 'relu'", default=1), cell("ACT = 'relu'", default=2)),
        (cell("N = 1", "[lambda: N]"), cell("N = 1", "[lambda: N]"), cell("N = 2", "[lambda: N]")),
        (cell("N = [1]", "N"), cell("N = [1]", "N"), cell("N = [1, 2]", "N")),
        (cell(NET.format(1)), cell(NET.format(1)), cell(NET.format(2))),
    ):
        first, again, another = kept(one, same, other)
        assert first == again
        assert first != another
    assert given.spoken(given.keep_function(partial(act, activation="elu"))) == "act"


def test_the_file_of_an_object_is_that_in_which_its_class_says_how_it_builds():
    there: dict[str, Any] = {}
    exec(compile("def build(hp): return 1", "/elsewhere/library.py", "exec"), there)
    wrapped = Building()
    wrapped.__dict__["build"] = there["build"]
    assert file_of(given.keep_function(wrapped)) == file_of(given.keep_function(Building)) == __file__
    assert file_of(given.keep_function(SimpleNamespace(build=there["build"]))) == "/elsewhere/library.py"
    there["Building"] = Building
    exec(compile("class Mine(Building):\n    def head(self): return 1", "/elsewhere/mine.py", "exec"), there)
    assert file_of(given.keep_function(there["Mine"]())) == "/elsewhere/mine.py"
    assert file_of(given.keep_function(partial(act, activation="relu"))) == ""


def cell(line: str, helping: str = "x", default: int = 0) -> Any:
    """The function that a cell of a notebook defines, with what it uses of other cells."""
    there: dict[str, Any] = {"__name__": "__main__"}
    source = f"{line}\ndef helps(x):\n    return {helping}\n"
    source += f"def build(hp, *, n={default}):\n    return helps(hp), ACT, n, build\n"
    exec(source, there)
    return there["build"]


def test_a_function_of_a_module_file_is_named_by_its_file(tmp_path, monkeypatch):
    (tmp_path / "mymodel_in_a_file.py").write_text("def build(hp):\n    return 1\n\nsame = [build]\n")
    monkeypatch.syspath_prepend(tmp_path)
    import mymodel_in_a_file

    found = with_references({"model": mymodel_in_a_file.build})
    assert found["model"]["family"] == {"python": f"{tmp_path}/mymodel_in_a_file.py:build"}
    monkeypatch.setattr(mymodel_in_a_file, "build", None)
    again = with_references({"model": mymodel_in_a_file.same[0]})
    assert given.is_given(again["model"]["family"]["python"])


def test_a_run_goes_on_with_a_function_for_its_data_that_stands_in_a_file_by_now(tmp_path, monkeypatch):
    (tmp_path / "mydata_in_a_file.py").write_text("def load():\n    return [[1, 2], [3, 4]], [0, 1]\n")
    monkeypatch.syspath_prepend(tmp_path)
    import mydata_in_a_file

    assert with_references({"data": mydata_in_a_file.load})["data"]["source"]["python"].endswith("in_a_file.py:load")
    known = Known(data="__given__:load_2")
    assert with_references({"data": mydata_in_a_file.load}, known)["data"]["source"] == {"python": known.data}
    assert given.find("__given__:load_2") is mydata_in_a_file.load


def test_a_run_goes_on_with_functions_that_stand_in_a_file_by_now(tmp_path, monkeypatch):
    (tmp_path / "mybuild_in_a_file.py").write_text("def build(hp):\n    return 1\n\ndef calls():\n    return []\n")
    monkeypatch.syspath_prepend(tmp_path)
    mine = importlib.import_module("mybuild_in_a_file")
    known = Known(model="__given__:build_3", callbacks="__given__:calls_3")
    found = with_references({"model": mine.build, "training": {"callbacks": mine.calls}}, known)
    assert found["model"]["family"] == {"python": known.model}
    assert found["training"]["callbacks"] == known.callbacks
    assert (given.find(known.model), given.find(known.callbacks)) == (mine.build, mine.calls)


def test_a_module_that_was_edited_and_loaded_again_is_taken_as_it_is_now(tmp_path, monkeypatch):
    file = tmp_path / "edited_model.py"
    file.write_text("def build(hp):\n    return 64\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import edited_model

    assert load_function(model_of(spec(edited_model.build, (X, Y))))(None) == 64
    file.write_text("def build(hp):\n    return 512\n")
    importlib.reload(edited_model)
    assert load_function(model_of(spec(edited_model.build, (X, Y))))(None) == 512


@pytest.mark.parametrize("held", [(X, Y), (X.tolist(), Y.tolist()), {"x": X, "y": Y}, lambda: (X, Y)])
def test_data_under_the_key_of_a_function_keep_what_stands_beside_them(held):
    data = {"source": {"python": held, "target": "label"}, "validation": 0.1}
    found = with_references({"data": data}, Known(data="__given__:data_1"))["data"]
    assert found == {"source": {"python": "__given__:data_1", "target": "label"}, "validation": 0.1}
    np.testing.assert_array_equal(load_python("__given__:data_1").train.x, X)


def test_a_run_keeps_its_references_when_things_are_given_again():
    first = make(5)
    found = with_references({"model": first, "data": (X, Y)}, Known("__given__:build_0", "__given__:data_0"))
    assert found == {
        "model": {"family": {"python": "__given__:build_0"}},
        "data": {"source": {"python": "__given__:data_0"}},
    }
    assert given.find("__given__:build_0") is first


def test_what_a_file_may_hold_is_left_for_its_own_checks():
    for data in (5, [1, 2], {"source": "digits"}, {"source": {"csv": "a.csv"}}, {"source": [1, [2]]}, None, "digits"):
        assert with_references({"data": data}) == {"data": data}
    for family in ("mlp", {"python": "a:b"}, 5, None, ["mlp"]):
        assert with_references({"model": {"family": family}}) == {"model": {"family": family}}


def test_a_list_of_callbacks_is_told_what_to_give():
    with pytest.raises(
        spaces.SpaceError, match=r"training.callbacks: found a list; allowed: .* such as lambda: \[...\]"
    ):
        spaces.SearchSpec(name="x", data=(X, Y), model=make(1), training={"epochs": 1, "callbacks": [object()]})


def test_data_of_no_known_form_are_refused():
    with pytest.raises(spaces.SpaceError, match=r"data\.source: found tuple of length 4; allowed: \(x, y\), "):
        spec({"family": make(1)}, (X, Y, X, Y))


def test_parts_are_those_of_fit():
    def raw(data: Any) -> Any:
        return load_python(given.keep_data(loader(data)))

    pairs = raw(((X, Y), (X[:3], Y[:3])))
    assert (len(pairs.train.x), len(pairs.validation.x), pairs.test) == (10, 3, None)
    three = raw([(X, Y), (X[:3], Y[:3]), (X[:2], Y[:2])])
    assert [len(part.x) for part in three.parts] == [10, 3, 2]
    named = raw({"x_train": X, "y_train": Y, "x_test": X[:4], "y_test": Y[:4]})
    assert (named.validation, len(named.test.x)) == (None, 4)
    assert raw(lambda: (X, Y)).train.y.tolist() == Y.tolist()
    assert raw((X.tolist(), Y.tolist())).train.x.shape == (10, 2)
    assert raw((X, Y)).origin == "data given from Python"


def test_a_frame_of_numbers_reaches_a_function_of_the_users_as_it_is():
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "label": [0, 1, 0]})

    def raw(data: Any) -> Any:
        return load_python(spec({"family": make(1)}, data).data.source.python)

    assert raw(frame).train.x.tolist() == [[1, 0.5], [2, 1.5], [3, 2.5]]
    assert raw((frame[["a", "b"]], frame["label"])).train.y.tolist() == [0, 1, 0]
    assert raw((frame[["a"]], pd.Series(["yes", "no", "yes"]))).train.y.tolist() == ["yes", "no", "yes"]


def test_what_another_process_gave_has_to_be_given_again():
    with pytest.raises(CodeError, match=r"^build was given from Python, in another process: .*nightshift\.resume"):
        load_function("__given__:build_12345678")
    assert file_of("__given__:build_12345678") == ""
    assert spaces.imports(spec({"family": make(1)}, (X, Y))) == []


def test_functions_travel_to_a_process_that_never_saw_their_source(tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from spaces.outside import given\n"
        "given.unpack({'__given__:build_1': open(sys.argv[2], 'rb').read(), '__given__:broken_1': b'nothing'})\n"
        "print(given.find('__given__:build_1')(3))\n"
        "try:\n    given.find('__given__:broken_1')(3)\n"
        "except ValueError as error:\n    print(error)\n"
    )
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def make(n):\n    def build(hp):\n        return hp + n\n    return build\nbuild = make(4)", namespace)
    reference = given.keep_function(namespace["build"])
    (tmp_path / "packed").write_bytes(given.packed()[reference])
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(root), str(tmp_path / "packed")], capture_output=True, text=True, check=True
    )
    seven, broken = done.stdout.splitlines()
    assert seven == "7"
    assert broken.startswith("broken cannot be taken by a worker process (")


def test_a_function_that_gives_data_stays_in_this_process(monkeypatch):
    monkeypatch.setattr(given, "_functions", {})

    def load():
        return X, Y

    build, data = make(1), spec({"family": make(2)}, load).data.source.python
    assert given.keep_function(build) in given.packed()
    assert data not in given.packed()
    assert (given.find(data), file_of(data), given.spoken(data)) == (load, __file__, "load")
    assert spec({"family": build}, {"source": load}).data.source.python == data
    np.testing.assert_array_equal(load_python(data).train.x, X)


PACKAGE = {
    "__init__": "",
    "sizes": "FACTOR = 10\n\ndef wide(n):\n    return n * FACTOR\n",
    "nets": (
        "from . import sizes\nfrom far_package.sizes import wide\n\n"
        "class Base:\n    def build(self, hp):\n        return 1\n\n"
        "class Mine(Base):\n    def __init__(self, n):\n        self.n = n\n"
        "    def build(self, hp):\n        return super().build(hp) + sizes.wide(self.n) + wide(hp)\n"
    ),
}


def test_workers_are_sent_what_they_need_of_all_that_a_session_has_given(monkeypatch):
    monkeypatch.setattr(given, "_functions", {})
    needed, other = given.keep_function(make(1)), given.keep_function(make(2))
    assert given.packed([needed, "module:function"]).keys() == {needed}
    assert given.packed().keys() == {needed, other}


def test_modules_of_the_users_go_along_to_another_machine(tmp_path, monkeypatch):
    import cloudpickle

    (tmp_path / "far_package").mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / "far_package" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    nets = importlib.import_module("far_package.nets")
    monkeypatch.setattr(given, "_functions", {})
    reference = given.keep_function(nets.Mine(2))
    before = cloudpickle.list_registry_pickle_by_value()
    (tmp_path / "here").write_bytes(given.packed()[reference])
    (tmp_path / "elsewhere").write_bytes(given.packed(elsewhere=True)[reference])
    assert cloudpickle.list_registry_pickle_by_value() == before
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from spaces.outside import given\n"
        "for file in sys.argv[2:]:\n"
        "    given.unpack({'__given__:Mine_1': open(file, 'rb').read()})\n"
        "    print(given.why_not_unpacked('__given__:Mine_1') or given.find('__given__:Mine_1').build(3))\n"
    )
    files = [str(tmp_path / name) for name in ("here", "elsewhere")]
    root = str(Path(__file__).parents[2])
    arguments = [sys.executable, "-c", program, root, *files]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    here, elsewhere = done.stdout.splitlines()
    assert here == "Mine cannot be taken by a worker process (ModuleNotFoundError: No module named 'far_package')"
    assert elsewhere == "51"


def test_what_cannot_go_along_whole_is_left_to_be_found_there(tmp_path, monkeypatch):
    (tmp_path / "holding_a_lock.py").write_text(
        "import threading\nLOCK = threading.Lock()\n\nclass Mine:\n    def build(self, hp):\n        return LOCK\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    mine = importlib.import_module("holding_a_lock").Mine()
    monkeypatch.setattr(given, "_functions", {})
    reference = given.keep_function(mine)
    assert given.packed(elsewhere=True) == given.packed()
    assert b"holding_a_lock" in given.packed()[reference]


def test_a_function_that_cannot_travel_says_why():
    lock = threading.Lock()

    def build(hp):
        return lock

    reference = given.keep_function(build)
    assert reference not in given.packed()
    assert "cannot pickle" in str(given.why_not_packed(reference)).lower()
