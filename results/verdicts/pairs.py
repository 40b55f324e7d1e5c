"""The winners of several runs against each other, row by row on the test rows that they share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from results.ranked.measured import TEST
from results.ranked.statistics import Interval, mcnemar, paired_mean, paired_shares
from results.text import p_value
from results.verdicts.answers import Answers, read_answers
from search.files import arrays, layout
from search.files.rundir import Run
from spaces.basics.figures import score as figure

Array = np.ndarray[Any, np.dtype[Any]]

_LEVEL = 0.05
_OF_NUMBERS = "paired t-test"


@dataclass(frozen=True)
class Pair:
    """Two runs.

    Attributes:
        first, second: Their labels.
        why_not: Why their winners cannot be held against each other; "" where they can.
        measure: `accuracy`; where a row may have several labels `subset accuracy`, the share of rows with all of them
            right; or `absolute error` in regression.
        test: McNemar's exact test for classes, in regression the paired t-test.
        rows: Test rows that both answered.
        ahead: By how much the first is better in the measure; below 0 it is worse.
        interval: 95 % interval of `ahead`, from the rows in pairs.
        p: Of the test.
        told: Whether they can be told apart, at 5 % for all pairs of the comparison together.
    """

    first: str
    second: str
    why_not: str = ""
    measure: str = ""
    test: str = ""
    rows: int = 0
    ahead: float = 0.0
    interval: Interval | None = None
    p: float = 1.0
    told: bool = False

    @property
    def better(self) -> str | None:
        """The label of the better run; None where they cannot be told apart."""
        return None if not self.told else self.first if self.ahead > 0 else self.second

    def __str__(self) -> str:
        if self.why_not:
            return f"{self.first} and {self.second}: {self.why_not}"
        one, other = (self.first, self.second) if self.ahead >= 0 else (self.second, self.first)
        low, high = (self.interval.low, self.interval.high) if self.interval else (self.ahead, self.ahead)
        ends = (low, high) if self.ahead >= 0 else (-high, -low)
        ahead, least, most = (
            figure(value) if self.test == _OF_NUMBERS else f"{value:.4f}" for value in (abs(self.ahead), *ends)
        )
        numbers = (
            f"{ahead} in {self.measure} on {self.rows:,} shared test rows (95 % interval {least} to {most}, "
            f"{self.test} p {p_value(self.p)})"
        )
        if self.told:
            return f"{one} is better than {other} by {numbers}"
        return f"{one} and {other} cannot be told apart: a difference of {numbers}"


def pairs(runs: Sequence[Run], labels: Sequence[str]) -> list[Pair]:
    """Every two of the runs; that they answered the same rows is seen from their data and their labels.

    Args:
        runs: The runs.
        labels: What they are called.

    Raises:
        RunError: One of them is damaged.
    """
    found = [_measured(run) for run in runs]
    many = len(runs) * (len(runs) - 1) // 2
    return [
        _pair((labels[i], labels[j]), found[i], found[j], _LEVEL / many)
        for i, j in itertools.combinations(range(len(runs)), 2)
    ]


def best_of(found: Sequence[Pair], labels: Sequence[str]) -> str | None:
    """The run that is better than every other one, or None."""
    for label in labels:
        if all(pair.better == label for pair in found if label in (pair.first, pair.second)):
            return label
    return None


@dataclass(frozen=True)
class _Measured:
    """What a run's winner answered on the test part.

    Attributes:
        task: `classification` or `regression`.
        fingerprint: Of the run's data.
        weighted: Whether its scores count each row by a weight of its own.
        answers: Predictions and labels.
        rows: The test rows, where the run has kept them.
    """

    task: str
    fingerprint: str
    weighted: bool
    answers: Answers
    rows: Array | None


def _measured(run: Run) -> _Measured | str:
    """Or why its winner cannot be held against others, in words that go on after "the winner of RUN"."""
    with run.read() as reader:
        winner, data = reader.meta("winner"), reader.meta("data")
        evaluation = next((e for e in reader.evaluations() if e.trial == winner and e.part == TEST), None)
    if evaluation is None:
        return "has not been measured on test rows"
    if data["info"].get("targets"):
        return "has several outputs, which are not compared row by row"
    answers = read_answers(run.directory, evaluation, data["info"])
    if answers is None:
        return "has answers that cannot be read"
    try:
        rows = arrays.load(run.directory / layout.TEST_ROWS, "x")["x"]
    except (OSError, ValueError):
        rows = None
    return _Measured(data["info"]["task"], data["fingerprint"], bool(data["info"].get("weighted")), answers, rows)


def _pair(labels: tuple[str, str], one: _Measured | str, other: _Measured | str, level: float) -> Pair:
    if isinstance(one, str) or isinstance(other, str):
        reasons = [(label, why) for label, why in zip(labels, (one, other), strict=True) if isinstance(why, str)]
        return Pair(*labels, ", and ".join(f"the winner of {label} {why}" for label, why in reasons))
    if one.task != other.task or not _same_rows(one, other):
        return Pair(*labels, "were not measured on the same test rows: their scores say nothing about each other")
    first, second = one.answers, other.answers
    n = len(first.labels)
    alike = " (rows counted alike)" if one.weighted or other.weighted else ""
    if one.task == "classification":
        alone = int((first.right & ~second.right).sum()), int((second.right & ~first.right).sum())
        measure = "subset accuracy" if first.labels.ndim == 2 else "accuracy"
        p, ahead = mcnemar(*alone), (alone[0] - alone[1]) / n
        return Pair(*labels, "", measure + alike, "McNemar", n, ahead, paired_shares(*alone, n), p, p < level)
    if n < 2:
        return Pair(*labels, "share a single test row, which says nothing")
    better = (np.abs(second.errors).mean(axis=1) - np.abs(first.errors).mean(axis=1)).tolist()
    interval, p = paired_mean(better)
    ahead = math.fsum(better) / n
    return Pair(*labels, "", f"absolute error{alike}", _OF_NUMBERS, n, ahead, interval, p, p < level)


def _same_rows(one: _Measured, other: _Measured) -> bool:
    labels = one.answers.labels, other.answers.labels
    if labels[0].shape != labels[1].shape or not np.array_equal(*labels):
        return False
    if one.fingerprint == other.fingerprint:
        return True
    # Another validation part makes another fingerprint, and the test rows may still be the same.
    kept = one.rows is not None and other.rows is not None and len(one.rows) > 0
    return kept and np.array_equal(np.asarray(one.rows), np.asarray(other.rows))
