"""Schedules, warm-up, smoothing, clipping, decay of kernels, moving average and precision as a space file says them."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces
from spaces.data.types import DataInfo, TargetScale
from spaces.outside import processor
from spaces.outside.processor import fast_precision, has_gpu, multiplies_bfloat16
from spaces.sections import training_section
from spaces.specs import plain
from spaces.values import rates

TABLE = DataInfo("tabular", (3,), "float32", "classification", "integer", 3)
PRICES = DataInfo("tabular", (3,), "float32", "regression", "number", 1, target=TargetScale("standard", (5.0,), (2.0,)))


def loaded(training: dict[str, Any], baselines: tuple[Any, ...] = (), **search: Any) -> spaces.SearchSpec:
    return spaces.load(
        {
            "name": "x",
            "data": {"source": "digits"},
            "model": {"family": "mlp", "layers": 1, "units": 4},
            "training": {"epochs": 10, **training},
            "search": search,
            "baselines": list(baselines),
        }
    )


def settings(**training: Any) -> spaces.Settings:
    return spaces.configure(loaded(training), {})


def refusals(**training: Any) -> list[str]:
    with pytest.raises(spaces.SpaceError) as caught:
        loaded(training)
    return [f"{problem.key}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("schedule", "warmup", "start", "top", "middle", "end"),
    [
        ("constant", 0.0, 1.0, 1.0, 1.0, 1.0),
        ("constant", 0.2, 0.0, 1.0, 1.0, 1.0),
        ("linear", 0.0, 1.0, 1.0, 0.5, 0.0),
        ("linear", 0.2, 0.0, 1.0, 0.625, 0.0),
        ("cosine", 0.0, 1.0, 1.0, 0.5, 0.0),
        ("cosine", 0.2, 0.0, 1.0, (1 + math.cos(math.pi * 3 / 8)) / 2, 0.0),
        ("one-cycle", 0.25, 0.04, 1.0, 0.75 * (1 - 4e-6) + 4e-6, 4e-6),
        ("one-cycle", 0.5, 0.04, 1.0, 1.0, 4e-6),
    ],
)
def test_a_schedule_at_its_start_at_the_end_of_the_warm_up_in_the_middle_and_at_its_end(
    schedule: str, warmup: float, start: float, top: float, middle: float, end: float
) -> None:
    found = [rates.share(schedule, warmup, done) for done in (0.0, warmup, 0.5, 1.0)]
    assert found == pytest.approx([start, top, middle, end], abs=1e-12)


@pytest.mark.parametrize("schedule", rates.SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.3])
def test_the_optimizers_rate_is_the_schedules_at_every_update(schedule: str, warmup: float, tensorflow: None) -> None:
    made = settings(optimizer="sgd", learning_rate=0.4, schedule=schedule, warmup=warmup)
    from spaces.models.optimizers import make_optimizer
    from spaces.models.scheduled_rate import scheduled

    optimizer = make_optimizer(made.training)
    rate = scheduled(optimizer)
    if schedule == "constant" and not warmup:
        assert rate is None
        return
    assert rate is not None
    rate.updates_per_epoch.assign(7.0)
    found = []
    for update in range(71):
        optimizer.iterations.assign(update)
        found.append(float(optimizer.learning_rate))
    expected = [0.4 * rates.share(schedule, warmup, update / 70) for update in range(71)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_cycle_warms_up_for_a_quarter_unless_told_otherwise() -> None:
    assert settings(schedule="one-cycle").training.warmup == 0.25
    assert settings(schedule="one-cycle", warmup=0.1).training.warmup == 0.1
    assert settings(schedule="cosine").training.warmup == 0.0


def test_the_schedule_spans_the_longest_training_whatever_a_trial_is_asked_for() -> None:
    spec = loaded({"epochs": {"min": 2, "max": 18}, "schedule": "cosine"}, algorithm="hyperband")
    assert spaces.configure(spec, {}).training.epochs == 18


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        (
            {"schedule": "cosine", "learning_rate_decay": 1e-6},
            "training.learning_rate_decay: has no effect: it needs schedule constant",
        ),
        (
            {"warmup": 0.1, "learning_rate_decay": 1e-6},
            "training.learning_rate_decay: has no effect: it needs warmup 0",
        ),
        (
            {"warmup": {"min": 0, "max": 0.3}, "learning_rate_decay": [0, 0.1]},
            "training.learning_rate_decay: has no effect: it needs warmup 0",
        ),
        (
            {"loss": "mse", "label_smoothing": 0.1},
            "training.label_smoothing: has no effect: the loss is one of regression, which has no classes",
        ),
        (
            {"schedule": "cosin"},
            "training.schedule: found 'cosin'; allowed: constant, cosine, linear, one-cycle (did you mean 'cosine'?)",
        ),
        ({"warmup": 1}, "training.warmup: found 1; allowed: a number of at least 0 and below 1"),
        ({"ema": 1}, "training.ema: found 1; allowed: a number of at least 0 and below 1"),
        ({"gradient_clip": -1}, "training.gradient_clip: found -1; allowed: a number of at least 0"),
        ({"precision": "float16"}, "training.precision: found 'float16'; allowed: float32, bfloat16, auto (did you "
                                   "mean 'bfloat16'?)"),
    ],
)  # fmt: skip
def test_what_has_no_effect_or_no_meaning_is_refused(training: dict[str, Any], expected: str) -> None:
    assert any(expected.startswith(found) or found.startswith(expected) for found in refusals(**training))


def test_all_are_ordinary_settings_with_conditions() -> None:
    spec = loaded(
        {
            "schedule": ["constant", "cosine"], "warmup": [0.0, 0.1], "learning_rate_decay": [0.0, 1e-4],
            "label_smoothing": {"min": 0.0, "max": 0.2}, "ema": [0.0, 0.999], "gradient_clip": [0.0, 1.0],
            "precision": ["float32", "bfloat16"],
        },
        algorithm="random",
    )  # fmt: skip
    for values in spaces.sample(spec, 0, 30):
        steady = values["schedule"] == "constant" and values["warmup"] == 0
        assert ("learning_rate_decay" in values) == steady
        made = spaces.configure(spec, values).training
        assert (made.ema, made.precision, made.schedule) == (values["ema"], values["precision"], values["schedule"])
    assert spaces.dump(spaces.load(plain.to_plain(spec))) == spaces.dump(spec)


def test_a_baseline_may_have_a_recipe_of_its_own() -> None:
    own = {"name": "b", "values": {"schedule": "one-cycle", "ema": 0.99}}
    spec = loaded({"schedule": ["constant", "cosine"]}, (own,))
    made = spaces.configure_baseline(spec, spec.baselines[0])
    assert (made.training.schedule, made.training.warmup, made.training.ema) == ("one-cycle", 0.25, 0.99)


def test_stored_settings_of_before_mean_what_they_meant() -> None:
    made = settings()
    stored = made.to_json()
    new = ("schedule", "warmup", "label_smoothing", "gradient_clip", "ema", "precision")
    stored["training"] = {name: value for name, value in stored["training"].items() if name not in new}
    assert spaces.Settings.from_json(stored) == made


def test_only_kernels_decay(tensorflow: None) -> None:
    made = settings(optimizer="sgd", learning_rate=0.5, weight_decay=0.1)
    normalized = spaces.configure(
        spaces.load({
            "name": "x", "data": {"source": "digits"}, "training": {"epochs": 1},
            "model": {"family": "mlp", "layers": 1, "units": 4, "batch_normalization": True},
        }), {},
    )  # fmt: skip
    made = spaces.Settings(made.family, normalized.model, made.training, {})
    model = spaces.build_model(made, TABLE, seed=0)
    ones = [np.ones_like(array) for array in model.get_weights()]
    model.set_weights(ones)
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    optimizer.apply([np.zeros(v.shape, "float32") for v in model.trainable_variables], model.trainable_variables)
    for variable in model.trainable_variables:
        expected = 1 - 0.5 * 0.1 if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(np.asarray(variable), expected, rtol=1e-6)


def test_only_kernels_decay_also_where_keras_scales_the_loss(tensorflow: None) -> None:
    import keras

    from spaces.models.model import compile_model
    from spaces.outside.backend import policy_kept

    with policy_kept():
        keras.config.set_dtype_policy("mixed_float16")
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    compile_model(model, settings(optimizer="sgd", learning_rate=0.5, weight_decay=0.1), TABLE)
    model.set_weights([np.ones_like(array) for array in model.get_weights()])
    model.optimizer.apply([np.zeros(v.shape, "float32") for v in model.trainable_variables], model.trainable_variables)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, 1 - 0.5 * 0.1, rtol=1e-6)
    np.testing.assert_array_equal(bias, 1)


@pytest.mark.parametrize("output", ["probabilities", "logits"])
@pytest.mark.parametrize("labels", ["integer", "one-hot", "binary"])
def test_smoothing_shares_a_label_out_while_training_alone(labels: str, output: str, tensorflow: None) -> None:
    from spaces.layers.loss import make_loss

    rng = np.random.default_rng(0)
    classes = 2 if labels == "binary" else 4
    info = DataInfo(
        "tabular", (3,), "float32", "classification", "one-hot" if labels == "one-hot" else "integer", classes
    )
    loss = make_loss("binary_crossentropy" if labels == "binary" else "auto", info, output, 0.2)
    y = rng.integers(0, classes, 6)
    logits = rng.normal(size=(6, 1 if labels == "binary" else classes)).astype("float32")
    if labels == "binary":
        both = np.hstack([np.zeros_like(logits), logits])
        given = y[:, None] if output == "logits" else y
    else:
        both = logits
        given = np.eye(classes, dtype="float32")[y] if labels == "one-hot" else y
    chances = np.exp(both) / np.exp(both).sum(axis=1, keepdims=True)
    answers = logits if output == "logits" else (chances[:, 1:] if labels == "binary" else chances)
    for training, share in ((True, 0.2), (False, 0.0)):
        loss.training = training
        wanted = np.eye(classes)[y] * (1 - share) + share / classes
        expected = -(wanted * np.log(chances)).sum(axis=1).mean()
        assert float(loss(given, answers)) == pytest.approx(expected, rel=1e-4)


def test_gradients_are_clipped_by_their_common_norm(tensorflow: None) -> None:
    from spaces.models.optimizers import make_optimizer

    made = settings(optimizer="sgd", learning_rate=1.0, gradient_clip=0.5)
    import keras

    weights = [keras.Variable(np.zeros(2, "float32")), keras.Variable(np.zeros(1, "float32"))]
    make_optimizer(made.training).apply([np.array([3.0, 0.0], "float32"), np.array([4.0], "float32")], weights)
    np.testing.assert_allclose(np.concatenate([np.asarray(w) for w in weights]), [-0.3, 0.0, -0.4], rtol=1e-6)


def test_bfloat16_computes_the_hidden_layers_and_nothing_else(tensorflow: None) -> None:
    made = settings(precision="bfloat16")
    model = spaces.build_model(made, TABLE)
    assert {layer.name: layer.compute_dtype for layer in model.layers} == {
        "flatten": "bfloat16", "dense_0": "bfloat16", "output": "float32",
    }  # fmt: skip
    assert {variable.dtype for variable in model.weights} == {"float32"}
    assert {layer.compute_dtype for layer in spaces.build_model(made.trained(), TABLE).layers} == {"float32"}


def test_a_policy_that_is_set_for_all_layers_is_none_of_our_families(tensorflow: None) -> None:
    import keras

    from spaces.outside.backend import policy_kept

    with policy_kept():
        keras.config.set_dtype_policy("mixed_float16")
        model = spaces.build_model(settings(), TABLE)
        assert keras.config.dtype_policy().name == "mixed_float16"
    assert {model.compute_dtype, *(layer.compute_dtype for layer in model.layers)} == {"float32"}
    assert isinstance(model.optimizer, keras.optimizers.Adam)


def test_nadam_with_all_it_needs_to_go_on_is_that_of_keras(tensorflow: None) -> None:
    import keras

    from spaces.models.optimizers import Nadam

    generator = np.random.default_rng(1)
    start, gradients = generator.normal(size=(3, 2)), generator.normal(size=(5, 3, 2))

    def trained(optimizer: Any) -> Any:
        weights = keras.Variable(start.astype("float32"))
        for gradient in gradients:
            optimizer.apply([gradient.astype("float32")], [weights])
        return weights.numpy()

    np.testing.assert_allclose(trained(Nadam(0.1)), trained(keras.optimizers.Nadam(0.1)), rtol=1e-5)


def test_muon_leaves_the_output_and_what_is_no_matrix_to_adamw(tensorflow: None) -> None:
    made = spaces.configure(loaded({"optimizer": "muon", "weight_decay": 0.01}), {})
    model = spaces.build_model(made, TABLE)
    model.optimizer.build(model.trainable_variables)
    names = [weight.path for weight in model.trainable_variables if not model.optimizer._should_use_adamw(weight)]
    assert [name.removeprefix("mlp/") for name in names] == ["dense_0/kernel"]
    assert (model.optimizer.weight_decay, model.optimizer.adam_weight_decay) == (0.01, 0.01)


def test_a_gpu_trains_small_networks_as_fast_in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = tmp_path / "nvidia0"
    assert not has_gpu(card)
    card.touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert has_gpu(card)
    for hidden in ("-1", ""):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not has_gpu(card)
    for fast, gpu, expected in ((True, False, "bfloat16"), (True, True, "float32"), (False, False, "float32")):
        monkeypatch.setattr(processor, "multiplies_bfloat16", lambda fast=fast: fast)
        monkeypatch.setattr(processor, "has_gpu", lambda gpu=gpu: gpu)
        assert fast_precision() == expected


def test_automatic_precision_of_a_functions_model_is_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_section, "fast_precision", lambda: "bfloat16")
    (tmp_path / "model.py").write_text("def build(hp): ...")
    for family, expected in (("mlp", "bfloat16"), ({"python": f"{tmp_path / 'model.py'}:build"}, "float32")):
        model = {"family": "mlp", "layers": 0} if family == "mlp" else {"family": family}
        training = {"epochs": 1, "precision": "auto"}
        spec = spaces.load({"name": "x", "data": {"source": "digits"}, "model": model, "training": training})
        assert spec.training.precision is not None
        assert spec.training.precision.values == (expected,)


def test_automatic_precision_is_what_the_processor_is_fast_in_and_is_kept_as_that(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    for flags, fast in ((" fpu avx2 avx512_bf16", True), (" fpu amx_bf16", True), (" fpu avx512f avx512_bf160", False)):
        info.write_text(f"processor\t: 0\nmodel name\t: X\nflags\t\t:{flags}\n\nprocessor\t: 1\n")
        assert multiplies_bfloat16.__wrapped__(info) is fast
    info.write_text("processor\t: 0\nFeatures\t: fp asimd bf16\n")
    assert multiplies_bfloat16.__wrapped__(info)
    assert not multiplies_bfloat16.__wrapped__(tmp_path / "none")
    expected = fast_precision()
    dumped = spaces.dump(loaded({"precision": "auto"}))
    assert f"precision: {expected}" in dumped
    assert "precision: auto" not in dumped
    assert refusals(precision=["auto", "float32"])[0].startswith("training.precision: auto is one of the others")


@pytest.mark.parametrize(
    ("training", "info"),
    [
        ({"schedule": "cosine", "warmup": 0.2, "optimizer": "nadam", "label_smoothing": 0.1}, TABLE),
        ({"warmup": 0.2, "focal_gamma": 2.0, "learning_rate": 0.1}, TABLE),
        ({"schedule": "one-cycle", "loss": "mse"}, PRICES),
    ],
    ids=["smoothed", "focal", "regression"],
)
def test_keras_alone_reads_a_trained_model_from_a_file(
    training: dict[str, Any], info: DataInfo, tmp_path: Path, tensorflow: None
) -> None:
    import keras

    made = settings(**training)
    model = spaces.build_model(made.trained(), info, seed=1)
    rows = np.eye(3, dtype="float32")
    expected = model.predict_on_batch(rows)
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        told = archive.read("config.json").decode()
    assert "nightshift" not in told
    assert "spaces." not in told
    for again in (keras.models.load_model(tmp_path / "m.keras"), keras.models.clone_model(model)):
        assert float(again.optimizer.learning_rate) == pytest.approx(made.training.learning_rate)
        again.set_weights(model.get_weights())
        np.testing.assert_allclose(again.predict_on_batch(rows), expected, rtol=1e-6)
    model.save(tmp_path / "m.h5")
    again = keras.models.load_model(tmp_path / "m.h5", compile=False)
    np.testing.assert_allclose(again.predict_on_batch(rows), expected, rtol=1e-6)
