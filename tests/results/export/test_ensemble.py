"""`final: {ensemble: 3}`: one model that averages the best configurations, where that is measurably better."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nightshift
import results
import spaces
from results.exporting.formats import FORMATS
from results.exporting.inference import inference_model
from results.exporting.reading.loading import load
from results.exporting.writing import write_model
from results.models import model_of
from search.files.rundir import Run
from search.phases.together import Together
from search.record.trial import TrialKind
from spaces.data.types import DataInfo

SPACE: dict[str, Any] = {
    "name": "together",
    "data": {"source": "digits", "validation": 0.3, "test": 0.3, "limit": 600},
    "model": {"family": "cnn", "blocks": 1, "filters": 4, "activation": ["relu", "gelu"]},
    "training": {"epochs": 2, "batch_size": 32, "learning_rate": [0.003, 0.01]},
    "search": {"algorithm": "random", "max_trials": 3},
    "final": {"candidates": 2, "seeds": 1, "ensemble": 3, "tta": "flip"},
    "export": {"formats": ["keras"], "quantisation_loss": 0.1},
}


def whole(folder: Path, monkeypatch: Any, better: bool) -> Run:
    found = Together("accuracy", 0.9, 0.8, 3.0 if better else 0.5)
    monkeypatch.setattr("search.phases.evaluation.compare", lambda *_, **__: found)
    return nightshift.run(SPACE, run_dir=folder / "run", workers=0, check=False)


@pytest.mark.parametrize("formats", [("keras", "tflite"), pytest.param(tuple(FORMATS), marks=pytest.mark.night)])
def test_models_that_are_better_together_are_measured_exported_and_described_as_one(
    formats: tuple[str, ...], tmp_path: Any, monkeypatch: Any, tensorflow: None
) -> None:
    if "onnx" in formats:
        pytest.importorskip("tf2onnx")
    run = whole(tmp_path, monkeypatch, better=True)
    with run.read() as reader:
        together, winner = reader.meta("ensemble"), reader.meta("winner")
        (evaluation,) = reader.evaluations()
    names = together["trials"]
    assert (len(set(names)), names[0]) == (3, winner)
    single = [model_of(run, name) for name in names]
    model = results.best_model(run)
    data = spaces.load_data(run.spec)
    rows = data.test.x.astype(np.float32)
    mean = np.mean([one.predict(rows, verbose=0) for one in single], axis=0)
    np.testing.assert_allclose(model.predict(rows, verbose=0), mean, atol=1e-5)
    with np.load(run.directory / evaluation.file) as stored:
        np.testing.assert_allclose(stored["predictions"], mean, atol=1e-5)

    done = results.export(run, formats=formats)
    assert {file.format: file.failure for file in done.files} == dict.fromkeys(formats)
    described = json.loads((done.directory / "metadata.json").read_text(encoding="utf-8"))
    assert [one["trial"] for one in described["model"]["ensemble"]["members"]] == names
    mirrors = 3 * 8 * 8
    assert described["model"]["parameters"] == model.count_params() - mirrors
    card = (done.directory / "model_card.md").read_text(encoding="utf-8")
    assert "Every answer is the average of those of 3 models" in card
    np.save(tmp_path / "rows.npy", data.test.x[:4])
    predicted = results.predict(done.directory / "model.tflite", [tmp_path / "rows.npy"])
    np.testing.assert_allclose([list(p.probabilities.values()) for p in predicted], mean[:4], atol=1e-3)
    page = results.report(run).read_text(encoding="utf-8")
    assert "3 models answer together" in page

    # One of them by itself is not what was measured.
    results.export(run, trial=names[0], formats=["keras"], output=tmp_path / "alone")
    alone = json.loads((tmp_path / "alone" / "metadata.json").read_text(encoding="utf-8"))
    assert (alone["model"]["ensemble"], alone["metrics"]["final"]) == (None, None)


def test_where_it_is_not_better_the_winner_is_alone_as_ever(tmp_path: Any, monkeypatch: Any, tensorflow: None) -> None:
    run = whole(tmp_path, monkeypatch, better=False)
    with run.read() as reader:
        assert reader.meta("ensemble")["trials"] == []
        assert reader.meta("winner").startswith("winner-")
        assert any("not measurably better" in event.message for event in reader.events())


@pytest.mark.night
def test_each_of_them_is_asked_about_mirror_images_as_it_was_trained(
    write_run: Any, tensorflow: None, tmp_path: Path
) -> None:
    model = {**SPACE["model"], "activation": "relu", "augmentation": {"flip": ["none", "horizontal"]}}
    space = {**SPACE, "model": model, "training": {"epochs": 2, "batch_size": 32}}
    spec = spaces.load(space)
    data = spaces.load_data(spec)
    run = write_run(spaces.dump(spec), data)
    rows = data.test.x.astype(np.float32)
    answers = []
    for seed, flip in enumerate(("horizontal", "none")):
        settings = spaces.configure(spec, {"augmentation_flip": flip})
        built = spaces.build_model(settings.trained(), data.info, seed=seed)
        plain, turned = (built.predict(part, verbose=0) for part in (rows, rows[:, :, ::-1]))
        answers.append((plain + turned) / 2 if flip == "horizontal" else plain)
        run.trial(f"000{seed}", TrialKind.SEARCH, settings, 0.5, best=run.weights(f"000{seed}", built.get_weights()))
    run.rows(data.test.x, data.test.y)
    facts = {"measure": "accuracy", "together": 0.9, "alone": 0.8, "certainty": 2.0, "rows": 9, "times": 2.0}
    run.meta(winner="0000", ensemble={"trials": ["0000", "0001"], "rival": "baseline-strong", **facts})
    mean = np.mean(answers, axis=0)
    np.testing.assert_allclose(results.best_model(Run(run.directory)).predict(rows, verbose=0), mean, atol=1e-5)

    done = results.export(run.directory)
    np.save(tmp_path / "rows.npy", data.test.x[:4])
    predicted = results.predict(done.directory / "model.keras", [tmp_path / "rows.npy"])
    np.testing.assert_allclose([list(p.probabilities.values()) for p in predicted], mean[:4], atol=1e-5)
    described = json.loads((done.directory / "metadata.json").read_text(encoding="utf-8"))["model"]
    assert [described["tta"], *(one["tta"] for one in described["ensemble"]["members"])] == ["none", "flip", "none"]
    card = (done.directory / "model_card.md").read_text(encoding="utf-8")
    assert "Of these models 0000 average what they answer to the image and its mirror image." in card
    assert "baseline-strong alone 0.8" in card.replace("\\", "")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"final": {"ensemble": 0}}, "final.ensemble: found 0; allowed: at least 1"),
        ({"keep_checkpoints": {"best": 2}}, "final.ensemble: found 3; allowed: at most 2"),
        (
            {"model": {"family": {"python": "a:b"}}, "final": {"ensemble": 2}},
            "final.ensemble: needs a family of layers",
        ),
    ],
)
def test_it_is_refused_where_it_cannot_be(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load({**SPACE, **changes})
    assert any(str(problem).startswith(expected) for problem in caught.value.problems), caught.value


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ({"family": "mlp", "layers": 1, "units": 4}, (6, 5)),
        pytest.param(
            {"family": "mlp", "layers": 1, "units": 4, "block": "residual"}, (6, 5, 3), marks=pytest.mark.night
        ),
        pytest.param({"family": "cnn", "blocks": 1, "filters": 4}, (6, 5), marks=pytest.mark.night),
        ({"family": "cnn", "blocks": 1, "filters": 4, "block": "residual", "batch_normalization": True}, (6, 5, 3)),
        pytest.param({"family": "conv1d", "blocks": 1, "filters": 4}, (6, 5), marks=pytest.mark.night),
    ],
)
def test_models_as_they_are_built_average_what_they_answer(
    model: dict[str, Any], shape: tuple[int, ...], tensorflow: None, tmp_path: Path
) -> None:
    kind = "series" if model["family"] == "conv1d" else "image"
    prepared: dict[str, Any] = {"image_size": (4, 4), "antialias": True}
    if kind == "series":
        prepared = {"mean": (0.2,) * shape[-1], "std": (0.7,) * shape[-1]}
    info = DataInfo(kind, shape, "float32", "classification", "integer", 3, **prepared)
    data = {"source": {"npz": "rows.npz"}, "kind": kind}
    space = {"name": "x", "data": data, "model": model, "training": {"epochs": 1}}
    settings = spaces.configure(spaces.load(space), {})
    members = [spaces.build_model(settings, info, seed=seed) for seed in (1, 2)]
    rows = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    mean = np.mean([one.predict(rows, verbose=0) for one in members], axis=0)
    fresh = [spaces.build_model(settings, info, seed=seed) for seed in (1, 2)]
    from spaces.models.averaged import averaged

    together = averaged(fresh, settings, info)
    np.testing.assert_allclose(together.predict(rows, verbose=0), mean, atol=1e-5)
    # What prepares the rows is inside of each of the models, and ONNX and LiteRT take some of it in other words only.
    for name in ("keras", "h5", *(("onnx", "tflite") if model["family"] in ("conv1d", "cnn") else ())):
        file = tmp_path / FORMATS[name].file
        write_model(inference_model(together, info), FORMATS[name], file)
        np.testing.assert_allclose(load(file).predict(rows), mean, atol=1e-5)
