"""What was measured on rows that the search never saw, by configuration."""

from __future__ import annotations

from collections.abc import Iterable

from search.files.store import Evaluation, RunReader
from search.record.trial import Trial, TrialKind

TEST = "test"


def objective_metric(objective: str) -> str:
    """The name of the objective's metric in an evaluation: `val_accuracy` is `accuracy` there."""
    return objective.removeprefix("val_")


def answering(reader: RunReader) -> int:
    """How many models answer together as the winner, so that what is measured of it on the test part is theirs."""
    return 1 + len(reader.answering_with(reader.meta("winner")))


def test_scores(trials: Iterable[Trial], evaluations: Iterable[Evaluation], objective: str) -> dict[str, float]:
    """Configuration id to the objective's metric on the test part.

    Rows that helped to choose are no test: evaluations on another part are left out. A baseline that won has two
    final models; the winner's counts.

    Args:
        trials: All trials of the run.
        evaluations: The run's evaluations.
        objective: The objective's name, for example `val_accuracy`.
    """
    known = {trial.id: trial for trial in trials}
    metric = objective_metric(objective)
    found: dict[str, float] = {}
    winners: set[str] = set()
    for evaluation in evaluations:
        trial = known.get(evaluation.trial)
        value = evaluation.metrics.get(metric)
        if trial is None or evaluation.part != TEST or value is None or trial.configuration in winners:
            continue
        found[trial.configuration] = value
        if trial.kind is TrialKind.WINNER:
            winners.add(trial.configuration)
    return found
