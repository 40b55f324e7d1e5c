"""The winner beside each baseline, on the same rows: how much better, and whether that is real."""

from __future__ import annotations

from results.ranked.statistics import mcnemar
from results.reporting.document import Mood, Versus
from results.reporting.facts import Facts
from results.reporting.words import count, number, signed
from results.text import p_value
from results.verdicts.answers import Answers, read_answers
from search.files.store import Evaluation
from search.record.configuration import Configuration

_SIGNIFICANCE = 0.05
_UNMEASURED = "not measured"


def versus(facts: Facts, leader: Configuration, evaluation: Evaluation | None) -> list[Versus]:
    """One entry for each baseline but the leader itself.

    Args:
        facts: The run.
        leader: The configuration that the report is about.
        evaluation: Of its final model; None compares the scores of the search.
    """
    others = [baseline for baseline in facts.baselines if baseline.id != leader.id]
    if evaluation is None:
        return [_during_search(facts, leader, baseline) for baseline in others]
    answers = read_answers(facts.directory, evaluation, facts.info)
    return [_measured(facts, evaluation, answers, baseline) for baseline in others]


def row_losses(facts: Facts, answers: Answers) -> list[float] | None:
    """What each row adds to the mean that the headline shows; None where that is no mean of rows."""
    if facts.classification:
        return None
    loss = (facts.spec.training.loss if facts.spec else "auto") if facts.metric == "loss" else facts.metric
    if loss == "mae":
        return [float(v) for v in abs(answers.errors).mean(axis=1)]
    return [float(v) for v in (answers.errors**2).mean(axis=1)] if loss in ("auto", "mse") else None


def _during_search(facts: Facts, leader: Configuration, baseline: Configuration) -> Versus:
    if baseline.score is None or leader.score is None:
        return Versus(baseline.name, _UNMEASURED, "", _why(baseline), Mood.NOTE)
    gain = facts.gain(leader.score, baseline.score)
    return Versus(baseline.name, number(baseline.score), signed(gain, leader.score), "not tested yet", Mood.NOTE)


def _measured(facts: Facts, evaluation: Evaluation, answers: Answers | None, baseline: Configuration) -> Versus:
    other = facts.final(baseline)
    mine = evaluation.metrics.get(facts.measured)
    theirs = other.metrics.get(facts.measured) if other is not None else None
    if mine is None or theirs is None:
        return Versus(baseline.name, _UNMEASURED, "", _why(baseline), Mood.NOTE)
    gain = facts.measured_gain(mine, theirs)
    verdict, mood = _verdict(facts, answers, read_answers(facts.directory, other, facts.info), gain)
    return Versus(baseline.name, number(theirs), signed(gain, mine), verdict, mood)


def _why(baseline: Configuration) -> str:
    return f"failed: {baseline.failure.reason}" if baseline.failure else "has not been evaluated"


def _verdict(facts: Facts, mine: Answers | None, theirs: Answers | None, gain: float) -> tuple[str, Mood]:
    if mine is None or theirs is None or mine.labels.shape != theirs.labels.shape:
        return "cannot be compared row by row", Mood.NOTE
    if (mine.labels != theirs.labels).any():
        return "was measured on other rows", Mood.NOTE
    first, second, words, test = _wins(facts, mine, theirs)
    p = mcnemar(first, second)
    told = f"{words} on {count(first)} rows against {count(second)}, {test} p {p_value(p)}"
    if p >= _SIGNIFICANCE:
        return f"may be chance: {told}", Mood.NOTE
    if not _counts_rows(facts) and gain * (first - second) < 0:
        # A few rows that are far off decide on a mean error, heavy ones on a weighted score.
        return f"most rows say otherwise: {told}", Mood.NOTE
    return (f"real: {told}", Mood.GOOD) if first > second else (f"really worse: {told}", Mood.BAD)


def _counts_rows(facts: Facts) -> bool:
    """Whether the score is the share of rows that are right, so that it and the test cannot point to two sides."""
    return facts.measured == "accuracy" and not facts.weighted and not facts.multi_label


def _wins(facts: Facts, mine: Answers, theirs: Answers) -> tuple[int, int, str, str]:
    """Rows that decide for either model; without an edge each falls to either side like a fair coin."""
    if facts.classification:
        first, second = mine.right & ~theirs.right, theirs.right & ~mine.right
        return int(first.sum()), int(second.sum()), "alone right", "McNemar"
    ours, others = abs(mine.errors).mean(axis=1), abs(theirs.errors).mean(axis=1)
    return int((ours < others).sum()), int((ours > others).sum()), "closer", "sign test"
