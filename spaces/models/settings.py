"""One configuration with every value filled in: all that is needed to build, compile and train its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from spaces.families import family_of_settings
from spaces.families.augmentation import without_augmentation


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `monitor` has not improved by more than `min_delta` for `patience` epochs.

    Attributes:
        monitor: name of a value as the history has it.
        patience: epochs, 0 or more.
        min_delta: in the unit of the value, 0 or more.
        mode: which direction is better.
    """

    monitor: str
    patience: int
    min_delta: float
    mode: Literal["min", "max"]


@dataclass(frozen=True)
class Target:
    """Stop when `metric` has fallen under `below` or risen over `above` at the end of an epoch.

    Attributes:
        metric: name of a value as the history has it.
        below: in the unit of the value; None: no such target.
        above: as `below`.
    """

    metric: str
    below: float | None
    above: float | None

    def reached(self, reported: Mapping[str, float]) -> bool:
        """Whether an epoch that reported these values has reached the target."""
        value = reported.get(self.metric)
        if value is None:
            return False
        return (self.below is not None and value < self.below) or (self.above is not None and value > self.above)


@dataclass(frozen=True)
class TrainingSettings:
    """How one model is compiled and trained.

    Attributes:
        optimizer: its name, as in a space file.
        learning_rate: rate of the first update.
        momentum: of SGD; 0 with the other optimizers.
        nesterov: whether SGD's momentum is Nesterov's.
        weight_decay: decoupled decay of the kernels per update, as Keras's argument of that name.
        learning_rate_decay: `d` of the rate `learning_rate / (1 + d * t)` at update `t`, counted from 0.
        batch_size: rows per update.
        epochs: trained at most.
        loss: `auto` (chosen from the labels) or a Keras name.
        metrics: names as they appear in the history.
        early_stopping: None for none.
        stop_when: any one of them ends the training.
        schedule: how the rate goes over `epochs`: constant, cosine, linear or one-cycle.
        warmup: part of `epochs` over which the rate rises.
        label_smoothing: share of a label that goes to all classes alike.
        gradient_clip: largest norm of all gradients together; 0: none.
        ema: decay of the moving average of the weights; 0: none.
        precision: `float32` or `bfloat16`, of what is computed while training.
        frozen_epochs: epochs of family `pretrained` before its backbone trains, if it does; 0 in the other families.
        fine_tune_rate: factor on the learning rate from then on.
        callbacks: reference of the function that gives Keras callbacks; "" for none.
        class_weight: `balanced`: the rows of each class that are drawn count as much together as those of any other.
        oversample: whether rows of rarer classes come several times in an epoch.
        folds: of a cross-validation, which are then what `epochs` counts; 0: none.
        fold_epochs: trained at most in each fold.
        fold_bars: after each fold but the last the value of the objective that ends the training; () for none. They,
            and what follows, are decided while the search is running.
        fold_offsets: for each bar what is added to the mean over the folds so far, if it ends the training there: by
            how much the mean over all folds differed from it in the best configuration.
        focal_gamma: exponent by which what is known already counts less in the training loss; 0: none.
    """

    optimizer: str
    learning_rate: float
    momentum: float
    nesterov: bool
    weight_decay: float
    learning_rate_decay: float
    batch_size: int
    epochs: int
    loss: str
    metrics: tuple[str, ...]
    early_stopping: EarlyStopping | None
    stop_when: tuple[Target, ...]
    # Stored runs of earlier versions do not have what follows.
    schedule: str = "constant"
    warmup: float = 0.0
    label_smoothing: float = 0.0
    gradient_clip: float = 0.0
    ema: float = 0.0
    precision: str = "float32"
    frozen_epochs: int = 0
    fine_tune_rate: float = 1.0
    callbacks: str = ""
    class_weight: str = "none"
    oversample: bool = False
    focal_gamma: float = 0.0
    folds: int = 0
    fold_epochs: int = 0
    fold_bars: tuple[Target, ...] = ()
    fold_offsets: tuple[float, ...] = ()

    @property
    def weighs_classes(self) -> bool:
        """Whether rows count by how rare their class is; one that is drawn as often as any other counts as much so."""
        return self.class_weight == "balanced" and not self.oversample


@dataclass(frozen=True)
class Settings:
    """One configuration, complete.

    Attributes:
        family: the name of its family, such as `mlp`, or `python:<reference>`.
        model: every setting of the family under its flat name, fixed ones included; per-layer settings
            as one tuple, e.g. `{"layers": 2, "units": (128, 64), ...}`.
        training: how it is compiled and trained.
        values: the active hyperparameter values it was made from, as the ranked table shows them.
        finished: whether its training is over: its model is then compiled with Keras's own optimizers and losses, so
            that Keras alone reads it from a file. Never stored.
    """

    family: str
    model: Mapping[str, Any]
    training: TrainingSettings
    values: Mapping[str, Any]
    finished: bool = False

    def one_fold(self) -> Settings:
        """The settings of the training of a single fold; without a cross-validation these are they."""
        training = self.training
        if not training.folds:
            return self
        single = replace(training, folds=0, epochs=training.fold_epochs, fold_epochs=0, fold_bars=(), fold_offsets=())
        return replace(self, training=single)

    def trained(self) -> Settings:
        """The settings for a model whose weights are there: float32 throughout, nothing that only training needs.

        Its loss is that of the labels as they are, which is what is validated, and its rate the largest of a schedule.
        """
        users = family_of_settings(self.family).users_code
        model = self.model if users else without_augmentation(self.model)
        plain = replace(
            self.training,
            schedule="constant",
            warmup=0.0,
            ema=0.0,
            precision="float32",
            label_smoothing=0.0,
            focal_gamma=0.0,
        )
        return replace(self, model=model, training=plain, finished=True)

    def to_json(self) -> dict[str, Any]:
        """Plain data that `json.dumps` takes; `from_json` is the way back."""
        return {
            "family": self.family,
            "model": {name: _listed(value) for name, value in self.model.items()},
            "training": {name: _plain(value) for name, value in vars(self.training).items()},
            "values": dict(self.values),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """The settings that `to_json` wrote."""
        training = dict(data["training"])
        stopping = training["early_stopping"]
        training["metrics"] = tuple(training["metrics"])
        training["early_stopping"] = None if stopping is None else EarlyStopping(**stopping)
        training["stop_when"] = tuple(Target(**target) for target in training["stop_when"])
        training["fold_offsets"] = tuple(training.get("fold_offsets", ()))
        training["fold_bars"] = tuple(Target(**target) for target in training.get("fold_bars", ()))
        # Runs of earlier versions have not all settings of today.
        added = family_of_settings(data["family"]).added
        model = {**added, **{name: tuple(v) if isinstance(v, list) else v for name, v in data["model"].items()}}
        return cls(data["family"], model, TrainingSettings(**training), dict(data["values"]))


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return dict(vars(value)) if isinstance(value, EarlyStopping | Target) else value
