"""`final: {tta: flip}`: what is measured and exported averages over an image and its mirror image."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import results
import spaces
from search.clock import SystemClock
from search.files.store import RunStore
from search.phases.evaluation import FinalModel, evaluate
from search.record.standing import answers_both_ways
from search.record.trial import Trial, TrialKind, TrialState

SPACE = """\
name: both-ways
data: {source: digits, validation: 0.2, test: 0.2}
model:
  family: cnn
  blocks: 1
  filters: 4
  block: residual
  batch_normalization: true
  global_pooling: average
  augmentation: {flip: horizontal, shift: 0.1, mixup: 0.2}
training: {epochs: 1, batch_size: [32]}
search: {algorithm: random}
baselines: [{name: plain, values: {}, batch_size: 32}]
final: {tta: flip}
"""

_MAPPING = {
    "name": "x", "data": {"source": "digits"}, "model": {"family": "cnn", "blocks": 1, "filters": 4},
    "training": {"epochs": 1},
}  # fmt: skip
_CHOICE = ["none", "horizontal", "vertical", "both"]
_RESIDUAL = {"block": "residual"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: Any) -> Any:
    file = tmp_path_factory.mktemp("space") / "space.yaml"
    file.write_text(SPACE, encoding="utf-8")
    spec = spaces.load(file)
    data = spaces.load_data(spec)
    settings = spaces.configure(spec, {"batch_size": 32})
    model = spaces.build_model(settings.trained(), data.info, seed=4)
    rows = data.test.x.astype(np.float32)
    both = [model.predict(part, verbose=0) for part in (rows, rows[:, :, ::-1])]
    return spec, data, settings, model, both


def run_of(write_run: Any, made: Any) -> Any:
    _, data, settings, model, _ = made
    run = write_run(SPACE, data)
    for trial, kind, name in (("0000", TrialKind.SEARCH, ""), ("baseline-plain", TrialKind.BASELINE, "plain")):
        run.trial(trial, kind, settings, 0.5, best=run.weights(trial, model.get_weights()), name=name)
    run.rows(data.test.x, data.test.y)
    return run


@pytest.mark.night
def test_every_format_holds_the_average_and_says_so(write_run: Any, made: Any, tmp_path: Any) -> None:
    pytest.importorskip("tf2onnx")
    _, data, _, model, both = made
    run = run_of(write_run, made)
    result = results.export(run.directory, formats=["keras", "h5", "savedmodel", "onnx", "tflite"])
    assert [file.failure for file in result.files] == [None] * 5
    np.save(tmp_path / "rows.npy", data.test.x[:5])
    expected = (both[0] + both[1])[:5] / 2
    assert np.abs(both[0][:5] - expected).max() > 0.001
    for name in ("model.keras", "model.h5", "model.tflite"):
        found = results.predict(result.directory / name, [tmp_path / "rows.npy"])
        np.testing.assert_allclose([list(p.probabilities.values()) for p in found], expected, atol=1e-3)
    described = json.loads((result.directory / "metadata.json").read_text(encoding="utf-8"))
    assert (described["model"]["tta"], described["model"]["parameters"]) == ("flip", model.count_params())
    card = (result.directory / "model_card.md").read_text(encoding="utf-8")
    assert "the average of those to the image and to its mirror image" in card


def test_what_is_measured_is_the_average_and_a_baseline_is_left_as_it_is(write_run: Any, made: Any) -> None:
    spec, data, _, _, both = made
    run = run_of(write_run, made)
    found = {}
    with RunStore(run.directory) as store:
        for trial in store.trials():
            model = FinalModel(trial, trial.outcome.best, answers_both_ways(spec, trial))
            evaluate(run.directory, data, model, store, SystemClock(), 1)
        for done in store.evaluations():
            with np.load(run.directory / done.file) as stored:
                found[done.trial] = done.metrics["accuracy"], stored["predictions"]
    for name, answers in (("0000", (both[0] + both[1]) / 2), ("baseline-plain", both[0])):
        accuracy, predictions = found[name]
        np.testing.assert_allclose(predictions, answers, atol=1e-5)
        assert accuracy == pytest.approx((answers.argmax(axis=1) == data.test.y).mean())


@pytest.mark.parametrize(
    ("flip", "kind", "name", "values", "both"),
    [
        # The space leaves nothing to choose.
        (None, TrialKind.SEARCH, "", {}, True),
        ("none", TrialKind.SEARCH, "", {}, True),
        ("horizontal", TrialKind.WINNER, "", {}, True),
        (_CHOICE, TrialKind.WINNER, "", {"augmentation_flip": "both"}, True),
        (_CHOICE, TrialKind.WINNER, "", {"augmentation_flip": "none"}, False),
        (_CHOICE, TrialKind.SEARCH, "", {"augmentation_flip": "vertical"}, False),
        # Where the condition does not hold, no image is mirrored.
        ({"choices": _CHOICE, "when": _RESIDUAL}, TrialKind.SEARCH, "", {"block": "conv"}, False),
        ({"value": "horizontal", "when": _RESIDUAL}, TrialKind.SEARCH, "", {"block": "conv"}, False),
        ({"value": "horizontal", "when": _RESIDUAL}, TrialKind.SEARCH, "", {"block": "residual"}, True),
        (None, TrialKind.BASELINE, "plain", {}, False),
        (None, TrialKind.WINNER, "plain", {}, False),  # the baseline has won, and was trained again
    ],
)
def test_a_model_that_learnt_from_no_mirror_images_is_asked_about_none(
    flip: Any, kind: TrialKind, name: str, values: dict[str, Any], both: bool
) -> None:
    conditional = isinstance(flip, dict)
    model = {**_MAPPING["model"], **({"block": ["conv", "residual"]} if conditional else {})}
    if flip is not None:
        model["augmentation"] = {"flip": flip, "shift": 0.1}
    spec = spaces.load({**_MAPPING, "model": model, "final": {"tta": "flip"}})
    settings = spaces.configure(spec, values).to_json()
    trial = Trial("0", "0", kind, name, values, settings, 0, 0, 1, None, TrialState.COMPLETED, None, 0.0, 1.0)
    assert answers_both_ways(spec, trial) is both
    assert not answers_both_ways(spaces.load({**_MAPPING, "model": model}), trial)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
@pytest.mark.parametrize(
    "model",
    [
        {"family": "mlp", "layers": 1, "units": 4},
        {"family": "cnn", "blocks": 1, "filters": 4},
        {"family": "cnn", "blocks": 1, "filters": 4, "global_pooling": "average"},
    ],
)
def test_layers_after_the_mirror_know_their_shapes_in_every_format(
    model: dict[str, Any], shape: tuple[int, ...], tensorflow: None, tmp_path: Any
) -> None:
    from results.exporting.formats import FORMATS
    from results.exporting.inference import inference_model
    from results.exporting.reading.loading import load
    from results.exporting.writing import write_model
    from spaces.data.types import DataInfo
    from spaces.models.mirrored import mirrored

    info = DataInfo("image", shape, "uint8", "classification", "integer", 4, scale=1 / 255)
    space = {"name": "x", "data": {"source": "digits"}, "model": model, "training": {"epochs": 1}}
    settings = spaces.configure(spaces.load(space), {})
    both = mirrored(spaces.build_model(settings, info, seed=1), settings, info)
    rows = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.float32)
    for name in ("keras", "h5", "savedmodel"):
        file = tmp_path / FORMATS[name].file
        write_model(inference_model(both, info), FORMATS[name], file)
        found = load(file).predict(rows)
        np.testing.assert_allclose(found, both.predict(rows, verbose=0), rtol=1e-4, atol=1e-5, err_msg=name)


def test_colored_images_are_mirrored_from_left_to_right(tensorflow: None) -> None:
    from spaces.data.types import DataInfo
    from spaces.models.mirrored import mirrored

    info = DataInfo("image", (6, 5, 3), "uint8", "classification", "integer", 4, scale=1 / 255)
    space = {"name": "x", "data": {"source": "digits"}, "training": {"epochs": 1}}
    for output in ("logits", "probabilities"):
        model = {"family": "cnn", "blocks": 1, "filters": 4, "output": output}
        settings = spaces.configure(spaces.load({**space, "model": model}), {})
        plain = spaces.build_model(settings, info, seed=1)
        rows = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 3)).astype(np.float32)
        expected = (plain.predict(rows, verbose=0) + plain.predict(rows[:, :, ::-1], verbose=0)) / 2
        found = mirrored(plain, settings, info).predict(rows, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_layers_of_a_list_need_no_names(tensorflow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from keras import layers

    from spaces.data.types import DataInfo
    from spaces.families.mlp import MLP
    from spaces.models.mirrored import mirrored

    # As in `examples/extensions/maxout.py`: Keras gives them others with each model.
    monkeypatch.setattr(type(MLP), "hidden_layers", lambda *_: [layers.Flatten(), layers.Dense(3, activation="relu")])
    info = DataInfo("image", (6, 5), "uint8", "classification", "integer", 4, scale=1 / 255)
    space = {"name": "x", "data": {"source": "digits"}, "training": {"epochs": 1}}
    settings = spaces.configure(spaces.load({**space, "model": {"family": "mlp", "layers": 0}}), {})
    plain = spaces.build_model(settings, info, seed=1)
    rows = np.random.default_rng(0).integers(0, 256, (3, 6, 5)).astype(np.float32)
    expected = (plain.predict(rows, verbose=0) + plain.predict(rows[:, :, ::-1], verbose=0)) / 2
    found = mirrored(plain, settings, info).predict(rows, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"final": {"tta": "mirror"}}, "final.tta: found 'mirror'; allowed: none, flip"),
        ({"data": {"source": {"csv": "a.csv", "target": "y"}}}, "it mirrors images, and a csv source has none"),
        ({"model": {"family": {"python": "a:b"}}}, "needs a family of layers"),
    ],
)
def test_it_is_refused_where_it_has_no_effect(changes: dict[str, Any], expected: str) -> None:
    space = {
        "name": "x", "data": {"source": "digits"}, "training": {"epochs": 1},
        "model": {"family": "mlp", "layers": 0}, "final": {"tta": "flip"},
    }  # fmt: skip
    with pytest.raises(spaces.SpaceError) as caught:
        spaces.load({**space, **changes})
    assert any(expected in f"{problem.key}: {problem.message}" for problem in caught.value.problems)


def test_rows_that_turn_out_to_be_a_table_are_refused(tmp_path: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(20, 3))
    np.savez(tmp_path / "a.npz", x_train=rows, y_train=np.arange(20) % 2)
    space = {
        "name": "x", "data": {"source": {"npz": str(tmp_path / "a.npz")}}, "training": {"epochs": 1},
        "model": {"family": "mlp", "layers": 0}, "final": {"tta": "flip"},
    }  # fmt: skip
    with pytest.raises(spaces.DataError, match=r"final\.tta: .* holds rows of columns, no images"):
        spaces.load_data(spaces.load(space))
