"""Trains one configuration of a run again, from its recorded values and seed."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spaces
from search.clock import SystemClock
from search.errors import RunError
from search.files.checked.agreement import require_agreement
from search.files.rundir import Run, data_info, open_run, telling_of_other_places
from search.phases.sources import followed
from search.record.configuration import Configuration, configurations, fresh_scores, meant
from search.record.first.beginning import changed_sources, require_files
from search.record.trial import Outcome, TrialJob, TrialKind
from search.training import threads
from search.training.trainer import Trainer
from spaces.data.stored.store import scratch


@dataclass(frozen=True)
class Reproduction:
    """A configuration's recorded score beside the one it reached now.

    Attributes:
        configuration: The record.
        outcome: The training of now.
        same_data: Whether the data are those of the run.
        changed_sources: Files of the user's code that say something else than when the run trained with them.
        noise: Standard deviation of the configuration's score over fresh seeds; None where the run has fewer than two.
    """

    configuration: Configuration
    outcome: Outcome
    same_data: bool
    changed_sources: tuple[str, ...]
    noise: float | None

    @property
    def difference(self) -> float | None:
        """Score of now minus recorded score."""
        if self.outcome.score is None or self.configuration.score is None:
            return None
        return self.outcome.score - self.configuration.score


def reproduce(run: Run | str | Path, name: str | int) -> Reproduction:
    """Trains a configuration again, for as many epochs as it was trained in the run.

    Args:
        run: The run.
        name: A configuration's id, with or without its leading zeros, or a baseline's name.

    Raises:
        RunError: There is no such configuration, or it was never trained.
        DataError: The data cannot be loaded, or a file that the models are made of is another one now.
    """
    found, name = open_run(run), str(name)
    with found.read() as reader:
        # Of a long run not all trials are read whole to find one.
        baselines = {one.name: one.id for one in configurations(reader.trials(TrialKind.BASELINE))}
        wanted = meant(name, (*baselines, *reader.contenders()))
        own = [] if wanted is None else reader.of_configuration(baselines.get(wanted, wanted))
        objective, info, fingerprint = reader.meta("objective"), data_info(reader), reader.meta("data")["fingerprint"]
        recorded_threads = reader.meta("threads")
        files, sources = reader.meta("files", {}), reader.meta("sources", {})
    configuration = next(iter(configurations(own)), None)
    if configuration is None:
        raise RunError(f"{found.directory}: no configuration {name!r}; `table` shows their ids and names")
    if not configuration.epochs:
        raise RunError(f"{found.directory}: configuration {name!r} was never trained")
    require_agreement(found, configuration.trials)
    require_files(found.spec, files)
    changed = changed_sources(found.spec, sources)
    threads.configure(recorded_threads or 1)
    with telling_of_other_places(found.directory, found.spec):
        data = spaces.load_data(found.spec, info)
    with scratch() as folder:
        outcome = Trainer(folder, data, SystemClock()).train(
            TrialJob(
                trial_id=configuration.id,
                settings=followed(configuration.settings, found.spec),
                seed=configuration.seed,
                objective=objective["name"],
                direction=objective["direction"],
                epochs_from=0,
                epochs_to=len(configuration.epochs),
                keep=(),
            )
        )
    fresh = fresh_scores(own).get(configuration.id, [])
    noise = statistics.stdev(fresh) if len(fresh) > 1 else None
    return Reproduction(configuration, outcome, data.fingerprint == fingerprint, changed, noise)


def summary(found: Reproduction) -> dict[str, Any]:
    """Both scores and what they can be compared by, as plain data."""
    return {
        "configuration": found.configuration.name,
        "epochs": len(found.configuration.epochs),
        "recorded_score": found.configuration.score,
        "score": found.outcome.score,
        "difference": found.difference,
        "noise_over_seeds": found.noise,
        "same_data": found.same_data,
        "same_sources": not found.changed_sources,
        "failure": found.outcome.failure.message if found.outcome.failure else None,
    }
