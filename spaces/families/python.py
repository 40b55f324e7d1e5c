"""Family `{python: "module:function"}`: the user's own `build(hp)`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from pydantic import Field

from spaces.basics.section import Section
from spaces.families.family import Family, ModelSection
from spaces.outside.references import Reference

if TYPE_CHECKING:
    import keras

    from spaces.data.types import DataInfo
    from spaces.models.settings import Settings
    from spaces.specs.spec import SearchSpec
    from spaces.values.dimensions import Value
    from spaces.values.setting import Setting
    from spaces.values.space import Hyperparameter


class PythonFamily(Section):
    """A function of the user's, taking keras_tuner's hp and returning a Keras model."""

    python: Reference = Field(description='"module:function"; the module may lie beside the space file.')


class PythonModel(ModelSection):
    """A model that a function of the user's builds."""

    family: PythonFamily = Field(description='{python: "module:function"} taking keras_tuner\'s hp.')


class _Python(Family):
    name = "python"
    section = PythonModel
    users_code = True

    def label(self, section: PythonModel) -> str:
        return f"python:{section.family.python}"

    def code(self, label: str) -> str:
        return label.removeprefix("python:")

    def settings(self, section: PythonModel) -> list[Setting]:
        return []

    def hyperparameters(self, spec: SearchSpec) -> tuple[Hyperparameter, ...]:
        from spaces.families.functions.user_model import hyperparameters_of_function

        return hyperparameters_of_function(spec)

    def unasked(self, spec: SearchSpec, values: Mapping[str, Value], trained: Collection[str]) -> dict[str, str]:
        from spaces.families.functions.user_model import unasked

        return unasked(self.code(spec.family), values, trained)

    def advice(self, spec: SearchSpec) -> list[str]:
        from spaces.families.functions.user_model import without_effect

        return without_effect(spec)

    def assemble(self, section: PythonModel, flat: Mapping[str, Value], values: Mapping[str, Value]) -> dict[str, Any]:
        # The function sees every value: it may ask for a learning rate of its own.
        return dict(values)

    def sources(self, spec: SearchSpec) -> dict[str, str]:
        from spaces.outside.references import sources_of

        return sources_of(self.code(spec.family))

    def output(self, model: Mapping[str, Any]) -> str:
        return "probabilities"

    def build(self, settings: Settings, info: DataInfo) -> keras.Model:
        from spaces.families.functions.user_model import build, fit_to
        from spaces.layers.layers import computing_in
        from spaces.outside.backend import policy_kept
        from spaces.outside.references import load_attribute

        reference, precision = self.code(settings.family), settings.training.precision
        # What its module sets for all layers holds for every model, what the function sets for this one.
        load_attribute(reference)
        with policy_kept():
            with nullcontext() if precision == "float32" else computing_in(precision):
                model = build(reference, settings.model)
            fit_to(model, reference, settings.training.loss, info)
        return model


PYTHON = _Python()
