"""How many parameters a configuration has, found out before any of them is allocated."""

from __future__ import annotations

from spaces.data.types import DataInfo
from spaces.settings import Settings


def count_parameters(settings: Settings, info: DataInfo) -> int:
    """Parameters of the configuration's model, trainable or not.

    A model of our own families is built in a scope in which Keras knows the shapes of variables and never fills them,
    so that a network of a terabyte is counted as quickly as a small one. A user's function may do anything while it
    builds; it is simply called.

    Args:
        settings: The configuration.
        info: The rows it is for.

    Raises:
        ValueError: The architecture cannot be built, for example because pooling shrinks the picture below one pixel.
    """
    import keras

    from spaces.families import FAMILIES
    from spaces.model import architecture, build_model

    if settings.family not in FAMILIES:
        return int(build_model(settings, info).count_params())
    with keras.StatelessScope(initialize_variables=False):
        return int(architecture(settings, info).count_params())
