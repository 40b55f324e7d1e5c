"""Family `{python: "module:function"}`: the user's own `build(hp)`."""

from __future__ import annotations

from pydantic import Field

from spaces.references import Reference
from spaces.section import Section


class PythonFamily(Section):
    """A function of the user's, taking keras_tuner's hp and returning a Keras model."""

    python: Reference = Field(description='"module:function"; the module may lie beside the space file.')


class PythonModel(Section):
    """A model that a function of the user's builds."""

    family: PythonFamily = Field(description='{python: "module:function"} taking keras_tuner\'s hp.')
