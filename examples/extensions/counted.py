"""An engine of one's own: what trains the models, here as this program does it, with a count of the trainings.

A package for another of Keras's backends names it as `keras.config.backend()` does, by two lines of its
pyproject.toml:

    [project.entry-points."nightshift.engines"]
    counted = "counted:COUNTED"
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.training.engines import TensorFlowEngines


class Counted(TensorFlowEngines):
    """`search.training.engines.Engines` says what each method does; one for another backend implements all four."""

    def networks(self, info: Any, features: Any) -> Any:
        """What a trainer takes its engines from. Keras is imported here and not above."""
        from search.training.reuse.networks import Networks

        class Counting(Networks):
            def tidy(self) -> None:
                with Path("trainings.txt").open("a") as file:
                    file.write("trained\n")
                super().tidy()

        return Counting(info, features)


COUNTED = Counted()
