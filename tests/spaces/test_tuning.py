"""Spaces in Keras Tuner's own hands."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import spaces
from spaces.outside.keras_internals import rate_of
from spaces.specs.configuring import hyperparameters_of
from spaces.values.space import holds

keras_tuner = pytest.importorskip("keras_tuner")

SPACE: dict[str, Any] = {
    "name": "x",
    "data": {"source": "digits"},
    "model": {
        "family": "mlp",
        "layers": {"min": 1, "max": 3},
        "units": {"min": 8, "max": 32, "step": 8},
        "dropout": {"min": 0.0, "max": 0.5, "step": 0.1},
        "batch_normalization": [True, False],
    },
    "training": {
        "optimizer": ["adam", "sgd"],
        "learning_rate": {"min": 1e-4, "max": 1e-1, "log": True},
        "momentum": {"min": 0.8, "max": 0.99, "when": {"layers": [2, 3]}},
        "batch_size": {"min": 16, "max": 128, "step": 2, "log": True},
        "epochs": {"min": 1, "max": 3},
    },
}


def test_scopes_are_those_of_keras_tuner() -> None:
    hp = spaces.hyperparameters(spaces.load(SPACE))
    hp.values.update({"layers": 2, "optimizer": "adam"})
    assert hp.is_active("units_1")
    assert not hp.is_active("units_2")
    assert not hp.is_active("momentum")
    hp.values["optimizer"] = "sgd"
    assert hp.is_active("momentum")
    hp.values["layers"] = 1
    assert not hp.is_active("momentum")
    assert not hp.is_active("units_1")


def test_every_name_is_one_hyperparameter_and_no_fixed_value_is_one() -> None:
    names = [one.name for one in spaces.hyperparameters(spaces.load(SPACE)).space]
    assert names == [
        "layers", "units_0", "units_1", "units_2", "dropout", "batch_normalization",
        "optimizer", "learning_rate", "momentum", "batch_size",
    ]  # fmt: skip


def test_types_and_values() -> None:
    found = {one.name: one for one in spaces.hyperparameters(spaces.load(SPACE)).space}
    assert {name: type(one).__name__ for name, one in found.items()} == {
        "layers": "Int", "units_0": "Int", "units_1": "Int", "units_2": "Int", "dropout": "Choice",
        "batch_normalization": "Boolean", "optimizer": "Choice", "learning_rate": "Float", "momentum": "Float",
        "batch_size": "Choice",
    }  # fmt: skip
    assert list(found["units_0"].values) == [8, 16, 24, 32]
    assert list(found["dropout"].values) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert list(found["batch_size"].values) == [16, 32, 64, 128]
    assert found["batch_size"].ordered
    assert found["dropout"].ordered
    assert not found["optimizer"].ordered
    assert found["learning_rate"].sampling == "log"


@pytest.mark.parametrize("source", [SPACE, *spaces.names()])
def test_its_random_oracle_draws_configurations_of_the_space(source: Any) -> None:
    spec = spaces.load(source)
    oracle = keras_tuner.oracles.RandomSearchOracle(
        keras_tuner.Objective("val_accuracy", "max"),
        max_trials=50,
        seed=1,
        hyperparameters=spaces.hyperparameters(spec),
    )
    for _ in range(50):
        values = oracle._random_values()
        made = spaces.configure(spec, values)
        assert made.values == values
        for one in hyperparameters_of(spec):
            assert (one.name in values) == holds(one.conditions, values)


@pytest.mark.night
def test_a_stock_hyperband_searches_the_shipped_space(tmp_path: Path) -> None:
    spec = spaces.load("digits", ["data.limit=300"])
    data = spaces.load_data(spec)
    tuner = keras_tuner.Hyperband(
        spaces.hypermodel(spec),
        objective="val_accuracy",
        max_epochs=2,
        factor=2,
        seed=0,
        directory=tmp_path,
        project_name="stock",
        overwrite=True,
    )
    tuner.search(data.train.x, data.train.y, validation_data=(data.validation.x, data.validation.y), verbose=0)
    trials = list(tuner.oracle.trials.values())
    assert len(trials) >= 4
    assert {trial.status for trial in trials} == {"COMPLETED"}
    for trial in trials:
        values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith("tuner/")}
        assert spaces.configure(spec, values).values == values
    best = tuner.get_best_models(1)[0]
    assert best.evaluate(data.validation.x, data.validation.y, verbose=0)[1] > 0.3


def test_batch_size_length_and_early_stopping_reach_a_stock_training() -> None:
    spec = spaces.load(
        SPACE,
        [
            "search.algorithm=random",
            "training.epochs=9",
            "training.batch_size=[600, 1200]",
            "training.stop_when={loss: {below: 100}}",
        ],
    )
    data = spaces.load_data(spec)
    hypermodel = spaces.hypermodel(spec, data.info)
    hp = spaces.hyperparameters(spec)
    hp.values["batch_size"] = 1200
    model = hypermodel.build(hp)
    history = hypermodel.fit(hp, model, data.train.x, data.train.y, verbose=0)
    assert history.params["epochs"] == 9
    assert history.params["steps"] == -(-len(data.train) // 1200)
    assert len(history.epoch) == 1


def test_the_batch_size_is_for_rows_in_whatever_form_and_not_for_what_has_batches() -> None:
    spec = spaces.load(SPACE, ["training.batch_size=600"])
    hypermodel, hp = spaces.hypermodel(spec), spaces.hyperparameters(spec)
    model = SimpleNamespace(fit=lambda *_, **told: told)
    x = np.zeros((12, 2))
    for rows in (x, {"a": x, "b": x}, [x, x], (x, x)):
        assert hypermodel.fit(hp, model, rows, x[:, 0])["batch_size"] == 600
    assert "batch_size" not in hypermodel.fit(hp, model, iter([(x, x[:, 0])]))
    assert hypermodel.fit(hp, model, x={"a": x}, y=x, batch_size=4)["batch_size"] == 4


def test_a_stock_tuner_trains_what_is_cross_validated_as_one_fold() -> None:
    """It had trained as many epochs as there are folds, and a falling rate had ended with them."""
    spec = spaces.load(SPACE, ["data.validation={folds: 5}", "training.epochs=9", "training.schedule=cosine"])
    hypermodel, hp = spaces.hypermodel(spec), spaces.hyperparameters(spec)
    model = SimpleNamespace(fit=lambda *_, **told: told)
    assert hypermodel.fit(hp, model, np.zeros((12, 2)), np.zeros(12))["epochs"] == 9
    info = spaces.load_data(spaces.load(SPACE)).info
    assert rate_of(spaces.hypermodel(spec, info).build(hp).optimizer).epochs == 9


def answers(model: Any, x: Any) -> Any:
    return model.predict(x, verbose=0)


def _plain(p: Any, y: Any) -> Any:
    return -np.log(p[np.arange(len(y)), y])


def _smoothed(p: Any, y: Any) -> Any:
    return 0.7 * _plain(p, y) - 0.3 * np.log(p).mean(axis=1)


def _focal(p: Any, y: Any) -> Any:
    return (1 - p[np.arange(len(y)), y]) ** 2 * _plain(p, y)


@pytest.mark.parametrize(("recipe", "learnt"), [("label_smoothing=0.3", _smoothed), ("focal_gamma=2", _focal)])
def test_a_stock_tuner_trains_on_changed_labels_and_validates_those_that_are_there(recipe: str, learnt: Any) -> None:
    import keras

    # With so small a rate an epoch leaves the answers as they were.
    spec = spaces.load(SPACE, ["data.limit=300", "training.learning_rate=1e-9", f"training.{recipe}"])
    data = spaces.load_data(spec)
    hypermodel = spaces.hypermodel(spec, data.info)
    hp = spaces.hyperparameters(spec)
    keras.utils.set_random_seed(1)
    model = hypermodel.build(hp)
    # Labels that it knows, so that it counts how much they are believed.
    model.set_weights([3 * array for array in model.get_weights()])
    train, validation = ((x, answers(model, x).argmax(axis=1)) for x in (data.train.x, data.validation.x))
    told = hypermodel.fit(hp, model, *train, validation_data=validation, epochs=2, verbose=0).history
    of_changed, of_labels = learnt(answers(model, train[0]), train[1]), _plain(answers(model, train[0]), train[1])
    assert of_changed.mean() != pytest.approx(of_labels.mean(), rel=0.1)
    assert told["loss"] == pytest.approx([of_changed.mean()] * 2, rel=1e-3)
    expected = _plain(answers(model, validation[0]), validation[1]).mean()
    assert told["val_loss"] == pytest.approx([expected] * 2, rel=1e-4)
    assert model.evaluate(*validation, verbose=0)[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("nadam", marks=pytest.mark.night)])
def test_a_model_of_a_schedule_is_saved_and_goes_on_as_if_it_had_never_stopped(optimizer: str, tmp_path: Path) -> None:
    import keras

    training = {"epochs": 4, "schedule": "cosine", "warmup": 0.2, "optimizer": optimizer, "learning_rate": 0.01}
    spec = spaces.load({
        "name": "x", "data": {"source": "digits", "limit": 100}, "model": {"family": "mlp", "layers": 1, "units": 8},
        "training": {**training, "weight_decay": 0, "label_smoothing": 0.3, "metrics": ["accuracy", "f1"]},
    })  # fmt: skip
    data = spaces.load_data(spec)
    hypermodel, hp = spaces.hypermodel(spec, data.info), spaces.hyperparameters(spec)
    validation = (data.validation.x, data.validation.y)

    def trained(*parts: tuple[int, int]) -> tuple[dict[str, list[float]], list[Any]]:
        keras.utils.set_random_seed(1)
        model = hypermodel.build(hp)
        for first, last in parts:
            options = {"initial_epoch": first, "epochs": last, "validation_data": validation, "shuffle": False}
            told = hypermodel.fit(hp, model, data.train.x, data.train.y, verbose=0, **options).history
            model.save(tmp_path / "model.keras")
            model = keras.models.load_model(tmp_path / "model.keras")
        return told, model.get_weights()

    (whole, weights), (continued, others) = trained((0, 4)), trained((0, 2), (2, 4))
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
    # Smoothing is in the training loss alone, also of a model from a file.
    for name in ("loss", "val_loss", "val_f1"):
        assert continued[name] == pytest.approx(whole[name][2:], rel=1e-4)


def test_a_schedule_asks_for_the_updates_of_an_epoch_that_nobody_knows() -> None:
    from spaces.models.scheduled_rate import scheduled

    spec = spaces.load(SPACE, ["search.algorithm=random", "training.epochs=2", "training.schedule=cosine"])
    data = spaces.load_data(spec)
    hypermodel, hp = spaces.hypermodel(spec, data.info), spaces.hyperparameters(spec)
    model = hypermodel.build(hp)

    def batches() -> Any:
        return ((data.train.x[:8], data.train.y[:8]) for _ in range(9))

    with pytest.raises(ValueError, match=r"updates in an epoch.* give steps_per_epoch"):
        hypermodel.fit(hp, model, batches(), verbose=0)
    hypermodel.fit(hp, model, batches(), verbose=0, steps_per_epoch=2)
    rate = scheduled(model.optimizer)
    assert rate is not None
    assert float(rate.updates_per_epoch.numpy()) == 2


def test_classes_are_balanced_in_a_stock_training() -> None:
    spec = spaces.load(SPACE, ["training.class_weight=[balanced, none]"])
    hypermodel = spaces.hypermodel(spec)
    hp = spaces.hyperparameters(spec)
    y = np.array([0] * 8 + [1] * 3 + [2])

    def weights(labels: Any, **given: Any) -> Any:
        return hypermodel.fit(hp, SimpleNamespace(fit=lambda *_, **told: told), np.zeros((12, 2)), labels, **given).get(
            "sample_weight"
        )

    balanced = weights(y)
    assert [balanced[y == label].sum() for label in range(3)] == pytest.approx([4, 4, 4])
    for other in (y[:, None], np.eye(3)[y], y.tolist()):
        np.testing.assert_array_equal(weights(other), balanced)
    own = np.linspace(1, 2, 12)
    np.testing.assert_allclose(weights(y, sample_weight=own), balanced * own)
    mixed = np.roll(y, 4)
    held_back = weights(mixed, validation_split=0.25)
    assert [held_back[:9][mixed[:9] == label].sum() for label in range(3)] == pytest.approx([3, 3, 3])
    assert held_back[9:].tolist() == [1, 1, 1], "what is validated counts as it is"
    both = weights(mixed, validation_split=0.25, validation_data=(np.zeros((1, 2)), np.zeros(1)))
    np.testing.assert_array_equal(both, weights(mixed))
    assert weights(y, class_weight={0: 2.0, 1: 1.0, 2: 1.0}) is None, "what was asked of the tuner goes first"
    with pytest.raises(ValueError, match=r"class_weight: balanced needs the labels in an array"):
        weights(None)
    hp.values["class_weight"] = "none"
    assert weights(y) is None


def test_a_stock_training_is_as_long_as_the_oracle_asks_for() -> None:
    spec = spaces.load(SPACE, ["data.limit=100"])
    data = spaces.load_data(spec)
    hypermodel = spaces.hypermodel(spec, data.info)
    hp = spaces.hyperparameters(spec)
    model = hypermodel.build(hp)
    hp.values["tuner/epochs"] = 2
    assert hypermodel.fit(hp, model, data.train.x, data.train.y, verbose=0).params["epochs"] == 2
    assert hypermodel.fit(hp, model, data.train.x, data.train.y, verbose=0, epochs=1).params["epochs"] == 1
