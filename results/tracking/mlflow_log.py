"""A run as MLflow runs: one for the search, and nested below it one for each configuration."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from results.errors import ResultError
from results.ranked.ranking import Source
from results.text import plural
from results.tracking.tracked import Tracked, not_kept, tracked, without_password
from search.files import layout
from search.files.rundir import open_run, require_inside
from spaces.basics.printable import cut

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from mlflow.entities import Run as MlflowRun

_OURS = "nightshift."
_ID = f"{_OURS}id"
_DIGEST = f"{_OURS}digest"
_WINNER = ("winner", "together")
_PARENT = "mlflow.parentRunId"
_METRICS_PER_CALL = 800
_PARAMETERS_PER_CALL = 100
"""MLflow takes at most 1000 metrics, 100 parameters and 100 tags in one call, and at most 1000 of all together."""
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


@dataclass(frozen=True)
class Logged:
    """What `log_mlflow` did.

    Attributes:
        run_id: MLflow's id of the run that stands for the search.
        experiment: Name of the experiment.
        experiment_id: MLflow's id of it.
        tracking_uri: Where MLflow keeps it, without user name and password.
        again: Whether the search had been logged there before.
        new: Configurations that were not there before.
        updated: Configurations of which more is known now.
        unchanged: Configurations that were left as they were.
        files: Files of the report and the export that were stored with the search.
    """

    run_id: str
    experiment: str
    experiment_id: str
    tracking_uri: str
    again: bool
    new: int
    updated: int
    unchanged: int
    files: int

    def __str__(self) -> str:
        place = f"{self.tracking_uri}, experiment {self.experiment}"
        files = plural(self.files, "file")
        if not self.again:
            return f"{place}: {plural(self.new, 'configuration')} and {files} logged"
        return (
            f"{place}: the run was there already; configurations: {self.new} new, {self.updated} updated, "
            f"{self.unchanged} unchanged; {files} stored again"
        )

    @property
    def how_to_look(self) -> str | None:
        """The address of the run's page, or the command that serves it; None where neither is known."""
        scheme = urlsplit(self.tracking_uri).scheme
        if scheme in ("http", "https"):
            return f"{self.tracking_uri.rstrip('/')}/#/experiments/{self.experiment_id}/runs/{self.run_id}"
        if scheme in ("sqlite", "file", ""):
            return f"mlflow ui --backend-store-uri {quote(self.tracking_uri)}"
        return None


def log_mlflow(run: Source, *, tracking_uri: str | None = None, experiment: str | None = None) -> Logged:
    """Logs a run, finished or not, to MLflow.

    The search becomes one MLflow run, with algorithm, seed, objective, versions and state as tags, the winner's
    parameters, curves and scores, and report, exported models and space file as artifacts. Each configuration of the
    ranked table becomes a run nested in it: hyperparameters as parameters, the metrics of every epoch under their names
    with the epoch as step, the scores of the table as metrics, the rest of its row as tags. The store knows when a
    trial began and how long each epoch took; the times of the metrics are made of these.

    A run that is logged again is brought up to date where it is: nothing is there twice. Where it has another winner by
    now, what was there is deleted and logged anew, since MLflow takes no parameter back.

    Args:
        run: A run or its directory.
        tracking_uri: Where MLflow keeps runs; None: where MLflow itself would, which heeds `MLFLOW_TRACKING_URI`.
        experiment: Name of the experiment, made if it is missing; None: the space's name.

    Raises:
        RunError: There is no run, it is damaged, or a link leads out of it.
        ResultError: MLflow is missing, the tracking URI cannot be used, or the experiment was deleted.
        DiskError: The disk is full.
    """
    try:
        import mlflow
    except ImportError as error:
        raise ResultError('log-mlflow needs mlflow: pip install "keras-nightshift[mlflow]"') from error
    opened = open_run(run)
    # What a link leads to is none of the run's, and nobody has asked for it to be stored elsewhere.
    require_inside(opened.directory)
    with opened.read() as reader:
        name = experiment or str(reader.meta("name"))
    search, configurations = tracked(opened)
    uri = tracking_uri or "MLflow"
    known: Mapping[str, MlflowRun] = {}
    again = False
    changed: list[Tracked] = []
    try:
        with _less_talk():
            client = mlflow.MlflowClient(tracking_uri=tracking_uri)
            uri = client.tracking_uri
            experiment_id = _experiment(client, name)
            before = _find(client, experiment_id, f"tags.`{_ID}` = '{search.id}'").get(search.id)
            again = before is not None
            if before is not None and _is_of_another(before, search):
                _delete(client, experiment_id, str(before.info.run_id))
                before = None
            parent = _create(client, experiment_id, search) if before is None else str(before.info.run_id)
            known = _find(client, experiment_id, f"tags.`{_PARENT}` = '{parent}'")
            for one in configurations:
                there = known.get(one.id)
                if there is not None and there.data.tags.get(_DIGEST) == one.digest:
                    continue
                changed.append(one)
                child = _create(client, experiment_id, one, parent) if there is None else str(there.info.run_id)
                _complete(client, child, one, there)
            files = _store_files(client, parent, opened.directory)
            # Last: a search of which only a part has arrived is not told as finished.
            _complete(client, parent, search, before)
    except ResultError:
        raise
    except Exception as error:
        raise not_kept(uri, error) from error
    new = sum(one.id not in known for one in changed)
    return Logged(
        run_id=parent,
        experiment=name,
        experiment_id=experiment_id,
        tracking_uri=without_password(uri, uri),
        again=again,
        new=new,
        updated=len(changed) - new,
        unchanged=len(configurations) - len(changed),
        files=files,
    )


def _experiment(client: MlflowClient, name: str) -> str:
    with _soon_tired():
        found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage != "active":
        raise ResultError(f"experiment {name!r} was deleted: restore it, or choose another --experiment")
    return str(found.experiment_id)


def _find(client: MlflowClient, experiment_id: str, condition: str) -> dict[str, MlflowRun]:
    """The runs that meet a condition, by the id that they were given here."""
    found: dict[str, MlflowRun] = {}
    token: str | None = None
    while True:
        page = client.search_runs([experiment_id], condition, page_token=token)
        found |= {run.data.tags[_ID]: run for run in page if _ID in run.data.tags}
        token = page.token
        if not token:
            return found


def _is_of_another(there: MlflowRun, search: Tracked) -> bool:
    """Whether what MLflow has of a search is of a winner that is none any more."""
    told = {name: there.data.tags.get(f"{_OURS}{name}") for name in _WINNER}
    return any(value not in (None, search.tags.get(name)) for name, value in told.items())


def _delete(client: MlflowClient, experiment_id: str, parent: str) -> None:
    for child in _find(client, experiment_id, f"tags.`{_PARENT}` = '{parent}'").values():
        client.delete_run(child.info.run_id)
    # Last: where this is cut short, the next time finds it again.
    client.delete_run(parent)


def _create(client: MlflowClient, experiment_id: str, one: Tracked, parent: str | None = None) -> str:
    tags = {_ID: one.id, **({_PARENT: parent} if parent is not None else {})}
    made = client.create_run(experiment_id, start_time=_milliseconds(one.started), tags=tags, run_name=one.name)
    return str(made.info.run_id)


def _complete(client: MlflowClient, run_id: str, one: Tracked, there: MlflowRun | None) -> None:
    """Adds what MLflow does not have yet, and the state."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH

    metrics = [Metric(p.metric, p.value, _milliseconds(p.at), p.step) for p in one.curves]
    metrics += [Metric(name, value, _milliseconds(one.ended), 0) for name, value in one.scores.items()]
    parameters = [Param(name, cut(value, MAX_PARAM_VAL_LENGTH)) for name, value in one.parameters.items()]
    if there is not None:
        metrics = _missing(client, there, metrics, one.scores)
        parameters = [parameter for parameter in parameters if parameter.key not in there.data.params]
    tags = {f"{_OURS}{name}": value for name, value in one.tags.items()}
    tags[_DIGEST] = one.digest
    calls = max(1, _calls(len(metrics), _METRICS_PER_CALL), _calls(len(parameters), _PARAMETERS_PER_CALL))
    for i in range(calls):
        client.log_batch(
            run_id,
            metrics=metrics[i * _METRICS_PER_CALL : (i + 1) * _METRICS_PER_CALL],
            params=parameters[i * _PARAMETERS_PER_CALL : (i + 1) * _PARAMETERS_PER_CALL],
            # The digest with the last values: if they do not arrive, the next time looks again.
            tags=[RunTag(k, cut(v, MAX_TAG_VAL_LENGTH)) for k, v in tags.items()] if i == calls - 1 else [],
        )
    if one.status == "RUNNING":
        client.update_run(run_id, status=one.status)
    else:
        client.set_terminated(run_id, status=one.status, end_time=_milliseconds(one.ended))


def _missing(
    client: MlflowClient, there: MlflowRun, metrics: list[Metric], scores: Mapping[str, float]
) -> list[Metric]:
    """The metrics without those that MLflow has: values are only ever added there, never replaced."""
    curves = {metric.key for metric in metrics} - set(scores)
    known = {
        (key, point.step)
        for key in curves & set(there.data.metrics)
        for point in client.get_metric_history(there.info.run_id, key)
    }
    return [
        metric
        for metric in metrics
        if (metric.key, metric.step) not in known
        and not (metric.key in scores and there.data.metrics.get(metric.key) == metric.value)
    ]


def _store_files(client: MlflowClient, run_id: str, directory: Path) -> int:
    """Stores space file, report and exported models; returns the number of files."""
    found = [directory / layout.SPACE]
    for folder in (layout.REPORT, layout.EXPORT):
        found += sorted(file for file in (directory / folder).rglob("*") if file.is_file())
    count = 0
    for file in found:
        inside = file.relative_to(directory)
        # Names with a dot in front are files that are just being written.
        if file.is_file() and not any(part.startswith(".") for part in inside.parts):
            client.log_artifact(run_id, str(file), inside.parent.as_posix() if len(inside.parts) > 1 else None)
            count += 1
    return count


@contextmanager
def _less_talk() -> Iterator[None]:
    """Without MLflow's progress messages about its database, and the addresses that it prints of each run on a server.

    Warnings are shown.
    """
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _soon_tired() -> Iterator[None]:
    """Few attempts to reach a server, unless the user says how many: MLflow's own take four minutes to give up.

    For the first call only. A server that has answered once is given MLflow's patience.
    """
    if _RETRIES in os.environ:
        yield
        return
    os.environ[_RETRIES] = "2"
    try:
        yield
    finally:
        del os.environ[_RETRIES]


def _calls(items: int, at_once: int) -> int:
    return -(-items // at_once)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
