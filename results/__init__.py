"""The reading side: ranked tables, comparison report, export, prediction.

Importing this package imports neither pandas nor matplotlib nor TensorFlow; each name is loaded when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from results.errors import ResultError
    from results.exporting import ExportedFile, ExportResult, export
    from results.models import best_model
    from results.predicting import Prediction, predict
    from results.ranked.curves import epochs
    from results.ranked.frame import table
    from results.ranked.ranking import rows
    from results.ranked.tables import Table
    from results.reporting import compare_report, report
    from results.tracking.mlflow_log import Logged, log_mlflow
    from results.tracking.studies import export_study
    from results.verdicts.advice import Advice, advise
    from results.verdicts.comparison import compare
    from results.verdicts.next_night import next_space
    from results.watching.ledger import Account, Entry, time_spent
    from results.watching.progress import status

_HOME = {
    "Account": "watching.ledger",
    "Advice": "verdicts.advice",
    "Entry": "watching.ledger",
    "ExportResult": "exporting",
    "ExportedFile": "exporting",
    "Logged": "tracking.mlflow_log",
    "Prediction": "predicting",
    "ResultError": "errors",
    "Table": "ranked.tables",
    "advise": "verdicts.advice",
    "best_model": "models",
    "compare": "verdicts.comparison",
    "compare_report": "reporting",
    "epochs": "ranked.curves",
    "export": "exporting",
    "export_study": "tracking.studies",
    "log_mlflow": "tracking.mlflow_log",
    "next_space": "verdicts.next_night",
    "predict": "predicting",
    "report": "reporting",
    "rows": "ranked.ranking",
    "status": "watching.progress",
    "table": "ranked.frame",
    "time_spent": "watching.ledger",
}

__all__ = [
    "Account",
    "Advice",
    "Entry",
    "ExportResult",
    "ExportedFile",
    "Logged",
    "Prediction",
    "ResultError",
    "Table",
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
