"""The reading side: ranked tables, comparison report, export, prediction.

Importing this package imports neither pandas nor matplotlib nor TensorFlow; each name is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results.advice import advise
    from results.comparison import compare
    from results.curves import epochs
    from results.errors import ResultError
    from results.exporting import export
    from results.frame import table
    from results.ledger import time_spent
    from results.mlflow_log import log_mlflow
    from results.models import best_model
    from results.next_night import next_space
    from results.predicting import predict
    from results.progress import status
    from results.ranking import rows
    from results.reporting import compare_report, report
    from results.studies import export_study

_HOME = {
    "ResultError": "errors",
    "advise": "advice",
    "best_model": "models",
    "compare": "comparison",
    "compare_report": "reporting",
    "epochs": "curves",
    "export": "exporting",
    "export_study": "studies",
    "log_mlflow": "mlflow_log",
    "next_space": "next_night",
    "predict": "predicting",
    "report": "reporting",
    "rows": "ranking",
    "status": "progress",
    "table": "frame",
    "time_spent": "ledger",
}

__all__ = [
    "ResultError",
    "advise",
    "best_model",
    "compare",
    "compare_report",
    "epochs",
    "export",
    "export_study",
    "log_mlflow",
    "next_space",
    "predict",
    "report",
    "rows",
    "status",
    "table",
    "time_spent",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'results' has no attribute {name!r}")
    value = getattr(import_module(f"results.{_HOME[name]}"), name)
    globals()[name] = value
    return value
