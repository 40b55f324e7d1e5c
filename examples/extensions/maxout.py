"""A model family of one's own: the largest of some linear functions of the row (Goodfellow et al., arXiv:1302.4389).

In a package it is registered by two lines of its pyproject.toml:

    [project.entry-points."nightshift.families"]
    maxout = "maxout:MAXOUT"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from spaces.families import ModelSection
from spaces.families.common import COUNT, WIDTH
from spaces.families.layered import Layered
from spaces.values.dimensions import Dimension
from spaces.values.setting import Setting


class MaxoutModel(ModelSection):
    """One layer of maxima: how many, and of how many linear functions, is worth trying."""

    family: Literal["maxout"] = Field(description="A layer of maxima.")
    units: Annotated[Dimension, WIDTH] = Field(description="Maxima.")
    pieces: Annotated[Dimension | None, COUNT] = Field(default=None, description="Functions under each; default 2.")
    output: Literal["probabilities", "logits"] = Field(default="probabilities", description="What it answers.")


class Maxout(Layered):
    """Family `maxout`."""

    name = "maxout"
    section = MaxoutModel

    def settings(self, section: MaxoutModel) -> list[Setting]:
        """Its settings, with where the space file has them, and their defaults."""
        return [
            Setting("units", ("model", "units"), WIDTH, section.units),
            Setting("pieces", ("model", "pieces"), COUNT, section.pieces, 2),
        ]

    def hidden_layers(self, model: Mapping[str, Any], info: Any) -> list[Any]:
        """The layers between preprocessing and output. Keras is imported here and not above."""
        from keras import layers

        return [
            layers.Flatten(),
            layers.Dense(model["units"] * model["pieces"]),
            layers.Reshape((model["pieces"], model["units"])),
            layers.GlobalMaxPooling1D(),
        ]


MAXOUT = Maxout()
