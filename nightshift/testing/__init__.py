"""What a part of a package of your own has to keep to: call these in its tests.

Each raises AssertionError with a sentence about what is wrong. Importing the module does not import Keras.
"""

from nightshift.testing.executors import check_executor
from nightshift.testing.families import check_family
from nightshift.testing.oracles import check_oracle
from nightshift.testing.trackers import check_tracker

__all__ = ["check_executor", "check_family", "check_oracle", "check_tracker"]
