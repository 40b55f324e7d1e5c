"""Trains configurations one after the other on shared compiled functions, and each again on a model of its own.

Run as a program by `test_reuse.py`, because op determinism, once on, stays on in a process. Takes the names of cases;
without any it is all of them. Prints a JSON list, one object for each configuration.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np

import spaces
from search.training.reuse import sharing
from spaces import Settings
from spaces.outside.backend import load_tensorflow
from tests.search import small

CNN = {
    "name": "tiny-cnn",
    "data": {"source": "digits", "validation": 0.2, "test": 0.2, "limit": 200},
    "model": {
        "family": "cnn", "blocks": 1, "filters": {"shared": [2, 3]}, "dense_layers": 1, "dense_units": 8,
        "dropout": [0.0, 0.2, 0.4], "batch_normalization": [False, True], "augmentation": {"flip": "horizontal"},
    },
    "training": {
        "optimizer": "adam", "learning_rate": {"min": 1e-3, "max": 1e-1}, "batch_size": 64,
        "epochs": 3,
    },
    "search": {"algorithm": "random", "objective": "val_accuracy", "seed": 3, "max_trials": 6},
}  # fmt: skip


def cases() -> list[tuple[str, Settings]]:
    """Name and settings; a later one often has the signature of an earlier one, with other numbers and widths."""
    return [
        ("adam", _mlp((16, 8), dropout=0.2)),
        ("adam, wider, other rate", _mlp((24, 32), dropout=0.4, learning_rate=0.003, batch_size=32)),
        ("adam, no dropout", _mlp((8, 16), dropout=0.0)),
        ("no dropout first", _mlp((8,), dropout=0.0)),
        ("dropout after it", _mlp((16,), dropout=0.2)),
        ("momentum", _mlp((16, 8), optimizer="sgd", momentum=0.9)),
        ("other momentum", _mlp((8, 24), optimizer="sgd", momentum=0.5, learning_rate=0.05)),
        ("no momentum", _mlp((16, 8), optimizer="sgd", momentum=0.0)),
        ("nesterov", _mlp((16, 8), optimizer="sgd", momentum=0.9, nesterov=True)),
        ("decay", _mlp((16, 8), learning_rate_decay=0.01)),
        ("other decay", _mlp((32, 8), learning_rate_decay=0.1, learning_rate=0.05)),
        ("adamw", _mlp((16,), optimizer="adamw", weight_decay=0.01)),
        ("adamw, other weight decay", _mlp((24,), optimizer="adamw", weight_decay=0.1)),
        ("rmsprop with penalty", _mlp((16,), optimizer="rmsprop", l2=0.01)),
        ("rmsprop with other penalty", _mlp((8,), optimizer="rmsprop", l2=0.1)),
        ("batch normalization", _mlp((16,), batch_normalization=True)),
        ("no hidden layer", _mlp(())),
        ("cnn", _cnn(dropout=0.2, learning_rate=0.01)),
        ("cnn, other numbers", _cnn(dropout=0.4, learning_rate=0.03)),
        ("cnn, no dropout", _cnn(dropout=0.0, learning_rate=0.03)),
        ("cnn, normalized", _cnn(dropout=0.2, learning_rate=0.01, batch_normalization=True)),
        ("cnn, normalized, other numbers", _cnn(dropout=0.4, learning_rate=0.03, batch_normalization=True)),
        ("residual", _cnn(dropout=0.2, learning_rate=0.01, **RESIDUAL)),
        ("residual, other numbers", _cnn(dropout=0.4, learning_rate=0.03, **{**RESIDUAL, "l2": 0.1})),
        ("scheduled", _mlp((16, 8), schedule="cosine", warmup=0.2, optimizer="sgd", momentum=0.9)),
        ("scheduled otherwise", _mlp((8, 24), schedule="cosine", warmup=0.5, optimizer="sgd", momentum=0.9, epochs=7)),
        ("smoothed and clipped", _mlp((16, 8), label_smoothing=0.1, gradient_clip=0.5)),
        ("smoothed and clipped otherwise", _mlp((8, 8), label_smoothing=0.25, gradient_clip=0.25)),
        ("averaged", _mlp((16, 8), ema=0.9)),
        ("averaged otherwise", _mlp((24, 8), ema=0.8)),
        ("bfloat16", _mlp((16, 8), precision="bfloat16", dropout=0.0)),
        ("bfloat16, wider", _mlp((24, 32), precision="bfloat16", dropout=0.0, learning_rate=0.003)),
        (
            "residual in bfloat16",
            _cnn(dropout=0.2, learning_rate=0.01, precision="bfloat16", **RESIDUAL, batch_normalization=True),
        ),
        ("separable", _cnn(dropout=0.0, learning_rate=0.01, block="separable", l2=0.01)),
        ("separable, other numbers", _cnn(dropout=0.0, learning_rate=0.02, block="separable", l2=0.1)),
        ("lion", _mlp((16, 8), optimizer="lion")),
        ("lion, wider", _mlp((24, 32), optimizer="lion", learning_rate=0.003)),
        ("nadam", _mlp((16, 8), optimizer="nadam")),
        ("nadam, wider", _mlp((24, 32), optimizer="nadam", learning_rate=0.003)),
        ("muon", _mlp((16, 8), optimizer="muon", weight_decay=0.01)),
        ("muon, other numbers", _mlp((16, 8), optimizer="muon", weight_decay=0.1, learning_rate=0.003)),
        ("augmented", _cnn(dropout=0.2, learning_rate=0.01, **AUGMENTATION)),
        ("augmented, other numbers", _cnn(dropout=0.4, learning_rate=0.03, **AUGMENTATION)),
        ("augmented in mlp", _mlp((16, 8), **AUGMENTATION)),
        ("augmented in mlp, wider", _mlp((24, 32), learning_rate=0.003, **AUGMENTATION)),
    ]


def _mlp(units: tuple[int, ...], **changes: Any) -> Settings:
    made = Settings.from_json(small.settings({**small.VALUES["adam with dropout"], "dropout": 0.2}))
    model = {name: changes.pop(name) for name in list(changes) if name in made.model}
    return replace(
        made,
        model={**made.model, "layers": len(units), "units": units, **model},
        training=replace(made.training, **changes),
    )


AUGMENTATION: dict[str, Any] = {
    "augmentation_flip": "both", "augmentation_shift": 0.2, "augmentation_cutout": 0.3, "augmentation_brightness": 0.2,
    "augmentation_contrast": 0.3, "augmentation_mixup": 0.4,
}  # fmt: skip
RESIDUAL: dict[str, Any] = {
    "block": "residual", "convolutions": 2, "stem_filters": 2, "squeeze_excitation": True, "l2": 0.01,
    "downsampling": "stride", "global_pooling": "max",
}  # fmt: skip


def _cnn(**values: Any) -> Settings:
    names = ("dropout", "learning_rate", "batch_normalization")
    searched = {name: values.pop(name) for name in names if name in values}
    made = spaces.configure(spaces.load(CNN), {"filters": 3, "batch_normalization": False, **searched})
    model = {name: value for name, value in values.items() if name not in vars(made.training)}
    training = {name: value for name, value in values.items() if name in vars(made.training)}
    return replace(made, model={**made.model, **model}, training=replace(made.training, **training))


def has_operations_of_its_own(name: str) -> bool:
    """Whether a case is trained with other operations than Keras's, so that sums are rounded differently."""
    return name.startswith("cnn, normalized") or "bfloat16" in name


def main() -> None:
    load_tensorflow(for_training_only=True)
    left_out = not {"matplotlib", "sklearn"} & set(sys.modules)
    import tensorflow as tf

    from search.training import threads
    from search.training.engine import Rows, fresh
    from search.training.reuse.networks import Networks

    threads.configure(1)
    tf.config.experimental.enable_op_determinism()
    data = spaces.load_data(small.spec())
    train, validation = Rows(data.train), Rows(data.validation)

    def trained(engine: Any) -> tuple[Any, list[np.ndarray], list[np.ndarray]]:
        first = engine.model.get_weights()
        curve = [(engine.train_epoch(train, epoch), engine.evaluate(validation)) for epoch in (1, 2)]
        state = engine.state()
        return curve, first, state["weights"] + state["optimizer"]

    networks, models, found = Networks(data.info), set(), []
    chosen = [(name, settings) for name, settings in cases() if name in (sys.argv[1:] or [name])]
    for seed, (name, settings) in enumerate(chosen):
        parameters = spaces.count_parameters(settings, data.info)
        engine = networks.engine(settings, seed, train, parameters)
        new = id(engine) not in models
        models.add(id(engine))
        curve, first, last = trained(engine)
        keras_model = fresh(settings, data.info, seed)
        keras_model.prepare(train)
        expected_curve, expected_first, expected_last = trained(keras_model)
        like_keras = _close(curve, expected_curve, 0.05 if "bfloat16" in name else 1e-3)
        if has_operations_of_its_own(name):
            alone = Networks(data.info).engine(settings, seed, train, parameters)
            expected_curve, expected_first, expected_last = trained(alone)
        found.append(
            {
                "name": name,
                "new": new,
                "shared": sharing.signature(settings) is not None,
                "curve": curve == expected_curve,
                "first": _equal(first, expected_first),
                "last": _equal(last, expected_last),
                "learnt": not _equal(first, last[: len(first)]),
                "like_keras": like_keras,
                "parameters": parameters == keras_model.model.count_params(),
            }
        )
    print(json.dumps({"left_out": left_out, "cases": found}))


def _close(curve: Any, other: Any, rtol: float) -> bool:
    """Whether two curves have the same training losses, up to rounding and what two epochs make of it.

    Not those of validation: a bias before batch normalization has a gradient of nothing but rounding, which Adam takes
    for a direction and the moving averages follow late.
    """
    losses, expected = ([epoch["loss"] for epoch, _ in each] for each in (curve, other))
    return np.allclose(losses, expected, rtol=rtol)


def _equal(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(some) == len(others) and all(
        a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(some, others, strict=True)
    )


if __name__ == "__main__":
    main()
