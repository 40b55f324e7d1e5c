"""Families whose models are lists of layers: preprocessing, hidden layers, output."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from spaces.basics.errors import DataError
from spaces.families.family import Family
from spaces.layers.parts import Joined, connected, counted

if TYPE_CHECKING:
    import keras

    from spaces.data.types import DataInfo
    from spaces.models.settings import Settings
    from spaces.specs.spec import SearchSpec


class Layered(Family):
    """Models that are described by their parts (`spaces.layers.parts`) before anything is allocated.

    So parameters are counted without being made, and models of equal `operations` share compiled functions. Of these
    models, and of those with joined ways, each layer has a name of its own, by which it is found.

    Attributes:
        channels: Whether grey images get an axis of channels.
    """

    channels: ClassVar[bool] = False
    scales_targets: ClassVar[bool] = True

    def check_data(self, info: DataInfo) -> None:
        """Raises ValueError, saying what the family needs, where it cannot take such rows."""

    def require(self, spec: SearchSpec, info: DataInfo) -> list[str]:
        """See `Family.require`."""
        try:
            self.check_data(info)
        except ValueError as error:
            raise DataError(str(error)) from error
        return []

    def hidden_layers(self, model: Mapping[str, Any], info: DataInfo) -> list[Any]:
        """The parts between preprocessing and output, in order; raises what `build` raises."""
        raise NotImplementedError

    def augmentation_layers(self, model: Mapping[str, Any], info: DataInfo) -> list[keras.layers.Layer]:
        """Layers that change training rows at random, before preprocessing.

        Those of `spaces.families.augmentation`, whose settings a family need not have.
        """
        from spaces.families.augmentation import augmentation_layers

        return augmentation_layers(model, info)

    def preprocessing(self, model: Mapping[str, Any], info: DataInfo) -> list[keras.layers.Layer]:
        """Layers that bring raw rows to what the hidden layers work on, augmentation included."""
        from spaces.layers.layers import preprocessing_layers

        first = self.augmentation_layers(model, info)
        return preprocessing_layers(info, first, channels=self.channels or bool(first))

    def parts(self, settings: Settings, info: DataInfo) -> list[Any]:
        """The parts of a model after its input, in order, not built; raises what `build` raises."""
        from spaces.layers.layers import computing_in, output_layers

        self.check_data(info)
        # What brings the rows in and the output are float32 always: raw values and probabilities need their digits.
        with computing_in(settings.training.precision):
            hidden = self.hidden_layers(settings.model, info)
        return [*self.preprocessing(settings.model, info), *hidden, *output_layers(settings, info)]

    def assembled(self, parts: list[Any], settings: Settings, info: DataInfo) -> keras.Model:
        """The model, not compiled, of a configuration's `parts`, whose layers may have been replaced."""
        import keras

        inputs = keras.Input(info.input_shape, name="rows")
        if not any(isinstance(part, Joined) for part in parts):
            return keras.Sequential([inputs, *parts], name=self.name)
        return keras.Model(inputs, connected(parts, inputs), name=self.name)

    def build(self, settings: Settings, info: DataInfo) -> keras.Model:
        """See `Family.build`."""
        return self.assembled(self.parts(settings, info), settings, info)

    def count_parameters(self, settings: Settings, info: DataInfo) -> int:
        """See `Family.count_parameters`; of kinds of layers that this program's families have nothing is allocated, so
        that a network of a terabyte is counted as quickly.
        """
        from spaces.layers.layers import parameters

        if isinstance(settings.model.get("dropout"), int | float):
            # Dropout has no parameters, but each of its layers makes a variable for its random state.
            settings = replace(settings, model={**settings.model, "dropout": 0.0})
        return counted(self.parts(settings, info), (None, *info.input_shape), parameters)[0]

    def widths_are_free(self, model: Mapping[str, Any]) -> bool:
        """Whether compiled functions serve all widths of the dense layers, of which the hidden part then consists."""
        return False

    def with_dropout(self, model: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Settings of the same network with dropout, which at rate 0 gives the same bits; None if there is none."""
        return None

    def numbers_left_out(self, model: Mapping[str, Any]) -> Hashable:
        """`operations` of a network whose only numbers that are read while training are dropout and an L2 penalty."""
        return tuple(sorted({**model, "dropout": bool(model["dropout"]), "l2": bool(model["l2"])}.items()))
