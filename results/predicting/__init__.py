"""Predicting with an exported model alone."""

from results.predicting.predictions import Prediction, predict

__all__ = ["Prediction", "predict"]
