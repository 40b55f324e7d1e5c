"""The door for what comes from a run's store, which somebody else may have written.

Every value is of its kind and in its range when it leaves here; behind this module, types are trusted. Text loses the
characters that steer a terminal, so that no table, page or file made from a store carries them on.
"""

from __future__ import annotations

import math
import re
from typing import Any, TypeVar

from search.files import layout
from search.record import jsondata
from search.record.trial import (
    LARGEST_METRIC,
    Checkpoint,
    Epoch,
    Failure,
    FailureReason,
    Outcome,
    Scalar,
    Stop,
    Trial,
    TrialKind,
    TrialState,
)
from spaces.basics.naming import unfit

Named = TypeVar("Named", TrialKind, TrialState, FailureReason, Stop)

# Control characters but tab and new line, characters that change the direction of writing, and halves of characters.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LATEST = 1e11
_MOST_EPOCHS = 10**7
_MOST_WHOLE = 2**63 - 1
_LARGEST_VALUE = 1e300
_OUTCOME = (
    "score",
    "best_epoch",
    "stopped",
    "parameters",
    "seconds",
    "build_seconds",
    "failure",
    "state",
    "best",
    "last",
)
_SHOWN = 60
_LENGTHS = {"epochs", "fold_epochs"}


class Damaged(ValueError):
    """A value that no run writes; the message names the column and what was found."""


def harmless(text: str) -> str:
    """The text without characters that steer a terminal; each of them becomes `\\ufffd`."""
    return _STEERING.sub("\ufffd", text)


def trial(row: tuple[Any, ...], epochs: tuple[Epoch, ...]) -> Trial:
    """A row of the table `trial`, its columns in the order of the fields of `Trial`.

    Raises:
        Damaged: One of the values is not what a run writes.
    """
    (trial_id, configuration, kind, title, values, settings, seed, epochs_from, epochs_to, parent, state, outcome,
     started, finished, oracle, note) = row  # fmt: skip
    first = whole("epochs_from", epochs_from, 0, _MOST_EPOCHS)
    return Trial(
        id=name("id", trial_id),
        configuration=name("configuration", configuration),
        kind=_word("kind", kind, TrialKind),
        name=name("name", title) if title else text("name", title),
        values=hyperparameters("values", values),
        settings=_settings(parsed("settings", settings)),
        seed=whole("seed", seed, 0, 2**31 - 1),
        epochs_from=first,
        epochs_to=whole("epochs_to", epochs_to, first, _MOST_EPOCHS),
        parent=None if parent is None else name("parent", parent),
        state=_word("state", state, TrialState),
        outcome=None if outcome is None else _outcome(parsed("outcome", outcome), epochs),
        started=instant("started", started),
        finished=None if finished is None else instant("finished", finished),
        oracle=None if oracle is None else mapping("oracle", parsed("oracle", oracle)),
        note=text("note", note),
    )


def epoch(row: tuple[Any, ...]) -> Epoch:
    """A row of the table `epoch` without its trial.

    Raises:
        Damaged: As for `trial`.
    """
    number, metrics, seconds, train_seconds = row
    return Epoch(
        whole("number", number, 1, _MOST_EPOCHS),
        measures("metrics", parsed("metrics", metrics)),
        span("seconds", seconds),
        span("train_seconds", train_seconds),
    )


def parsed(column: str, given: Any) -> Any:
    """The JSON data in a column, its text harmless."""
    if not isinstance(given, str):
        raise Damaged(f"{column} is {_shown(given)}, not text")
    try:
        data = jsondata.loads(given)
        # Most text needs no second look: what steers a terminal stands in JSON as an escape.
        return _harmless(data) if "\\" in given or _STEERING.search(given) else data
    except (ValueError, OverflowError, RecursionError) as error:
        raise Damaged(f"{column} is not JSON ({error})") from error


def text(column: str, given: Any) -> str:
    """A text for people."""
    if not isinstance(given, str):
        raise Damaged(f"{column} is {_shown(given)}, not text")
    return harmless(given)


def name(column: str, given: Any) -> str:
    """An id: it may stand in the name of one file or folder."""
    if not isinstance(given, str):
        raise Damaged(f"{column} is {_shown(given)}, not text")
    if problem := unfit(given):
        raise Damaged(f"{column} is {_shown(given)}: {problem}")
    return given


def number(column: str, given: Any, least: float, most: float) -> float:
    """A finite number in a range, both ends included."""
    if type(given) not in (int, float) or not least <= given <= most:
        raise Damaged(f"{column} is {_shown(given)}, not a number from {least:g} to {most:g}")
    return float(given)


def whole(column: str, given: Any, least: int = 0, most: int = _MOST_WHOLE) -> int:
    """A whole number in a range, both ends included."""
    if type(given) is not int or not least <= given <= most:
        raise Damaged(f"{column} is {_shown(given)}, not a whole number from {least} to {most}")
    return given


def instant(column: str, given: Any) -> float:
    """A Unix time."""
    return number(column, given, 0.0, _LATEST)


def span(column: str, given: Any) -> float:
    """A length of time in seconds."""
    return number(column, given, 0.0, _LATEST)


def mapping(column: str, given: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(given, dict):
        raise Damaged(f"{column} is {_shown(given)}, not a mapping")
    return given


def measures(column: str, given: Any) -> dict[str, float]:
    """Metrics by name; a training that diverges has some that are not finite."""
    found = mapping(column, given)
    for key, value in found.items():
        if type(value) not in (int, float) or LARGEST_METRIC < abs(value) < math.inf:
            raise Damaged(f"{column} has {_shown(key)} = {_shown(value)}, not a metric's value")
    return found


def hyperparameters(column: str, given: Any) -> dict[str, Scalar]:
    """The values of hyperparameters by name, in a column of JSON data."""
    found = mapping(column, parsed(column, given))
    for key, value in found.items():
        # Written so that what is not a number is refused too.
        fits = isinstance(value, str) or (isinstance(value, bool | int | float) and abs(value) <= _LARGEST_VALUE)
        if not fits:
            raise Damaged(f"{column} has {_shown(key)} = {_shown(value)}, not a hyperparameter's value")
    return found


def file_below(column: str, given: Any, folder: str, depth: int) -> str:
    """The path of a file, relative to the run directory.

    Args:
        column: Where it stands.
        given: What stands there.
        folder: The folder of the run directory that it lies in.
        depth: Number of parts of the path behind the folder.
    """
    if not isinstance(given, str):
        raise Damaged(f"{column} is {_shown(given)}, not a path")
    first, *parts = given.split("/")
    if first != folder or len(parts) != depth or any(unfit(part) for part in parts):
        raise Damaged(f"{column} is {_shown(given)}, not a file in {folder}/ of the run directory")
    return given


def _outcome(given: Any, epochs: tuple[Epoch, ...]) -> Outcome:
    data = mapping("outcome", given)
    missing = [key for key in _OUTCOME if key not in data]
    if missing:
        raise Damaged(f"outcome has no {missing[0]}")
    score, best_epoch, parameters, stopped = (data[k] for k in ("score", "best_epoch", "parameters", "stopped"))
    return Outcome(
        epochs=epochs,
        score=None if score is None else number("outcome.score", score, -LARGEST_METRIC, LARGEST_METRIC),
        best_epoch=None if best_epoch is None else whole("outcome.best_epoch", best_epoch, 0, _MOST_EPOCHS),
        stopped=None if stopped is None else _word("outcome.stopped", stopped, Stop),
        parameters=None if parameters is None else whole("outcome.parameters", parameters),
        seconds=span("outcome.seconds", data["seconds"]),
        build_seconds=span("outcome.build_seconds", data["build_seconds"]),
        failure=_failure(data["failure"]),
        state=_checkpoint("outcome.state", data["state"]),
        best=_checkpoint("outcome.best", data["best"]),
        last=_checkpoint("outcome.last", data["last"]),
        # Earlier versions did not know of these.
        once_seconds=span("outcome.once_seconds", data.get("once_seconds", 0.0)),
        frozen=None if data.get("frozen") is None else whole("outcome.frozen", data["frozen"]),
    )


def _failure(given: Any) -> Failure | None:
    if given is None:
        return None
    data = mapping("outcome.failure", given)
    return Failure(
        _word("outcome.failure.reason", data.get("reason"), FailureReason),
        text("outcome.failure.message", data.get("message")),
        text("outcome.failure.detail", data.get("detail")),
    )


def _checkpoint(column: str, given: Any) -> Checkpoint | None:
    if given is None:
        return None
    data = mapping(column, given)
    return Checkpoint(
        file=file_below(f"{column}.file", data.get("file"), layout.TRIALS, 2),
        bytes=whole(f"{column}.bytes", data.get("bytes")),
        digest=text(f"{column}.digest", data.get("digest")),
        epoch=whole(f"{column}.epoch", data.get("epoch"), 0, _MOST_EPOCHS),
    )


def _settings(given: Any) -> dict[str, Any]:
    data = mapping("settings", given)
    for part, value in data.items():
        text(f"settings.{part}", value) if part == "family" else mapping(f"settings.{part}", value)
    training = data.get("training", {})
    for key in _LENGTHS & training.keys():
        whole(f"settings.training.{key}", training[key], 0, _MOST_EPOCHS)
    metrics = training.get("metrics", [])
    if not isinstance(metrics, list) or not all(isinstance(one, str) for one in metrics):
        raise Damaged(f"settings.training.metrics is {_shown(metrics)}, not a list of names")
    return data


def _word(column: str, given: Any, kind: type[Named]) -> Named:
    try:
        return kind(given)
    except ValueError:
        raise Damaged(f"{column} is {_shown(given)}, none of {', '.join(kind)}") from None


def _harmless(data: Any) -> Any:
    if isinstance(data, str):
        return harmless(data)
    if isinstance(data, list):
        return [_harmless(value) for value in data]
    if isinstance(data, dict):
        return {harmless(key): _harmless(value) for key, value in data.items()}
    return data


def _shown(given: Any) -> str:
    """What was found, short, on one line and harmless: it goes into a message."""
    if isinstance(given, dict | list):
        return f"a {'mapping' if isinstance(given, dict) else 'list'}"
    if isinstance(given, int) and abs(given) > _MOST_WHOLE:
        return "a huge number"
    found = ascii(given)
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}..."
