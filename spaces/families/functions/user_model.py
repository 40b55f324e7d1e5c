"""The user's own `build(hp)`: its hyperparameters, and building with given values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.basics.errors import CodeError, Problem, SpaceError, problem
from spaces.basics.printable import some_of
from spaces.basics.section import unknown
from spaces.families.functions.exploring import Explored, explore, regression_loss
from spaces.families.python import PythonModel
from spaces.outside import keras_names
from spaces.outside.backend import policy_kept
from spaces.outside.branches import asks_in_branches
from spaces.outside.given import spoken
from spaces.outside.references import call, file_of, generation, load_attribute, load_function, names_given
from spaces.outside.user_code import described, place
from spaces.values.packing import unpack_inputs

if TYPE_CHECKING:
    from spaces.data.types import DataInfo
    from spaces.specs.spec import SearchSpec
    from spaces.values.space import Hyperparameter

_COMPILATION = (
    "optimizer", "learning_rate", "momentum", "nesterov", "weight_decay", "schedule", "warmup", "learning_rate_decay",
    "label_smoothing", "gradient_clip", "focal_gamma",
)  # fmt: skip
_LOOPS = {"batch_size": "rows an update", "epochs": "epochs"}
"""What is the training's own, and people ask for in their function, too."""
_COMPILED = "has no effect: the model's function compiles the model"


def build(reference: str, values: Mapping[str, Any]) -> Any:
    """The model that the function makes of these values.

    Raises:
        CodeError: it raised something, or returned what is no Keras model.
    """
    return _called(reference, _holding(values))


def fit_to(model: Any, reference: str, loss: str, info: DataInfo) -> None:
    """Makes the weights of a model that waits for its first row, and looks whether it fits the data.

    Args:
        model: what `build` gave.
        reference: its function.
        loss: `training.loss`, by which a model is compiled that the function has not compiled.
        info: the rows.

    Raises:
        CodeError: it takes no such rows, or it has too few outputs for the loss.
    """
    from spaces.layers.loss import loss_name, output_units

    where = place(reference, file_of(reference), function=_builder(reference))
    if not model.built:
        try:
            model(_row(info), training=False)
        except (Exception, SystemExit) as error:
            rows = f"shape {info.input_shape}" if info.inputs is None else info.inputs.described()
            message = f"{where}: the model takes no rows of {rows}: {described(error)}"
            raise CodeError(message) from error
    loss_for_numbers = regression_loss(model) if model.compiled else None
    if loss_for_numbers is not None and info.labels == "integer" and info.label_values not in ((), (0, 1)):
        labels = some_of(list(map(str, info.label_values)), 5)
        raise CodeError(
            f"{where}: training.loss: the function compiles with {loss_for_numbers}, and the labels {labels} would be "
            f"taken for classes: set training.loss: {loss_for_numbers}"
        )
    if info.targets is not None and not model.compiled:
        raise CodeError(
            f"{where}: the model is not compiled; one of several outputs needs a loss for each: compile it there"
        )
    shape = getattr(model, "output_shape", None)
    if model.compiled or not isinstance(shape, tuple):
        return
    needed, _ = output_units(loss, info, "probabilities")
    if shape[-1] is not None and shape[-1] < needed:
        raise CodeError(
            f"{where}: the model is not compiled, and {loss_name(loss, info)} needs {needed} outputs where it has "
            f"{shape[-1]}: compile it there, or set training.loss"
        )


def _row(info: DataInfo) -> Any:
    """A row of zeros, as the model takes it."""
    row = np.zeros((1, *info.input_shape), info.dtype)
    return row if info.inputs is None else unpack_inputs(row, info.inputs)


def _holding(values: Mapping[str, Any]) -> Any:
    """Keras Tuner's hp with these values."""
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return hp


def _called(reference: str, hp: Any) -> Any:
    import keras

    # What the module itself makes has its names before; a class of it may make metrics when an object is made of it.
    load_attribute(reference)
    with keras_names.counting_from(names_given(reference)):
        function = _builder(reference)
        model = call(reference, function, hp)
    if not isinstance(model, keras.Model):
        where = place(reference, "", function=function)
        raise CodeError(f"{where}: returned {type(model).__name__}; it has to return a keras.Model")
    _refuse_fit(reference, model, keras.Model)
    return model


def _builder(reference: str) -> Callable[..., Any]:
    """The function, or what builds of a `keras_tuner.HyperModel`, named by itself or by its class."""
    import keras_tuner

    found = load_attribute(reference)
    _refuse_tuner(reference, found, (keras_tuner.Tuner, keras_tuner.SklearnTuner))
    if isinstance(found, type) and issubclass(found, keras_tuner.HyperModel):
        found = call(reference, found)
    if not isinstance(found, keras_tuner.HyperModel):
        _refuse_alike(reference, found)
        return load_function(reference)
    _refuse_fit(reference, found, keras_tuner.HyperModel)
    return partial(_declared_and_built, found)


def _declared_and_built(hypermodel: Any, hp: Any) -> Any:
    """The model of a `HyperModel`; what it declares beside its `build` comes first, as in Keras Tuner."""
    hypermodel.declare_hyperparameters(hp)
    return hypermodel.build(hp)


def _refuse_tuner(reference: str, found: Any, tuners: tuple[type, ...]) -> None:
    """A tuner searches by itself, where a function or `HyperModel` is what is searched."""
    cls = found if isinstance(found, type) else type(found)
    if not issubclass(cls, tuners):
        return
    raise CodeError(
        f"{spoken(reference)}: {cls.__name__} is a tuner of Keras Tuner; give the build(hp) or HyperModel that it "
        "searches. Its algorithm is search.algorithm, its trials are search.max_trials; a run_trial() of its own is "
        "never called: what it decides are training.batch_size and training.epochs (values or ranges), "
        "data.validation: {folds: 5}, and a step of your own in the model's train_step()"
    )


def _refuse_alike(reference: str, found: Any) -> None:
    """What looks like a `HyperModel` and is none cannot be called, or makes no model when it is."""
    import keras

    kind = found if isinstance(found, type) else type(found)
    called = callable(found) and (kind is not found or issubclass(kind, keras.layers.Layer))
    if called or not callable(getattr(found, "build", None)):
        return
    raise CodeError(
        f"{spoken(reference)}: {kind.__name__} has a build() and is no keras_tuner.HyperModel: let the class inherit "
        "from that, or give a function build(hp)"
    )


def _refuse_fit(reference: str, found: Any, base: Any) -> None:
    """A training of the user's own would never be called: what it does has to be said where it is."""
    if type(found).fit is base.fit:
        return
    raise CodeError(
        f"{place(reference, '', function=type(found).fit)}: {type(found).__name__} has a fit() of its own, which is "
        "never called: trainings are paused, continued and compared here. What it decides belongs into the space: "
        "batch size, epochs and early stopping under training (as values or ranges), what is done to the rows into "
        "layers of the model or into the data, a step of its own into the model's train_step(); callbacks under "
        "training.callbacks. Without the fit() it is taken"
    )


def hyperparameters_of_function(spec: SearchSpec) -> tuple[Hyperparameter, ...]:
    """The hyperparameters that the function asks for.

    Raises:
        CodeError: the function cannot be called with any values that were tried.
        SpaceError: one of them has the name of one of the training section, or the function compiles its
            model although the training section says how.
    """
    assert isinstance(spec.model, PythonModel)
    explored = _explored(spec.model.family.python)
    found = explored.hyperparameters
    problems: list[Problem] = []
    own = {hyperparameter.name for hyperparameter in spec.space.hyperparameters}
    for name in sorted(own & {hyperparameter.name for hyperparameter in found}):
        problems.append(problem(("training", name), "is also a hyperparameter of the model's function"))
    for name in _COMPILATION if explored.compiled else ():
        if getattr(spec.training, name) is not None:
            problems.append(problem(("training", name), _COMPILED))
    if problems:
        raise SpaceError(problems)
    return found


def unasked(reference: str, values: Mapping[str, Any], trained: Collection[str]) -> dict[str, str]:
    """Values of a configuration that have no effect, and why, in words.

    Args:
        reference: The function.
        values: Those of the configuration; outside of the ranges they may lead to what no other values lead to.
        trained: Names of what the training section may decide.

    Raises:
        CodeError: as `hyperparameters_of_function`.
    """
    explored = _explored(reference)
    effective = {*trained} - {*(_COMPILATION if explored.compiled else ())} | explored.names
    others = values.keys() - effective
    if not others:
        return {}
    hp = _holding(values)
    try:
        with policy_kept():
            _called(reference, hp)
    except CodeError:
        # What it would have asked for nobody knows; building the model says what is wrong.
        return {}
    idle = sorted(others - {one.name for one in hp.space})
    return {name: _COMPILED if name in trained else unknown("hyperparameter", name, sorted(effective)) for name in idle}


def without_effect(spec: SearchSpec) -> list[str]:
    """What the function asks for by the name of something that the training section alone decides, a sentence each.

    It is no mistake: the function may reckon with it.

    Raises:
        CodeError: as `hyperparameters_of_function`.
    """
    assert isinstance(spec.model, PythonModel)
    reference = spec.model.family.python
    names = _explored(reference).names
    return [
        f"{spoken(reference)} asks for {name}, which only the function itself gets to see: how many {what} a training "
        f"has is training.{name}, a value, choices or a range"
        for name, what in _LOOPS.items()
        if name in names
    ]


def loss_of_function(reference: str) -> str | None:
    """The name of `training.loss` that comes nearest to the loss of regression that the function compiles with.

    None where it compiles with another one, or does not compile.

    Raises:
        CodeError: as `hyperparameters_of_function`.
    """
    return _explored(reference).loss


def _explored(reference: str) -> Explored:
    return _explore(reference, id(load_attribute(reference)), generation())


@lru_cache(maxsize=8)
def _explore(reference: str, function: int, generation: int) -> Explored:
    """What the function asks for; `function` and `generation` say what the reference stands for now."""
    _builder(reference)
    with policy_kept():
        return explore(partial(_called, reference), reference, branches=asks_in_branches(file_of(reference)))
