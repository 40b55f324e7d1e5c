"""The `training:` section: optimizer, batches, length and when to stop."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import eq
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, JsonValue, ValidationInfo, field_validator, model_validator

from spaces.basics.section import Refusals, Section, refuse, shown, unknown
from spaces.models.settings import Target
from spaces.outside.processor import fast_precision
from spaces.outside.references import Reference, is_reference
from spaces.values.dimensions import Dimension, Fixed, Range
from spaces.values.kinds import Kind
from spaces.values.metrics import LOSSES, METRICS, USUAL, history_names, is_own, reported_name, task_of
from spaces.values.rates import SCHEDULES, WARMUPS
from spaces.values.setting import ByWord, Need, Setting, above, setting_of


class Optimizer(NamedTuple):
    """What is known of an optimizer before it is made.

    Attributes:
        learning_rate, weight_decay: What Keras uses where nothing is given.
        looks_at_shapes: Whether its update of a matrix depends on which side of it is the longer one.
    """

    learning_rate: float = 0.001
    weight_decay: float = 0.0
    looks_at_shapes: bool = False


OPTIMIZERS = {
    "adam": Optimizer(),
    "adamw": Optimizer(weight_decay=0.004),
    "lion": Optimizer(),
    "muon": Optimizer(weight_decay=0.004, looks_at_shapes=True),
    "nadam": Optimizer(),
    "rmsprop": Optimizer(),
    "sgd": Optimizer(learning_rate=0.01),
}
_LEARNING_RATES = {name: known.learning_rate for name, known in OPTIMIZERS.items()}
_WEIGHT_DECAYS = {name: known.weight_decay for name, known in OPTIMIZERS.items()}

OPTIMIZER = Kind("word", words=tuple(OPTIMIZERS))
RATE = Kind("number", gt=0)
MOMENTUM = Kind("number", ge=0, lt=1)
FLAG = Kind("boolean")
SCHEDULE = Kind("word", words=SCHEDULES)
SHARE = Kind("number", ge=0, lt=1)
LIMIT = Kind("number", ge=0)
CLASS_WEIGHT = Kind("word", words=("none", "balanced"))
PRECISION = Kind("word", words=("float32", "bfloat16"))
ASKED_PRECISION = Kind("word", words=(*PRECISION.words, "auto"))
OF_CLASSES = ("label_smoothing", "class_weight", "oversample", "focal_gamma")
NO_CLASSES = "has no effect: the loss is one of regression, which has no classes"
OF_ONE_CLASS = ("class_weight", "oversample")
"""What is about rows of one class each."""
SIZES = {
    "precision": ("bfloat16", "float32"),
    "class_weight": ("none", "balanced"),
    "optimizer": ("sgd", "lion", "rmsprop", "adam", "adamw", "nadam", "muon"),
}
"""Words from light to heavy: what adds state or work comes last."""
DECAY = Kind("number", ge=0)
BATCH_SIZE = Kind("integer", ge=1)
FROZEN = Kind("integer", ge=0, le=1_000_000)
FROZEN_EPOCHS = 3
EPOCHS = Kind("integer", ge=1, le=1_000_000)


class EarlyStoppingRule(Section):
    """End a training that no longer improves."""

    monitor: str = Field(default="val_loss", description="Value that has to improve, as the history names it.")
    patience: Annotated[int, Field(ge=0)] = Field(description="Epochs without improvement before the training ends.")
    min_delta: Annotated[float, Field(ge=0)] = Field(default=0.0, description="Smallest change that is an improvement.")


def _callbacks(raw: Any) -> Any:
    if isinstance(raw, str | None):
        return raw
    raise refuse(
        f"found {shown(raw)}; allowed: 'module:function', or from Python a function, that gives Keras callbacks for "
        "each training, such as lambda: [...]"
    )


def _targets(raw: Any) -> tuple[Target, ...]:
    if raw is None:
        # As for early_stopping: `--set` can leave a key of the file out in no other way.
        return ()
    if isinstance(raw, tuple) and all(isinstance(target, Target) for target in raw):
        return raw
    if not isinstance(raw, dict) or not raw:
        raise refuse(f"found {shown(raw)}; allowed: a mapping such as {{loss: {{below: 0.4}}}}")
    refusals = Refusals()
    targets = []
    for metric, limits in raw.items():
        if not isinstance(limits, dict) or not limits:
            refusals.add(f"found {shown(limits)}; allowed: {{below: number}} or {{above: number}}", metric)
            continue
        for key, limit in limits.items():
            if key not in ("below", "above"):
                refusals.add(unknown("key", key, ("below", "above")), metric, key)
            elif isinstance(limit, bool) or not isinstance(limit, int | float) or not -1e300 < limit < 1e300:
                refusals.add(f"found {shown(limit)}; allowed: a number", metric, key)
        targets.append(Target(metric, limits.get("below"), limits.get("above")))
    refusals.raise_if_any()
    return tuple(targets)


_LIMITS: dict[str, JsonValue] = {"type": "object", "minProperties": 1, "additionalProperties": False}


def _targets_schema(schema: dict[str, JsonValue]) -> None:
    limits: dict[str, JsonValue] = {
        **_LIMITS, "properties": {"below": {"type": "number"}, "above": {"type": "number"}},
    }  # fmt: skip
    # No targets are no mapping: the key is left out, or null.
    for key in ("type", "additionalProperties", "default"):
        schema.pop(key, None)
    schema["anyOf"] = [{**_LIMITS, "additionalProperties": limits}, {"type": "null"}]


Targets = Annotated[tuple[Target, ...], BeforeValidator(_targets, json_schema_input_type=dict[str, Any])]


class TrainingSection(Section):
    """How every configuration is trained."""

    optimizer: Annotated[Dimension | None, OPTIMIZER] = Field(default=None, description="Optimizer; default adam.")
    learning_rate: Annotated[Dimension | None, RATE] = Field(
        default=None, description="Learning rate; default that of Keras for the optimizer."
    )
    momentum: Annotated[Dimension | None, MOMENTUM] = Field(default=None, description="Momentum of sgd; default 0.")
    nesterov: Annotated[Dimension | None, FLAG] = Field(
        default=None, description="Nesterov momentum of sgd; default false."
    )
    weight_decay: Annotated[Dimension | None, DECAY] = Field(
        default=None, description="Decoupled weight decay of the kernels; default 0, with adamw and muon 0.004."
    )
    schedule: Annotated[Dimension | None, SCHEDULE] = Field(
        default=None,
        description="How the rate goes from its largest value, learning_rate, to the end of the longest training: "
        "constant; linear or cosine to 0; one-cycle: half a cosine up, the other half down; default constant.",
    )
    warmup: Annotated[Dimension | None, SHARE] = Field(
        default=None,
        description="Part of the training over which the rate rises to its largest value; default 0, "
        "with one-cycle 0.25.",
    )
    learning_rate_decay: Annotated[Dimension | None, DECAY] = Field(
        default=None, description="d of the rate learning_rate / (1 + d * update); default 0."
    )
    label_smoothing: Annotated[Dimension | None, SHARE] = Field(
        default=None,
        description="Share of every label that goes to all classes alike in the training loss; default 0.",
    )
    class_weight: Annotated[Dimension | None, CLASS_WEIGHT] = Field(
        default=None,
        description="balanced: while training every class counts alike, its rows by how rare it is among those that "
        "are drawn; default none.",
    )
    oversample: Annotated[Dimension | None, FLAG] = Field(
        default=None,
        description="Whether rows of rarer classes come several times in an epoch, so that every class has as many as "
        "the commonest; default false.",
    )
    focal_gamma: Annotated[Dimension | None, LIMIT] = Field(
        default=None,
        description="Exponent of the focal loss: the higher, the less the training loss counts what is known already; "
        "0 for none; default 0, with loss focal 2.",
    )
    gradient_clip: Annotated[Dimension | None, LIMIT] = Field(
        default=None, description="Largest norm of all gradients together; 0 for none; default 0."
    )
    ema: Annotated[Dimension | None, SHARE] = Field(
        default=None,
        description="Decay per update of the moving average of the weights, which is what is validated, kept and "
        "exported; 0 for none; default 0.",
    )
    precision: Annotated[Dimension | None, ASKED_PRECISION] = Field(
        default=None,
        description="Of what is computed while training; weights and exported models are float32. bfloat16 is faster "
        "where the processor has instructions for it, and much slower elsewhere; auto is bfloat16 there without a GPU, "
        "and float32 elsewhere and for a model of a function, and the run keeps what it was on the machine that began "
        "it; default float32.",
    )
    batch_size: Annotated[Dimension | None, BATCH_SIZE] = Field(
        default=None, description="Rows per update; default 32."
    )
    epochs: Annotated[Dimension, EPOCHS] = Field(
        description="Epochs: a number is the most that are trained; a range is the shortest and the longest "
        "training for hyperband and freeze-thaw, an ordinary hyperparameter otherwise."
    )
    frozen_epochs: Annotated[Dimension | None, FROZEN] = Field(
        default=None,
        description="Of family pretrained with fine_tune: first epochs, in which the backbone is frozen; default 3.",
    )
    fine_tune_rate: Annotated[Dimension | None, RATE] = Field(
        default=None,
        description="Of family pretrained with fine_tune: factor on the learning rate after the frozen epochs; "
        "default 0.1.",
    )
    early_stopping: EarlyStoppingRule | None = Field(
        default=None, description="End a training that no longer improves."
    )
    stop_when: Targets = Field(
        default=(),
        description="Targets that end a training, e.g. {loss: {below: 0.4}}; null for none.",
        json_schema_extra=_targets_schema,
    )
    callbacks: Annotated[Reference | None, BeforeValidator(_callbacks)] = Field(
        default=None,
        description='"module:function" that gives Keras callbacks for a training, such as one that tells a tracker; '
        "those that would run the training (EarlyStopping, ModelCheckpoint, ...) are refused by name.",
    )
    loss: str = Field(
        default="auto",
        description="Loss; auto chooses it from the labels; focal is the cross-entropy with focal_gamma.",
        json_schema_extra={"enum": list(LOSSES)},
    )
    metrics: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(USUAL["classification"],),
        description='Metrics; default [accuracy], or [mae] where the loss is one of regression; "module:function" '
        "takes labels and probabilities (or values) of all validation rows and returns a number.",
        json_schema_extra={
            "items": {"anyOf": [{"enum": list(METRICS)}, {"type": "string", "pattern": ":"}]},
            "uniqueItems": True,
        },
    )

    @model_validator(mode="before")
    @classmethod
    def _metrics_follow_the_loss(cls, data: Any) -> Any:
        if isinstance(data, dict) and "metrics" not in data and task_of(str(data.get("loss")), None) == "regression":
            return {**data, "metrics": [USUAL["regression"]]}
        return data

    @field_validator("precision")
    @classmethod
    def _fastest_precision(cls, precision: Dimension | None, info: ValidationInfo) -> Dimension | None:
        if precision is None or "auto" not in (precision.values or ()):
            return precision
        if not isinstance(precision, Fixed):
            raise refuse("auto is one of the others, and stands alone: float32 and bfloat16 may be searched")
        only = info.context is not None and info.context["auto_is_float32"]
        return replace(precision, value="float32" if only else fast_precision(), asked="auto")

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, loss: str) -> str:
        if loss not in LOSSES:
            raise refuse(unknown("loss", loss, LOSSES))
        return loss

    @field_validator("metrics")
    @classmethod
    def _known_metrics(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        refusals = Refusals()
        names = [reported_name(metric) for metric in metrics]
        for index, metric in enumerate(metrics):
            if is_own(metric) and not is_reference(metric):
                refusals.add(f"found {shown(metric)}; allowed: 'module:function' or 'path/file.py:function'", index)
            elif not is_own(metric) and metric not in METRICS:
                refusals.add(unknown("metric", metric, tuple(METRICS)), index)
            elif names[index] in names[:index] or (is_own(metric) and names[index] in (*METRICS, "loss")):
                refusals.add(f"{shown(names[index])} is the name of two measures", index)
        refusals.raise_if_any()
        return metrics

    @model_validator(mode="after")
    def _metrics_fit_the_loss(self) -> Self:
        refusals = Refusals()
        for index, metric in enumerate(self.metrics):
            if not is_own(metric) and task_of("auto", (metric,)) != self.task:
                message = f"found {shown(metric)}, no metric of {self.task}, which the loss is for"
                refusals.add(message, "metrics", index)
        if self.epochs.when:
            refusals.add("the length of the training takes no condition", "epochs", "when")
        for key in OF_CLASSES if self.task == "regression" else ():
            if getattr(self, key) is not None:
                refusals.add(NO_CLASSES, key)
        refusals.raise_if_any()
        return self

    @property
    def task(self) -> Literal["classification", "regression"]:
        """The task that loss and metrics are for."""
        return task_of(self.loss, self.metrics)

    @property
    def reported(self) -> tuple[str, ...]:
        """Names of the values known after every epoch."""
        return history_names(self.metrics)


def settings(training: TrainingSection, *, epochs: bool) -> list[Setting]:
    """All settings of the training that may be hyperparameters; `epochs` says whether its length is one."""
    is_sgd = Need("optimizer", partial(eq, "sgd"), "optimizer sgd")
    moving = above("momentum", 0)
    steady = (
        Need("schedule", partial(eq, "constant"), "schedule constant"),
        Need("warmup", partial(eq, 0.0), "warmup 0"),
    )
    setting = partial(setting_of, training, ("training",))
    made = [
        setting("optimizer", "adam"),
        setting("learning_rate", ByWord("optimizer", _LEARNING_RATES)),
        setting("momentum", 0.0, is_sgd),
        setting("nesterov", False, is_sgd, moving),
        setting("weight_decay", ByWord("optimizer", _WEIGHT_DECAYS)),
        setting("schedule", "constant"),
        setting("warmup", ByWord("schedule", WARMUPS)),
        setting("learning_rate_decay", 0.0, *steady),
        setting("label_smoothing", 0.0),
        setting("class_weight", "none"),
        setting("oversample", False),
        setting("focal_gamma", 2.0 if training.loss == "focal" else 0.0),
        setting("gradient_clip", 0.0),
        setting("ema", 0.0),
        # The section takes `auto` too, and says at once what that is here.
        replace(setting("precision", "float32"), kind=PRECISION),
        setting("batch_size", 32),
    ]
    if epochs:
        made.append(setting("epochs"))
    return made


def phase_settings(training: TrainingSection) -> list[Setting]:
    """The settings of a training with a second phase, in which the backbone of family `pretrained` trains too."""
    tuned = above("fine_tune", 0)
    return [
        setting_of(training, ("training",), "frozen_epochs", FROZEN_EPOCHS, tuned),
        setting_of(training, ("training",), "fine_tune_rate", 0.1, tuned),
    ]


def fewest_frozen(training: TrainingSection) -> int:
    """Epochs that a backbone is frozen for at least, where it is fine-tuned after them."""
    given = training.frozen_epochs
    if given is None:
        return FROZEN_EPOCHS
    fewest = epoch_limits(given)[0]
    return min(fewest, FROZEN_EPOCHS) if given.when else fewest


def epoch_limits(epochs: Dimension) -> tuple[int, int]:
    """Shortest and longest training that a dimension of epochs stands for."""
    if isinstance(epochs, Fixed):
        return int(epochs.value), int(epochs.value)
    values = epochs.values or ()
    # A range is in order; a list need not be.
    ends = (values[0], values[-1]) if isinstance(epochs, Range) else values
    return int(min(ends)), int(max(ends))
