"""The reading side: ranked tables, comparison report, export, prediction.

Importing this package imports neither pandas nor matplotlib nor TensorFlow; each name is loaded when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spaces.basics.later import later

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

__getattr__ = later(__name__, {
    "errors": ("ResultError",),
    "exporting": ("ExportResult", "ExportedFile", "export"),
    "models": ("best_model",),
    "predicting": ("Prediction", "predict"),
    "ranked.curves": ("epochs",),
    "ranked.frame": ("table",),
    "ranked.ranking": ("rows",),
    "ranked.tables": ("Table",),
    "reporting": ("compare_report", "report"),
    "tracking.mlflow_log": ("Logged", "log_mlflow"),
    "tracking.studies": ("export_study",),
    "verdicts.advice": ("Advice", "advise"),
    "verdicts.comparison": ("compare",),
    "verdicts.next_night": ("next_space",),
    "watching.ledger": ("Account", "Entry", "time_spent"),
    "watching.progress": ("status",),
})  # fmt: skip
