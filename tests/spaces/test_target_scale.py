"""Targets of a regression are learnt on a scale of their own, and answered and scored in the user's unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import spaces
from spaces.basics.errors import DataError, SpaceError
from spaces.data.target import require_told_apart, target_scale
from spaces.data.types import DataInfo, TargetScale
from spaces.layers.loss import ScaledLoss, output_scaling

PRICES = TargetScale("standard", (200_000.0,), (100_000.0,))


def space(path: Path, **changed: Any) -> dict[str, Any]:
    return {
        "name": "prices",
        "data": {"source": {"csv": str(path)}, "test": "none", **changed.get("data", {})},
        "model": changed.get("model", {"family": "mlp", "layers": 0}),
        "training": {"epochs": 1, "loss": "mse", **changed.get("training", {})},
    }


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    path = tmp_path / "houses.csv"
    path.write_text("size,price\n" + "".join(f"{i},{(i + 1) * 10_000}\n" for i in range(50)))
    return path


def test_the_scale_is_that_of_the_training_rows() -> None:
    y = np.array([1.0, 10.0, 100.0], np.float32)
    assert target_scale("none", y, "x") is None
    standard, log = target_scale("standard", y, "x"), target_scale("log", y, "x")
    assert standard is not None
    assert log is not None
    assert (standard.mean, standard.std) == ((37,), pytest.approx((y.std(),)))
    assert log.mean == pytest.approx((np.log(10),))
    constant = target_scale("standard", np.full(3, 7.0), "x")
    assert constant == TargetScale("standard", (7.0,), (1.0,))
    with pytest.raises(DataError, match=r"x: .* needs targets above 0, 1 of 2 are not \(the smallest is -1\)"):
        target_scale("log", np.array([-1.0, 2.0]), "x")


def test_targets_that_float32_cannot_hold_are_refused() -> None:
    spread = np.linspace(-1, 1, 50)
    for y in (1.7e9 + 86_400 * spread, 1e6 * spread, 1e-15 * spread, np.full(9, 0.1), np.arange(4), spread > 0):
        require_told_apart(y, "x", squared=True)
    both = np.stack([spread, 1.7e9 + 60 * spread], axis=1)
    with pytest.raises(DataError, match=r"x: targets such as 1699999940, with .* of 35.3, are hardly told apart"):
        require_told_apart(both, "x", squared=False)
    for scale in (1e-19, 1e20):
        require_told_apart(scale * spread, "x", squared=False)
        with pytest.raises(DataError, match=r"have squares that float32 does not hold; use another unit, or loss: mae"):
            require_told_apart(scale * spread, "x", squared=True)


@pytest.mark.parametrize(("training", "fits"), [({}, False), ({"loss": "mae", "metrics": ["mae"]}, True)])
def test_a_table_of_tiny_targets_needs_a_measure_without_squares(
    houses: Path, training: dict[str, Any], fits: bool
) -> None:
    houses.write_text("size,charge\n" + "".join(f"{i},{(i + 1) * 1.6e-19}\n" for i in range(50)))
    spec = spaces.load(space(houses, training=training))
    if fits:
        assert spaces.load_data(spec).info.target is not None
    else:
        with pytest.raises(DataError, match=r"\(target column 'charge'\): targets such as 1.6e-19, with"):
            spaces.load_data(spec)


def test_a_table_of_prices_is_learnt_on_their_scale_unless_it_is_said_otherwise(houses: Path) -> None:
    data = spaces.load_data(spaces.load(space(houses)))
    assert data.info.target is not None
    assert data.info.target.mean == pytest.approx((float(data.train.y.mean()),))
    assert data.train.y.max() > 100_000
    for scale, expected in (("none", None), ("log", "log")):
        info = spaces.load_data(spaces.load(space(houses, data={"target": {"scale": scale}}))).info
        assert (info.target and info.target.scale) == expected


def test_a_run_that_began_without_a_scale_goes_on_without(houses: Path) -> None:
    spec = spaces.load(space(houses))
    info = spaces.load_data(spec).info.to_json()
    del info["target"], info["table"]
    assert spaces.load_data(spec, DataInfo.from_json(info)).info.target is None


def test_a_scale_without_effect_is_refused(houses: Path) -> None:
    scaled = {"data": {"target": {"scale": "log"}}}
    with pytest.raises(SpaceError, match=r"data.target.scale: has no effect: the loss is one of classification"):
        spaces.load(space(houses, **scaled, training={"loss": "auto"}))
    with pytest.raises(SpaceError, match=r"data.target.scale: has no effect: family python learns"):
        spaces.load(space(houses, **scaled, model={"family": {"python": "builtins:print"}}))
    with pytest.raises(SpaceError, match="allowed: the name of a column"):
        spaces.load(space(houses, data={"target": 7}))


def test_the_column_may_stand_beside_the_file_and_the_scale_below_target(houses: Path) -> None:
    source = {"csv": str(houses), "target": "size"}
    spec = spaces.load(space(houses, data={"source": source, "target": {"scale": "none"}}))
    assert (spec.data.target_column, spec.data.target_scale) == ("size", "none")
    with pytest.raises(SpaceError, match="is given twice"):
        spaces.load(space(houses, data={"source": source, "target": "price"}))
    with pytest.raises(SpaceError, match=r"found 'size', but data.columns names price"):
        spaces.load(space(houses, data={"source": source, "columns": {"price": "target"}}))


@pytest.mark.parametrize("scale", ["standard", "log"])
def test_the_loss_is_in_the_unit_of_the_target_and_its_gradient_in_that_of_the_scale(scale: Any) -> None:
    tf = pytest.importorskip("tensorflow")
    mean, std = (12.0, 0.5) if scale == "log" else (PRICES.mean[0], PRICES.std[0])
    target = TargetScale(scale, (mean,), (std,))
    answer = tf.Variable([[0.25], [-0.5]])
    labels = np.array([210_000.0, 180_000.0], np.float32)
    with tf.GradientTape() as tape:
        predicted = keras.Sequential(output_scaling(target))(answer)
        made = ScaledLoss(keras.losses.MeanSquaredError(), scale, (mean,), (std,))
        loss = made(labels, predicted)
    scaled = ((np.log(labels) if scale == "log" else labels) - mean) / std
    in_unit = np.exp(mean + std * answer.numpy()) if scale == "log" else mean + std * answer.numpy()
    np.testing.assert_allclose(loss, ((in_unit[:, 0] - labels) ** 2).mean(), rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(loss, answer)[:, 0], answer.numpy()[:, 0] - scaled, rtol=2e-3)
    from_file = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(made))
    np.testing.assert_array_equal(from_file(labels, predicted), loss)


@pytest.mark.parametrize("unit", [1e-4, 1e-12])
def test_the_loss_of_targets_in_a_small_unit_keeps_its_digits(unit: float) -> None:
    made = ScaledLoss(keras.losses.MeanSquaredError(), "standard", (2 * unit,), (unit,))
    labels, predicted = (np.array(values, np.float32) * np.float32(unit) for values in ([1, 3], [[1.5], [2]]))
    np.testing.assert_allclose(made(labels, predicted), 0.625 * unit**2, rtol=1e-5)


def test_a_model_answers_in_the_unit_of_the_target(houses: Path) -> None:
    spec = spaces.load(space(houses))
    info = spaces.load_data(spec).info
    settings = spaces.configure(spec, spaces.sample(spec, 0, 1)[0])
    model = spaces.build_model(settings, info, seed=0)
    assert model.count_params() == spaces.count_parameters(settings, info) == 2
    assert info.target is not None
    middle = np.array([[info.mean[0]]], np.float32) if info.mean else np.zeros((1, 1), np.float32)
    np.testing.assert_allclose(model.predict_on_batch(middle), [info.target.mean], rtol=1e-5)
