"""The winner against the baselines on the same test rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from results.errors import ResultError
from results.ranked.measured import TEST, objective_metric
from results.ranked.ranking import Source
from results.ranked.statistics import Interval, mcnemar, wilson
from search.files import arrays
from search.files.rundir import Run, open_run
from search.files.store import Evaluation
from search.record.trial import TrialKind

_MEASURED = (TrialKind.BASELINE, TrialKind.WINNER, TrialKind.SEARCH)


@dataclass(frozen=True)
class Measured:
    """A final model on the test part.

    Attributes:
        trial: Id of the trial whose model it is.
        name: The baseline's name, or the winner's configuration.
        winner: Whether it is the winner.
        metric: The objective's name there, for example `accuracy`.
        value: Its value; None if it was not measured.
        rows: Number of test rows.
        right: Rows classified right; None in regression.
        interval: Wilson's 95 % interval of the accuracy; None in regression.
        ahead: Accuracy of the winner minus that of this model; None for the winner and in regression.
        p: McNemar's exact p-value that winner and model are right equally often; None where `ahead` is.
    """

    trial: str
    name: str
    winner: bool
    metric: str
    value: float | None
    rows: int
    right: int | None = None
    interval: Interval | None = None
    ahead: float | None = None
    p: float | None = None


def measured(run: Source) -> list[Measured]:
    """The final models' test results, the winner first; empty where no test part was measured.

    Raises:
        RunError: There is no run, or it is damaged.
        ResultError: A file with predictions is missing or damaged.
    """
    opened = open_run(run)
    with opened.read() as reader:
        evaluations = [e for e in reader.evaluations() if e.part == TEST]
        trials = {trial.id: trial for trial in reader.some(e.trial for e in evaluations) if trial.kind in _MEASURED}
        evaluations = [e for e in evaluations if e.trial in trials]
        metric = objective_metric(reader.meta("objective")["name"])
        classes = reader.meta("data")["info"]["task"] == "classification"
        winner = reader.meta("winner")
    evaluations.sort(key=lambda e: e.trial != winner)
    correct = {e.trial: _correct(opened, e) for e in evaluations} if classes else {}
    best = correct.get(winner)
    found = []
    for evaluation in evaluations:
        trial = trials[evaluation.trial]
        name = trial.name or trial.configuration
        value = evaluation.metrics.get(metric)
        first = evaluation.trial == winner
        hits = correct.get(evaluation.trial)
        if hits is None:
            found.append(Measured(trial.id, name, first, metric, value, evaluation.rows))
            continue
        right = int(hits.sum())
        ahead = p = None
        if best is not None and not first and len(best) == len(hits):
            ahead = float(best.mean() - hits.mean())
            p = mcnemar(int((best & ~hits).sum()), int((hits & ~best).sum()))
        interval = wilson(right, len(hits))
        found.append(Measured(trial.id, name, first, metric, value, len(hits), right, interval, ahead, p))
    return found


def _correct(run: Run, evaluation: Evaluation) -> Any:
    """One truth value per test row: was the most probable class the right one?"""
    import numpy as np

    path = run.directory / evaluation.file
    if not path.resolve().is_relative_to(run.directory.resolve()):
        raise ResultError(f"{evaluation.file}: lies outside the run directory")
    try:
        stored = arrays.load(path, "predictions", "labels")
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: predictions cannot be read ({error})") from error
    predictions, labels = stored["predictions"], stored["labels"]
    if predictions.ndim != 2 or not predictions.size or labels.shape[:1] != predictions.shape[:1]:
        raise ResultError(f"{path}: predictions of shape {predictions.shape} for labels of shape {labels.shape}")
    # One output is the probability of the second of two classes.
    chosen = predictions[:, 0] > 0.5 if predictions.shape[1] == 1 else predictions.argmax(axis=1)
    expected = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(len(labels))
    return chosen == expected.astype(np.int64)
