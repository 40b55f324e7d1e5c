"""Data of a space: sources, checks, splits and preprocessing. `load_data(spec)` is the way in."""

from spaces.data.load import load_data
from spaces.data.types import DataInfo, Dataset, Split

__all__ = ["DataInfo", "Dataset", "Split", "load_data"]
