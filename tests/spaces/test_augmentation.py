"""Random changes of training images: each against plain NumPy, and none of them where a model predicts."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import spaces
from spaces.data.types import DataInfo

DIGITS = DataInfo("image", (8, 8), "uint8", "classification", "integer", 10, scale=1 / 16, white=16.0)
TABLE = DataInfo("tabular", (4,), "float32", "classification", "integer", 3)
EVERY: dict[str, Any] = {
    "flip": "both", "rotation": 0.1, "zoom": 0.1, "shift": 0.2, "cutout": 0.3, "brightness": 0.2, "contrast": 0.3,
    "mixup": 0.4,
}  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {
    "cnn": {"family": "cnn", "blocks": 1, "filters": 4},
    "mlp": {"family": "mlp", "layers": 1, "units": 8},
}


def loaded(family: str, augmentation: dict[str, Any], source: Any = "digits", **training: Any) -> spaces.SearchSpec:
    model = {**MODELS[family], "augmentation": augmentation}
    return spaces.load({"name": "x", "data": {"source": source}, "model": model, "training": {"epochs": 1, **training}})


def refusals(*arguments: Any, **training: Any) -> list[str]:
    with pytest.raises(spaces.SpaceError) as caught:
        loaded(*arguments, **training)
    return [f"{problem.key}: {problem.message}" for problem in caught.value.problems]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Layers draw their seeds from here."""
    random.seed(1)


@pytest.fixture
def images() -> Any:
    return np.random.default_rng(1).uniform(0, 16, (12, 7, 5, 3)).astype(np.float32)


def test_mirrored_and_shifted_images_are_those_that_numpy_mirrors_pads_and_crops(images: Any, tensorflow: None) -> None:
    from spaces.layers.random_layers import placed

    rng = np.random.default_rng(2)
    mirrored, upside_down = rng.random((2, 12)) < 0.5
    down, right = rng.integers(-2, 3, 12, dtype=np.int32), rng.integers(-1, 2, 12, dtype=np.int32)
    found = placed(images, mirrored, upside_down, down, right, (2, 1)).numpy()
    for index, image in enumerate(images):
        turned = image[:: -1 if upside_down[index] else 1, :: -1 if mirrored[index] else 1]
        padded = np.pad(turned, ((2, 2), (1, 1), (0, 0)))
        top, left = 2 - down[index], 1 - right[index]
        np.testing.assert_array_equal(found[index], padded[top : top + 7, left : left + 5])


def test_light_is_changed_around_the_mean_of_every_channel_and_stays_within_its_limits(
    images: Any, tensorflow: None
) -> None:
    from spaces.layers.random_layers import lit

    rng = np.random.default_rng(3)
    change, factor = rng.uniform(-8, 8, 12).astype(np.float32), rng.uniform(0.5, 1.5, 12).astype(np.float32)
    for limits in ((0.0, 16.0), None):
        found = lit(images, change, factor, limits).numpy()
        for index, image in enumerate(images):
            mean = image.mean(axis=(0, 1))
            expected = (image - mean) * factor[index] + mean + change[index]
            expected = expected if limits is None else expected.clip(*limits)
            np.testing.assert_allclose(found[index], expected, rtol=1e-4, atol=1e-4)


def test_a_rectangle_is_blotted_out_also_where_it_lies_partly_outside(images: Any, tensorflow: None) -> None:
    from spaces.layers.random_layers import cut

    row, column = np.arange(-2, 10, dtype=np.int32), np.arange(9, -3, -1, dtype=np.int32)
    found = cut(images, row, column, (3, 2), (1.0, 2.0, 3.0)).numpy()
    for index, image in enumerate(images):
        expected = image.copy()
        for y in range(row[index], row[index] + 3):
            for x in range(column[index], column[index] + 2):
                if 0 <= y < 7 and 0 <= x < 5:
                    expected[y, x] = (1, 2, 3)
        np.testing.assert_array_equal(found[index], expected)


def test_images_and_labels_are_mixed_with_those_before_them(images: Any, tensorflow: None) -> None:
    from spaces.layers.random_layers import mixed

    share = np.linspace(0.5, 1, 12, dtype=np.float32)
    for rows in (images, np.eye(12, dtype=np.float32)):
        found = mixed(rows, share).numpy()
        for index in range(12):
            np.testing.assert_allclose(
                found[index], share[index] * rows[index] + (1 - share[index]) * rows[index - 1], rtol=1e-6
            )


def draws(layer: Any, images: Any) -> Any:
    return np.concatenate([layer(images, training=True).numpy() for _ in range(20)])


def test_every_flip_and_every_shift_up_to_the_largest_is_drawn(tensorflow: None) -> None:
    from spaces.layers.random_layers import RandomPlacement

    image = np.zeros((16, 9, 9, 1), np.float32)
    image[:, 4, 4] = 1
    found = draws(RandomPlacement("none", 0.25, "x"), image)
    places = {(int(y), int(x)) for _, y, x, _ in np.argwhere(found)}
    assert places == {(y, x) for y in range(2, 7) for x in range(2, 7)}
    corner = np.zeros((16, 3, 3, 1), np.float32)
    corner[:, 0, 0] = 1
    for flip, expected in {
        "horizontal": {(0, 0), (0, 2)}, "vertical": {(0, 0), (2, 0)}, "both": {(0, 0), (0, 2), (2, 0), (2, 2)},
    }.items():  # fmt: skip
        found = draws(RandomPlacement(flip, 0.0, "x"), corner)
        assert {(int(y), int(x)) for _, y, x, _ in np.argwhere(found)} == expected
        assert found.sum() == len(found)


def test_the_least_shift_is_of_one_pixel_where_there_is_more_than_one(tensorflow: None) -> None:
    from spaces.layers.random_layers import RandomPlacement

    image = np.zeros((16, 8, 1, 1), np.float32)
    image[:, 4, 0] = 1
    found = draws(RandomPlacement("none", 0.05, "x"), image)
    assert {(int(y), int(x)) for _, y, x, _ in np.argwhere(found)} == {(3, 0), (4, 0), (5, 0)}
    assert found.sum() == len(found)
    np.testing.assert_array_equal(RandomPlacement("none", 0.0, "x")(image, training=True), image)


def test_no_image_is_shifted_out_of_sight(tensorflow: None) -> None:
    from spaces.layers.random_layers import RandomPlacement

    found = draws(RandomPlacement("none", 0.99, "x"), np.ones((16, 4, 1, 1), np.float32))
    assert {int(one) for one in found.sum(axis=(1, 2, 3))} == {1, 2, 3, 4}


def test_the_middle_of_a_cutout_is_anywhere_in_the_image(tensorflow: None) -> None:
    from spaces.layers.random_layers import RandomCutout

    found = draws(RandomCutout(0.4, (0.0,), "x"), np.ones((16, 5, 5, 1), np.float32)) == 0
    assert {tuple(mask.any(axis=(1, 2)).astype(int)) for mask in found} >= {(1, 0, 0, 0, 0), (0, 0, 0, 1, 1)}
    assert found.mean(axis=0).min() > 0.005
    assert {int(mask.sum()) for mask in found} == {1, 2, 4}


def test_light_changes_by_no_more_than_was_asked_for(tensorflow: None) -> None:
    from spaces.layers.random_layers import RandomLight

    images = np.array([[[1.0], [3.0]]], np.float32).repeat(16, axis=0)[..., None]
    found = draws(RandomLight(0.5, 0.0, None, "x"), images)[:, 0, 0, 0] - 1
    assert -0.5 <= found.min() < -0.3
    assert 0.3 < found.max() <= 0.5
    found = draws(RandomLight(0.0, 0.5, None, "x"), images)
    apart = found[:, 1, 0, 0] - found[:, 0, 0, 0]
    assert 1 <= apart.min() < 1.2
    assert 2.8 < apart.max() <= 3


@pytest.mark.parametrize("alpha", [0.001, 0.4])
def test_an_image_keeps_at_least_half_of_itself(alpha: float, tensorflow: None) -> None:
    from spaces.layers.random_layers import Mixup

    layer = Mixup(alpha, "x")
    shares = []
    for _ in range(20):
        layer(np.zeros((16, 2, 2, 1), np.float32), training=True)
        shares.append(layer.share.numpy())
    assert np.min(shares) >= 0.5
    assert np.max(shares) == pytest.approx(1, abs=0.01)
    layer(np.zeros((16, 2, 2, 1), np.float32), training=False)
    assert layer.share is None


@pytest.mark.parametrize("labels", ["integer", "one-hot"])
@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_the_loss_of_mixed_images_is_that_of_both_labels(labels: Any, output: str, tensorflow: None) -> None:
    from dataclasses import replace
    from types import SimpleNamespace

    from spaces.layers.loss import make_loss

    info, share = replace(DIGITS, outputs=3, labels=labels), np.array([0.5, 0.8, 1.0, 0.6], np.float32)
    mixup: Any = SimpleNamespace(share=share)
    loss = make_loss("auto", info, output, 0.1, mixup)
    y = np.array([0, 2, 1, 1])
    logits = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    one_hot = np.eye(3)[y]
    wanted = share[:, None] * one_hot + (1 - share[:, None]) * one_hot[[3, 0, 1, 2]]
    expected = -(np.log(probabilities) * (0.9 * wanted + 0.1 / 3)).sum(axis=1).mean()
    given = y.astype(np.int32) if labels == "integer" else one_hot.astype(np.float32)
    assert float(loss(given, probabilities if output == "probabilities" else logits)) == pytest.approx(
        expected, rel=1e-5
    )
    mixup.share, loss.training = None, False
    plain = -np.log(probabilities[np.arange(4), y]).mean()
    assert float(loss(given, probabilities if output == "probabilities" else logits)) == pytest.approx(plain, rel=1e-5)


def test_two_classes_with_one_output_are_mixed_too(tensorflow: None) -> None:
    from dataclasses import replace
    from types import SimpleNamespace

    from spaces.layers.loss import make_loss

    share: Any = SimpleNamespace(share=np.array([0.7, 0.9], np.float32))
    loss = make_loss("binary_crossentropy", replace(DIGITS, outputs=2), "probabilities", 0.0, share)
    with pytest.raises(ValueError, match="mixes its images cannot be saved as a whole while it is trained"):
        loss.get_config()
    p = np.array([[0.2], [0.6]], np.float32)
    wanted = np.array([0.3, 0.9])
    expected = -(wanted * np.log(p[:, 0]) + (1 - wanted) * np.log(1 - p[:, 0])).mean()
    assert float(loss(np.array([0, 1], np.int32), p)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("family", list(MODELS))
def test_nothing_of_it_is_in_a_model_that_predicts(family: str, tensorflow: None) -> None:
    made = spaces.configure(loaded(family, EVERY), {})
    training, predicting = (spaces.build_model(settings, DIGITS, seed=1) for settings in (made, made.trained()))
    names = [layer.name for layer in training.layers]
    assert names[:7] == [
        "channel", "random_placement", "random_rotation", "random_zoom", "random_light", "random_cutout", "mixup",
    ]  # fmt: skip
    assert not any("random" in layer.name or "mixup" in layer.name for layer in predicting.layers)
    assert spaces.count_parameters(made, DIGITS) == training.count_params() == predicting.count_params()
    predicting.set_weights(training.get_weights())
    rows = np.random.default_rng(0).integers(0, 17, (3, 8, 8)).astype(np.float32)
    np.testing.assert_array_equal(training.predict(rows, verbose=0), predicting.predict(rows, verbose=0))


@pytest.mark.parametrize("name", list(EVERY))
def test_each_of_them_alone_changes_what_is_trained_on(name: str, tensorflow: None) -> None:
    model = spaces.build_model(spaces.configure(loaded("cnn", {name: EVERY[name]}), {}), DIGITS, seed=1)
    rows = np.random.default_rng(0).integers(0, 17, (8, 8, 8)).astype(np.float32)
    assert np.abs(model(rows, training=True) - model(rows, training=False)).max() > 1e-5


def test_settings_are_searched_recorded_and_read_again_like_all_others() -> None:
    from spaces.specs.plain import to_plain

    ranges = {**{name: {"min": 0.0, "max": 0.5} for name in EVERY if name != "flip"}, "flip": ["none", "both"]}
    for family in MODELS:
        spec = loaded(family, ranges)
        found = {h.name for h in spec.space.hyperparameters}
        assert found == {f"augmentation_{name}" for name in EVERY}
        assert spaces.load(to_plain(spec)).space.hyperparameters == spec.space.hyperparameters
        values = spaces.sample(spec, 0, 1)[0]
        made = spaces.configure(spec, values)
        assert spaces.Settings.from_json(made.to_json()) == made
        assert {name: made.model[name] for name in found} == values


@pytest.mark.parametrize("family", list(MODELS))
def test_a_stored_configuration_without_them_is_trained_on_the_rows_as_they_are(family: str) -> None:
    made = spaces.configure(loaded(family, {}), {})
    stored = made.to_json()
    stored["model"] = {name: value for name, value in stored["model"].items() if "augmentation" not in name}
    assert spaces.Settings.from_json(stored) == made


def test_what_has_no_effect_is_refused() -> None:
    expected = "model.augmentation.shift: has no effect: it changes images, and a csv source has none"
    for family in MODELS:
        assert expected in refusals(family, {"shift": 0.1}, {"csv": "a.csv", "target": "y"})
        found = refusals(family, {"mixup": 0.2}, loss="mse", metrics=["mae"])
        assert "model.augmentation.mixup: has no effect: it mixes classes, and the loss is of regression" in found


def test_rows_that_turn_out_to_be_a_table_are_told_so(tensorflow: None) -> None:
    made = spaces.configure(loaded("mlp", {"shift": 0.1}), {})
    with pytest.raises(ValueError, match=r"augmentation changes images, but the data are a table"):
        spaces.count_parameters(made, TABLE)
    assert spaces.count_parameters(spaces.configure(loaded("mlp", {"shift": 0.0}), {}), TABLE) > 0


def test_family_pretrained_has_them_all_but_mixup() -> None:
    space: dict[str, Any] = {"name": "x", "data": {"source": "digits"}, "training": {"epochs": 1}}
    model: dict[str, Any] = {"family": "pretrained", "backbone": "efficientnet-b0"}
    changes = {name: value for name, value in EVERY.items() if name != "mixup"}
    made = spaces.configure(spaces.load({**space, "model": {**model, "augmentation": changes}}), {})
    assert {name: made.model[f"augmentation_{name}"] for name in changes} == changes
    assert spaces.Settings.from_json(made.to_json()) == made
    with pytest.raises(spaces.SpaceError, match=r"model\.augmentation\.mixup: has no effect: family pretrained"):
        spaces.load({**space, "model": {**model, "augmentation": EVERY}})


def test_whole_numbers_are_changed_as_numbers(tensorflow: None) -> None:
    from spaces.layers.random_layers import RandomCutout, RandomLight, RandomPlacement

    images = np.full((4, 6, 6, 1), 100, np.uint8)
    for layer in (
        RandomPlacement("both", 0.2, "a"),
        RandomLight(9.0, 0.2, (0.0, 255.0), "b"),
        RandomCutout(0.3, (0.0,), "c"),
    ):
        assert layer(images, training=True).dtype == "float32"
