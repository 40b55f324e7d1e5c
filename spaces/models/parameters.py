"""How many parameters a configuration has, found out before any of them is allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spaces.families import family_of_settings
from spaces.models.settings import Settings

if TYPE_CHECKING:
    from spaces.data.types import DataInfo


def count_parameters(settings: Settings, info: DataInfo) -> int:
    """Parameters of the configuration's model, trainable or not.

    The layers of our own families are made and never built, so that a network of a terabyte is counted as quickly as
    a small one. A user's function may do anything while it builds; it is simply called.

    Args:
        settings: The configuration.
        info: The rows it is for.

    Raises:
        ValueError: The architecture cannot be built, for example because pooling shrinks the picture below one pixel.
    """
    return family_of_settings(settings.family).count_parameters(settings, info)
