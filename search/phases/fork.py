"""A new run that begins with what another one has found out.

A changed space cannot go on in an old run: its table would mix configurations of two spaces under one name. The
finished trials are still true, so a fork takes them over as evidence: they are ranked, may be retrained and win.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from search.errors import DiskError, RunError
from search.files import layout
from search.files.checked.agreement import foreign_code, incomplete
from search.files.rundir import Run, data_info, require_inside
from search.files.store import RunStore
from search.phases.proposer import scored_alike
from search.phases.sources import followed
from search.record.configuration import configurations
from search.record.first.beginning import changed_files
from search.record.trial import Checkpoint, Outcome, Trial, TrialKind, TrialState
from spaces import DataInfo, SearchSpec
from spaces.basics.printable import writable
from spaces.families import family_of
from spaces.values.metrics import is_own


def take_over(old: Run, store: RunStore, spec: SearchSpec) -> int:
    """Copies the finished search trials of another run, with the checkpoints of their best epochs.

    Without these where the rows are prepared otherwise in the new run, or code of the user's has changed that builds
    the models: those of the new run could not answer with such weights.

    Args:
        old: The run to learn from; the same data and the same objective.
        store: The new run's store, without trials.
        spec: The new run's space.

    Returns:
        How many trials were taken over.

    Raises:
        RunError: The runs differ in their data, in their objective, or in the loss where that is the objective, so that
            scores cannot be compared, or in a file that models are made of, or a trial is damaged, or runs code that
            the space does not name.
        DiskError: A checkpoint cannot be copied.
    """
    require_inside(old.directory)
    with old.read() as reader:
        for fact, name in (("data", "data"), ("objective", "objective")):
            mine, theirs = store.meta(fact), reader.meta(fact)
            if mine.get("fingerprint", mine) != theirs.get("fingerprint", theirs):
                raise RunError(f"{old.directory}: has another {name}; its scores say nothing about this run")
        if changed := changed_files(reader.meta("files", {}), store.meta("files", {})):
            raise RunError(f"{old.directory}: {changed[0]}: is not the file that its models are made of")
        ended = [
            trial
            for trial in reader.trials(TrialKind.SEARCH, TrialKind.EVIDENCE)
            if trial.state is TrialState.COMPLETED and trial.outcome is not None
        ]
        # Weights are of rows as they were prepared there: scaled, or with targets on another scale.
        prepared_alike = _preparation(data_info(reader), spec) == _preparation(data_info(store), spec)
        built_alike = not changed_files(reader.meta("sources", {}), store.meta("sources", {}))
    # What had no epoch before the time was up is no configuration of the old table either.
    shown = {configuration.id for configuration in configurations(ended)}
    finished = [trial for trial in ended if trial.configuration in shown]
    for trial in finished:
        if problem := incomplete(trial.settings) or foreign_code(spec, _adopted(trial.settings, spec)):
            raise RunError(f"{old.directory}: trial {trial.id}: {problem}")
        if not scored_alike(spec, trial.settings):
            raise RunError(
                f"{old.directory}: has another loss; its {spec.objective.name} says nothing about that of this run"
            )
    for trial in finished:
        _copy(old.directory, trial, store, spec, with_weights=prepared_alike and built_alike)
    store.put_meta(fork_of=_place(old))
    return len(finished)


def require_taken_over(old: Run, directory: Path) -> None:
    """Refuses to go on, as with a fork of one run, with another run that has taken over nothing from it.

    Args:
        old: The run to learn from.
        directory: Where its fork is to be; a run that is there goes on, which it may if it is that fork.

    Raises:
        RunError: There is a run of which no trial is from the old one, although that had some when this one began.
    """
    if not layout.is_run(directory):
        return
    with old.read() as reader:
        theirs = {(_evidence_id(one.id), one.started) for one in reader.marks()}
    with Run(directory).read() as reader:
        ours = {(one.id, one.started) for one in reader.marks() if one.kind == TrialKind.EVIDENCE}
        # Of a run in which nothing had come to its end there was nothing to take over.
        its_fork = not ours and reader.meta("fork_of") == _place(old)
    if not its_fork and ours.isdisjoint(theirs):
        raise RunError(
            f"{directory}: holds a run already, which has taken over nothing from {old.directory}; choose a new folder "
            f"for --fork; `run-search resume {quote(str(directory))}` goes on with that run"
        )


def _place(run: Run) -> str:
    return writable(str(run.directory.resolve()))


def _preparation(info: DataInfo, spec: SearchSpec) -> tuple[Any, ...]:
    """What comes between the rows and what a model learns from them; else a run may note what earlier ones did not."""
    labels = info.label_values
    if not family_of(spec.model).users_code or labels == tuple(range(len(labels))):
        labels = ()
    resized = None if info.image_size is None else (info.image_size, info.antialias)
    scaled = info.scale, info.mean, info.std, info.white
    return info.kind, resized, scaled, info.target, info.inputs, info.targets, labels


def _copy(origin: Path, trial: Trial, store: RunStore, spec: SearchSpec, with_weights: bool) -> None:
    assert trial.outcome is not None
    best = _copied(origin, trial.outcome, store.directory) if with_weights else None
    outcome = replace(trial.outcome, state=None, last=None, best=best)
    store.begin(
        replace(
            trial,
            id=_evidence_id(trial.id),
            configuration=_evidence_id(trial.configuration),
            parent=trial.parent and _evidence_id(trial.parent),
            kind=TrialKind.EVIDENCE,
            settings=_adopted(trial.settings, spec),
            state=TrialState.RUNNING,
            outcome=None,
            oracle=None,
        )
    )
    store.finish(_evidence_id(trial.id), outcome, trial.finished or trial.started)


def _adopted(settings: Mapping[str, Any], spec: SearchSpec) -> dict[str, Any]:
    """The settings in a run of this space: with its callbacks, and only such functions that measure as it names."""
    adopted = followed(settings, spec)
    training = adopted["training"]
    measures = [one for one in training["metrics"] if not is_own(one) or one in spec.training.metrics]
    return {**adopted, "training": {**training, "metrics": measures}}


def _copied(origin: Path, outcome: Outcome, target: Path) -> Checkpoint | None:
    best = outcome.best
    if best is None or not (origin / best.file).is_file():
        return None
    folder, _, file = best.file.rpartition("/")
    name = f"{folder.rpartition('/')[0]}/{_evidence_id(folder.rpartition('/')[2])}/{file}"
    try:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / best.file, target / name)
    except OSError as error:
        if not (origin / best.file).is_file():
            # A search that goes on there has deleted it meanwhile.
            return None
        raise DiskError(f"{target / name}: cannot be written ({error.strerror or error})") from error
    return replace(best, file=name)


def _evidence_id(trial_id: str) -> str:
    # Evidence of evidence gets another prefix: its old id may be that of a trial of the run in between.
    return f"old-{trial_id}"
