"""The trained models of a run: which checkpoint stands for a row of the table, and the Keras model made from it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from results.errors import ResultError
from search.errors import CheckpointError
from search.files import checkpoint as checkpoints
from search.files.checked.agreement import require_agreement
from search.files.lock import is_taken
from search.files.rundir import Run, data_info, open_run
from search.files.store import RunReader
from search.record.configuration import Configuration, configurations, meant
from search.record.marks import COUNTED, best_first
from search.record.standing import answers_both_ways
from search.record.trial import Checkpoint, Trial, TrialKind
from spaces import DataInfo, Settings
from spaces.families import family_of
from spaces.outside.backend import load_tensorflow, share_gpus

if TYPE_CHECKING:
    import keras
    import numpy as np

Role = Literal["winner", "best so far", "configuration", "baseline", "candidate"]

_ROLES: dict[TrialKind, Role] = {
    TrialKind.WINNER: "winner",
    TrialKind.BASELINE: "baseline",
    TrialKind.CANDIDATE: "candidate",
    TrialKind.SEARCH: "configuration",
    TrialKind.EVIDENCE: "configuration",
}


@dataclass(frozen=True)
class TrainedModel:
    """A model that can be rebuilt from the run.

    Attributes:
        trial: The trial that trained it last.
        checkpoint: Its weights.
        role: What it is in the run: the winner, the best configuration of a search that has no winner yet,
            or a configuration, baseline or candidate that was asked for by its id.
        others: Models that answer together with it.
    """

    trial: Trial
    checkpoint: Checkpoint
    role: Role
    others: tuple[TrainedModel, ...] = ()

    @property
    def members(self) -> tuple[TrainedModel, ...]:
        """All models that answer together; itself where it is alone."""
        return (self, *self.others)


def best_model(run: Run | str | Path) -> keras.Model:
    """The model of a run, with its trained weights, compiled with its optimizer, loss and metrics.

    The loss is the one that the table shows, also where training had another: without label smoothing, a focal exponent
    or weights of classes, and of targets in their own unit. The learning rate is constant, the largest of a schedule.
    `save` writes it for Keras alone, which loads it with `compile=False` where a measure is none of its own, as `f1`.

    Args:
        run: A run or its directory.

    Returns:
        The winner's model. Before there is a winner: that of the best configuration so far that keeps a checkpoint.

    Raises:
        ResultError: No model is there yet, its checkpoint is damaged, or it cannot be built again.
        RunError: There is no such run.
    """
    return model_of(run, None)


def model_of(run: Run | str | Path, trial: str | int | None) -> keras.Model:
    """As `best_model`, for one row of the table.

    Args:
        run: A run or its directory.
        trial: Id of a configuration or trial, with or without its leading zeros, or a baseline's name; None: as in
            `best_model`.

    Raises:
        ResultError: There is no such row, it keeps no checkpoint, its checkpoint is damaged, or its model cannot be
            built again.
        RunError: There is no such run.
    """
    opened = open_run(run)
    with opened.read() as reader:
        found = find_model(reader, trial)
        return rebuild(opened, data_info(reader), found)


def find_model(reader: RunReader, trial: str | int | None) -> TrainedModel:
    """The checkpoint behind a row of the table.

    Raises:
        ResultError: There is no such row, or it keeps no checkpoint.
    """
    if trial is None:
        return _winner(reader) or _best_so_far(reader)
    trial = str(trial)
    # Of a long run not all trials are read whole to find one.
    ids = dict.fromkeys(one.id for one in reader.marks())
    wanted = next((one for one in (trial, f"baseline-{trial}", meant(trial, ids)) if one in ids), None)
    found = None if wanted is None else reader.trial(wanted)
    if found is None:
        others = (one for one in ids if one != wanted)
        names = [*others, *(baseline.name for baseline in reader.trials(TrialKind.BASELINE))]
        near = difflib.get_close_matches(trial, names, n=1, cutoff=0.4)
        raise ResultError(f"the run has no trial {trial!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    winner = _winner(reader)
    if found.kind in (TrialKind.SEARCH, TrialKind.EVIDENCE) and found.id == found.configuration:
        # The first trial's id names the whole configuration, with all epochs of its promotions.
        # One that had no epoch before the time was up is none of the table.
        folded = next(iter(configurations(reader.of_configuration(found.id))), None)
        model = None if folded is None else _of_configuration(folded)
    else:
        model = _of_trial(found)
    if model is None:
        raise ResultError(
            f"{trial!r} keeps no checkpoint: it failed, has not finished its first epoch, or its checkpoint was "
            "deleted because it could no longer win"
        )
    # One of several that answer together is, by its own name, itself.
    alone = winner is not None and not winner.others and winner.trial.id == model.trial.id
    return winner if winner is not None and alone else model


def rebuild(run: Run, info: DataInfo, model: TrainedModel) -> keras.Model:
    """Builds the model and sets its weights.

    Args:
        run: The run.
        info: The run's data.
        model: What `find_model` gave.

    Raises:
        ResultError: The checkpoint is missing or damaged, or the architecture cannot be built again or has other
            weights now (a `python` family whose function has changed).
        RunError: The space file of the run does not give the settings that were recorded.
    """
    require_agreement(run, [one.trial for one in model.members])
    _require_files(run)
    # Before TensorFlow, which takes seconds to load: a search that goes on deletes meanwhile what it has surpassed.
    weights = [_weights(run, one) for one in model.members]
    load_tensorflow()
    share_gpus(is_taken(run.directory))
    built = [_rebuilt(run, info, *one) for one in zip(model.members, weights, strict=True)]
    if len(built) == 1:
        return built[0]
    from spaces.models.averaged import averaged

    return averaged(built, Settings.from_json(model.trial.settings).trained(), info)


def _weights(run: Run, model: TrainedModel) -> list[np.ndarray]:
    """What the checkpoint of one model holds."""
    try:
        return checkpoints.read(run.directory, model.checkpoint)["weights"]
    except (CheckpointError, KeyError) as error:  # somebody else's may have no weights in it
        raise ResultError(
            f"the checkpoint of {model.trial.id!r} is damaged or missing ({error}); "
            "choose another trial; `resume` trains a winner or a baseline again whose checkpoint is lost"
        ) from error


def _rebuilt(run: Run, info: DataInfo, model: TrainedModel, weights: list[np.ndarray]) -> keras.Model:
    """One model by itself."""
    from spaces.models.model import build_model, set_weights

    try:
        settings = Settings.from_json(model.trial.settings).trained()
        built = build_model(settings, info)
        set_weights(built, weights)
        if answers_both_ways(run.spec, model.trial):
            from spaces.models.mirrored import mirrored

            built = mirrored(built, settings, info)
    except (Exception, SystemExit) as error:  # a `python` family runs the user's code, which may raise anything
        raise ResultError(f"the model of {model.trial.id!r} cannot be built again: {error}") from error
    return built


def _require_files(run: Run) -> None:
    """A model is not made of a file that has changed since."""
    with run.read() as reader:
        files, sources = reader.meta("files", {}), reader.meta("sources", {})
    if not files and not sources:
        return
    spec = run.spec
    family = family_of(spec.model)
    for file, digest in family.files(spec).items() if files else ():
        if files.get(file, digest) != digest:
            raise ResultError(f"{file}: is not the file that this run began with; its models cannot be built again")
    for file, digest in family.sources(spec).items() if sources else ():
        if sources.get(file, digest) != digest:
            raise ResultError(
                f"{file}: has changed since this run trained with it; put it back as it was, or its models would be "
                "others"
            )


def _winner(reader: RunReader) -> TrainedModel | None:
    trial = reader.winner()
    found = None if trial is None else _of_trial(trial)
    if found is None:
        return None
    trials = map(reader.trial, reader.answering_with(found.trial.id))
    others = [None if one is None else _of_trial(one) for one in trials]
    if None in others:
        raise ResultError(f"{reader.directory}: of the models that answer together as the winner one is not kept")
    return replace(found, role="winner", others=tuple(one for one in others if one is not None))


def _best_so_far(reader: RunReader) -> TrainedModel:
    marks = reader.marks()
    trials: dict[str, list[str]] = {}
    for one in marks:
        if one.kind in COUNTED:
            trials.setdefault(one.configuration, []).append(one.id)
    for name in best_first(reader.contenders(), reader.meta("objective")["direction"]):
        for configuration in configurations(reader.some(trials[name])):
            model = _of_configuration(configuration)
            if model is not None:
                return TrainedModel(model.trial, model.checkpoint, "best so far")
    raise ResultError(f"{reader.directory}: no configuration has finished an epoch yet, so there is no model")


def _of_configuration(configuration: Configuration) -> TrainedModel | None:
    if configuration.baseline:
        return _of_trial(configuration.trials[-1])
    if configuration.best is None:
        return None
    scored = [trial for trial in configuration.trials if trial.outcome and trial.outcome.score is not None]
    return TrainedModel(scored[-1], configuration.best, "configuration")


def _of_trial(trial: Trial) -> TrainedModel | None:
    if trial.outcome is None:
        return None
    final = trial.kind in (TrialKind.WINNER, TrialKind.BASELINE)
    # The winner was trained for a known number of epochs and a baseline ends as its protocol says: their last
    # weights count. In the search the best epoch is what was scored.
    kept = (trial.outcome.last if final else None) or trial.outcome.best
    return None if kept is None else TrainedModel(trial, kept, _ROLES[trial.kind])
