"""Ten forms that Keras Tuner's guides teach, each as it is: as `{python: ...}` in a space file, and from Python."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import pytest

import nightshift as ns
import results
import search
import spaces
from tests.results.export.conftest import shown_code

ROOT = Path(__file__).parent.parent
FORMS = ROOT / "examples" / "keras_tuner"
SMALL: dict[str, Any] = {
    "training.epochs": 1,
    "search.algorithm": "random",
    "final.candidates": 1,
    "final.seeds": 0,
}
# Script, what builds, what loads, objective: everything that is said besides the script itself.
ALL = {
    "getting_started": ("build", "load", "val_accuracy"),
    "custom_fit": ("Plain", "load", "val_accuracy"),
    "own_step": ("custom_fit:own_step", "load", "val_accuracy"),
    "data_preprocessing": ("build", "load", "val_accuracy"),
    "visualize": ("build", "load", "val_accuracy"),
    "tailor": ("build", "load", "val_accuracy"),
    "subclassed": ("build", "load", "val_accuracy"),
    "hypermodel": ("wider", "load", "val_accuracy"),
    "hypermodel_class": ("hypermodel:Dense", "load", "val_accuracy"),
    "multi_input": ("build", "load", {"name": "val_digit_accuracy", "direction": "max"}),
    "conditional": ("build", "load", "val_accuracy"),
    "compile_choices": ("build", "load", {"name": "val_auc", "direction": "max"}),
}
BY_DAY = ("multi_input",)


@pytest.fixture(autouse=True)
def beside_each_other(monkeypatch):
    """The scripts import each other, as files of one folder do."""
    monkeypatch.syspath_prepend(str(FORMS))
    monkeypatch.delitem(sys.modules, "getting_started", raising=False)


def parts(form: str) -> tuple[str, str, Any]:
    """Module, what builds, and the rest of a form."""
    build, load, objective = ALL[form]
    module, _, name = f"{form}:{build}".rpartition(":") if ":" not in build else build.rpartition(":")
    return module, name, (load, objective)


def objects(module: str, *names: str) -> list[Any]:
    """What a script defines, as somebody has it who has run it in a notebook."""
    spec = importlib.util.spec_from_file_location("__main__", FORMS / f"{module}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return [getattr(made, name) for name in names]


def check(run: search.Run, form: str) -> results.exporting.ExportResult:
    """What everybody wants of a run."""
    assert len(run.table()) == 2
    assert run.table()["score"].notna().all()
    with run.read() as reader:
        assert len(reader.evaluations()) == 1
    exported = run.export()
    assert exported.verified, exported.files
    assert run.report(png=False).path.is_file()
    assert run.best_model().count_params() > 0
    return exported


def forms(*names: str) -> list[Any]:
    return [pytest.param(name, marks=() if name in BY_DAY else pytest.mark.night) for name in names]


@pytest.mark.parametrize("form", forms(*ALL))
def test_from_python(form, tmp_path):
    module, name, (load, objective) = parts(form)
    build, rows = objects(module, name, load)
    run = ns.run(
        build, data=rows(), objective=objective, max_trials=2, overrides=SMALL, run_dir=tmp_path / "run", workers=0
    )
    check(run, form)


@pytest.mark.night
@pytest.mark.parametrize("form", ALL)
def test_as_a_space_file(form, tmp_path):
    module, name, (load, objective) = parts(form)
    space = {
        "name": form.replace("_", "-"),
        "data": {"source": {"python": f"{FORMS / module}.py:{load}"}},
        "model": {"family": {"python": f"{FORMS / module}.py:{name}"}},
        "training": {"epochs": 1},
        "search": {"algorithm": "random", "max_trials": 2, "objective": objective},
        "final": {"candidates": 1, "seeds": 0},
    }
    check(search.run(space, run_dir=tmp_path / "run", workers=1), form)


def test_a_custom_fit_is_refused_with_what_to_do_instead():
    (custom, load) = objects("custom_fit", "Custom", "load")
    with pytest.raises(spaces.CodeError, match=r"Custom has a fit\(\) of its own, which is never called: .*batch size"):
        ns.run(custom, data=load(), max_trials=2)


def test_a_tuner_is_refused_with_what_to_give_instead(tmp_path):
    (build, load) = objects("getting_started", "build", "load")
    tuner = keras_tuner.RandomSearch(build, "val_accuracy", 1, directory=tmp_path)
    for given in (tuner, keras_tuner.RandomSearch):
        with pytest.raises(spaces.CodeError, match=r"RandomSearch is a tuner of Keras Tuner; give the build\(hp\)"):
            ns.run(given, data=load(), max_trials=2)


@pytest.mark.night
def test_several_inputs_and_outputs_are_exported_and_predicted_with(tmp_path):
    build, load = objects("multi_input", "build", "load")
    x, y = load()
    run = ns.run(
        build, data=(x, y), objective=("val_digit_accuracy", "max"), max_trials=1, overrides=SMALL,
        run_dir=tmp_path / "run", workers=0,
    )  # fmt: skip
    exported = run.export(formats=["keras", "h5", "savedmodel", "onnx", "tflite"])
    assert [file.format for file in exported.files] == ["keras", "h5", "savedmodel", "onnx", "tflite"]
    assert exported.verified, exported.files
    assert exported.unfit == ()
    np.savez(tmp_path / "rows.npz", **{name: part[:3] for name, part in x.items()})
    found = results.predict(run.directory, [tmp_path / "rows.npz"])
    answers = run.best_model().predict({name: part[:3] for name, part in x.items()}, verbose=0)
    expected = np.concatenate([answers["digit"], answers["size"]], axis=1)
    np.testing.assert_allclose([one.values for one in found], expected, rtol=1e-3, atol=1e-4)
    card = (run.directory / "export" / "model_card.md").read_text()
    assert "`rows` is a dict of NumPy arrays: image (n, 8, 8, 1) uint8, total (n, 1) float32." in card
    for answered in shown_code(card, run.directory / "export", {name: part[:3] for name, part in x.items()}):
        ordered = answered if isinstance(answered, list) else [answered[name] for name in sorted(answered)]
        told = np.concatenate([np.asarray(part) for part in ordered], axis=1)
        np.testing.assert_allclose(told, expected, rtol=1e-3, atol=1e-4)
    with run.read() as reader:
        (evaluation,) = reader.evaluations()
    assert {"digit_accuracy", "size_mae"} <= set(evaluation.metrics)


def test_the_page_lists_every_script():
    page = (ROOT / "docs" / "howto" / "keras-tuner.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"examples/keras_tuner/(\w+)\.py", page))
    assert listed == {path.stem for path in FORMS.glob("*.py")}
    assert len(listed) == 10
    for said_elsewhere in ("several objectives", "tune_new_entries=False", "allow_new_entries=False", "run_trial()"):
        assert re.search(rf"^\| .*{re.escape(said_elsewhere)}.* \| .+ \|$", page, re.MULTILINE), said_elsewhere
