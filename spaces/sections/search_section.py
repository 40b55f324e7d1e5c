"""The sections about the search and about what it leaves behind."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator

from spaces.basics.errors import CodeError
from spaces.basics.section import Refusals, Section, listed, refuse, shown, suggestion
from spaces.sections.algorithms import ALGORITHMS, those_that
from spaces.sections.data_section import AbsolutePath
from spaces.values.metrics import Direction, direction_of, reported_name

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_MOST_BYTES = 2**63
_SIZE = r"(\d+(?:\.\d+)?)\s*([kKmMgGtT][iI]?)?[bB]?"


def _bytes(raw: Any) -> int | None:
    if raw is None:
        return None
    match = re.fullmatch(_SIZE, raw.strip()) if isinstance(raw, str) else None
    whole = isinstance(raw, int) and not isinstance(raw, bool)
    size = float(match[1]) * _UNITS[(match[2] or "").lower()] if match else raw if whole else 0
    if not 1 <= size < _MOST_BYTES:
        raise refuse(f"found {shown(raw)}; allowed: a size such as 500MB or 20GB, or a number of bytes")
    return int(size)


_BYTES_SCHEMA: dict[str, JsonValue] = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": rf"^\s*{_SIZE}\s*$"}, {"type": "null"}]
}
Bytes = Annotated[int | None, BeforeValidator(_bytes)]


class ObjectiveRule(Section):
    """The value to be made best, with its direction."""

    name: str = Field(description="Name as the history has it, e.g. val_accuracy.")
    direction: Direction = Field(description="min or max.")


def _objective(raw: Any) -> Any:
    if raw is None or isinstance(raw, str | ObjectiveRule):
        return raw
    if isinstance(raw, dict):
        return ObjectiveRule.model_validate(raw)
    raise refuse(f"found {shown(raw)}; allowed: a name such as val_accuracy, or {{name: ..., direction: min}}")


def _measure(name: str) -> str:
    """What a reported value measures, on whichever rows."""
    return reported_name(name).removeprefix("val_")


def _algorithm(name: str) -> str:
    if name not in ALGORITHMS:
        known = ALGORITHMS.names()
        raise refuse(f"found {shown(name)}; allowed: {listed(known)}{suggestion(name, known)}")
    try:
        _ = ALGORITHMS[name]
    except CodeError as error:
        raise refuse(str(error)) from error
    return name


class SearchSection(Section):
    """How configurations are chosen."""

    algorithm: Annotated[str, AfterValidator(_algorithm)] = Field(
        default="hyperband",
        description="How configurations are chosen; of a continuous range, or a logarithmic one without a step, grid "
        "tries ten values.",
        json_schema_extra=lambda schema: schema.update(enum=list(ALGORITHMS.names())),
    )
    objective: Annotated[str | ObjectiveRule | None, BeforeValidator(_objective)] = Field(
        default=None, description="What decides: a name such as val_accuracy, or {name: ..., direction: min}."
    )
    max_trials: Count | None = Field(
        default=None, description="Trials of the whole search; default: what the algorithm plans."
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        default=0, description="Seed of the search and of every training."
    )
    warm_start: Annotated[tuple[AbsolutePath, ...], Field(strict=False)] = Field(
        default=(), description="Run directories whose curves freeze-thaw begins with."
    )
    stop_when_gain_below: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Ends the search once another hour is expected to make the best objective better by less than "
        "this, three times in a row; for freeze-thaw and bayesian, whose model says it.",
    )
    order: Literal["free", "fixed"] = Field(
        default="free",
        description="free: no worker waits, so that what the algorithm knows when it chooses depends on which trial "
        "happens to end first. fixed: it learns of the trials in the order in which it chose them, so that the same "
        "search with the same number of workers gives the same table, up to the first trial that a time limit cuts; "
        "a worker may have to wait for a slow trial.",
    )

    def direction_of(self, name: str) -> Direction | None:
        """Which direction of a reported value is better: that of the objective for its name; None: unknown."""
        rule = self.objective
        if isinstance(rule, ObjectiveRule) and _measure(rule.name) == _measure(name):
            return rule.direction
        return direction_of(name)

    @model_validator(mode="after")
    def _keys_fit_the_algorithm(self) -> Self:
        refusals = Refusals()
        if self.warm_start and not ALGORITHMS[self.algorithm].takes_evidence:
            able = " and ".join(those_that("takes_evidence"))
            refusals.add(f"has no effect: it belongs to {able}, not to {self.algorithm}", "warm_start")
        if self.stop_when_gain_below is not None and not ALGORITHMS[self.algorithm].foresees_gain:
            able = " and ".join(those_that("foresees_gain"))
            refusals.add(
                f"has no effect: {self.algorithm} expects nothing; it belongs to {able}", "stop_when_gain_below"
            )
        refusals.raise_if_any()
        return self


class Constraints(Section):
    """What a configuration must keep to; one that does not is never trained."""

    parameters: Count | None = Field(default=None, description="Most parameters that a model may have.")


class Limits(Section):
    """What a trial or the run may use."""

    seconds_per_trial: Seconds | None = Field(
        default=None, description="Longest time for one trial, building the model included."
    )
    seconds_per_epoch: Seconds | None = Field(
        default=None,
        description="Longest epoch. Building the model does not count, nor does what a frozen backbone makes of the "
        "rows once: what hangs there is ended by seconds_per_trial only.",
    )
    disk: Bytes = Field(
        default=None, description="Largest run directory: 500MB, 20GB or bytes.", json_schema_extra=_BYTES_SCHEMA
    )
    memory: Bytes = Field(
        default=None, description="Largest memory of a worker: 8GB or bytes.", json_schema_extra=_BYTES_SCHEMA
    )


class KeepCheckpoints(Section):
    """Which configurations keep their trained weights."""

    best: Count = Field(default=10, description="So many of the best.")


class Final(Section):
    """Retraining of the best configurations."""

    candidates: Count = Field(default=3, description="Configurations that are trained again.")
    seeds: Annotated[int, Field(ge=0)] = Field(
        default=2, description="New seeds for each of them; the mean decides. 0: the search's own scores decide."
    )
    train_on_validation: bool = Field(
        default=True, description="Train the winner on training and validation rows together."
    )
    tta: Literal["none", "flip"] = Field(
        default="none",
        description="flip: the model that is measured and exported averages what it answers to an image and to its "
        "mirror image, which takes twice as long; baselines are left as they are, and so are configurations of a space "
        "with a choice of augmentation.flip, or a condition on it, that see no mirror images while they train.",
    )
    ensemble: Count = Field(
        default=1,
        description="Above 1: so many of the best configurations, trained on the training rows, answer together in one "
        "model where that is measurably better on the validation rows than what would win alone, which may be a "
        "baseline; it takes so many times as long and takes the place of the final training. Where the learning rate "
        "of the best has not gone to its end in the search, it wins alone, by its final training.",
    )


class Export(Section):
    """What the best model is written as."""

    formats: Annotated[
        tuple[Literal["keras", "h5", "savedmodel", "onnx", "tflite", "tflite-float16", "tflite-int8"], ...],
        Field(strict=False),
    ] = Field(
        default=("keras", "h5", "savedmodel", "tflite"),
        description="File formats of the exported model; onnx needs the extra [onnx].",
        json_schema_extra={"minItems": 1, "uniqueItems": True},
    )
    quantisation_loss: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.005,
        description="Most accuracy on the test part that a file whose weights were rounded (tflite-float16, "
        "tflite-int8) may lose; one that loses more is refused.",
    )

    serve: bool = Field(
        default=False,
        description="Write the folder serve/ besides: a SavedModel that takes encoded images or the columns of a table "
        "and answers class names and probabilities, and a plain script for each format.",
    )

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        for index, name in enumerate(self.formats):
            if name in self.formats[:index]:
                raise refuse(f"{shown(name)} is listed twice", "formats", index)
        return self
