"""The first screen: the winner and what it reached."""

from __future__ import annotations

import math

from results.ranked.statistics import mean, mean_interval, wilson
from results.reporting.document import Headline
from results.reporting.facts import Facts
from results.reporting.sections.measured.exported import links
from results.reporting.sections.measured.versus import row_losses, versus
from results.reporting.words import count, number
from results.text import plural
from results.verdicts.answers import read_answers
from search.files.store import Evaluation
from search.record.configuration import Configuration
from search.record.trial import TrialKind
from spaces.basics.figures import duration

_WELL_KNOWN = {"accuracy": "accuracy", "r2": "R²"}
"""Measures that another method is told in where it has not that of the run, by their names in words."""
_NEAR = 1e-3


def headline(facts: Facts) -> Headline:
    """The winner's score on rows kept back, else the best score of the search, else why there is none."""
    leader = facts.leader
    if leader is None:
        failed = sum(c.failure is not None for c in facts.configurations)
        if failed:
            told = f"{plural(failed, 'configuration')} failed and none gave a score; the reasons are below."
            return Headline("result", "No usable configuration", "", told)
        told = "This report will have more to say once a configuration has finished."
        return Headline("result", "Nothing has finished yet", "", told)
    evaluation = facts.final(leader) if facts.winner is not None else None
    score = evaluation.metrics.get(facts.measured) if evaluation is not None else None
    if evaluation is None or score is None:
        best = f"best {facts.objective}" + ("" if facts.finished else " so far")
        return Headline(
            # Fresh seeds may have chosen another one than the best of the search.
            best if facts.winner is None else f"{facts.objective} of the winner in the search",
            number(leader.score),
            "",
            _sentence_of_search(facts, leader),
            versus(facts, leader, None),
            _facts(facts, leader, None),
            links(facts),
        )
    return Headline(
        f"{evaluation.part} {facts.measured}",
        number(score),
        _interval(facts, evaluation),
        _sentence(facts, leader, evaluation),
        versus(facts, leader, evaluation),
        _facts(facts, leader, evaluation),
        links(facts),
    )


def _interval(facts: Facts, evaluation: Evaluation) -> str:
    answers = read_answers(facts.directory, evaluation, facts.info)
    # An interval of rows that count alike is not one of a score that weighs them.
    if answers is None or facts.multi_label or facts.weighted:
        return ""
    told = evaluation.metrics[facts.measured]
    if facts.measured == "accuracy":
        right, rows = int(answers.right.sum()), len(answers.labels)
        # Keras takes a logit for a probability in the "accuracy" of a function's model, which is another share then.
        if not math.isclose(right / rows, told, rel_tol=_NEAR):
            return ""
        found = wilson(right, rows)
        return f"95 % interval {number(found.low)} to {number(found.high)}"
    losses = row_losses(facts, answers)
    # A loss with a penalty on the weights is more than the mean of what rows add to it.
    if not losses or not math.isclose(mean(losses), told, rel_tol=_NEAR):
        return ""
    interval = mean_interval(losses)
    if interval is None:
        return ""
    interval = interval.within(0.0, math.inf)
    return f"95 % interval {number(interval.low)} to {number(interval.high)}"


def _sentence_of_search(facts: Facts, leader: Configuration) -> str:
    if facts.winner is not None:
        return (
            f"{_won(facts, leader)}. There is no {facts.measured} of its final model on rows kept back, so this is a "
            "score that it was chosen by."
        )
    epochs = leader.epochs[-1].number if leader.epochs else 0
    who = "The baseline" if leader.baseline else "Configuration"
    return (
        f"{who} {leader.name} leads after {plural(epochs, facts.unit)}. No final model has been evaluated, "
        "so this is the score that ranks it, not one on rows kept back."
    )


def _won(facts: Facts, leader: Configuration) -> str:
    who = "the baseline" if leader.baseline else "configuration"
    text = f"The winner is {who} {leader.name}, with a {facts.objective} of {number(leader.score)} in the search"
    finalist = next((f for f in facts.finalists if f.configuration == leader.id), None)
    if finalist is not None:
        text += f" and a mean of {number(finalist.mean)} over {plural(finalist.seeds, 'fresh seed')}"
    return text


def _sentence(facts: Facts, leader: Configuration, evaluation: Evaluation) -> str:
    text = _won(facts, leader)
    model = "Its final model"
    together = facts.meta.get("ensemble") or {}
    if members := together.get("trials"):
        model = f"The model, {len(members)} together,"
        rival = together.get("rival", leader.id)
        best = "the first" if rival == leader.id else rival
        text += (
            f". {len(members)} models answer together, of trials {', '.join(members)}: {together['measure']} "
            f"{number(together['together'])} on the validation rows, {best} alone {number(together['alone'])}; "
            f"that takes {together.get('times', 0.0):.1f} times as long"
        )
    text += f". {model} was measured once on {count(evaluation.rows)} {evaluation.part} rows"
    return text + (" that nothing before had seen." if evaluation.part == "test" else ".")


def _facts(facts: Facts, leader: Configuration, evaluation: Evaluation | None) -> list[tuple[str, str]]:
    found = [("parameters", count(leader.parameters))]
    if leader.frozen and leader.parameters is not None:
        found.append(("of them trained", count(leader.parameters - leader.frozen)))
    winner = facts.winner
    if winner is not None and winner.outcome is not None and winner.outcome.epochs:
        # Where there was no time for one, a model of the search or of a fresh seed stands for it.
        final = winner.kind is TrialKind.WINNER
        length = plural(winner.outcome.epochs[-1].number, "epoch" if final else facts.unit)
        found.append(("final training" if final else "training", f"{length}, {duration(facts.winner_seconds)}"))
    if evaluation is not None and evaluation.rows:
        found.append(("time per prediction", duration(evaluation.seconds / evaluation.rows)))
    if (score := _reference(facts, evaluation)) is not None:
        found.append(("reference", score))
    found.append(("configurations tried", count(facts.every - len(facts.baselines))))
    found.append((f"{facts.unit}s trained", count(facts.epochs)))
    return found


def _reference(facts: Facts, evaluation: Evaluation | None) -> str | None:
    """What another method reaches on the same rows, in the same measure, else in one that is named."""
    known = facts.meta.get("reference") or {}
    part = "validation" if evaluation is None else evaluation.part
    scores = known.get("scores", {}).get(part, {})
    wanted = facts.metric if evaluation is None else facts.measured
    measure = next((name for name in (wanted, *_WELL_KNOWN) if name in scores), None)
    if measure is None:
        return None
    named = "" if measure == wanted else f"{_WELL_KNOWN[measure]} "
    where = "the first fold" if part == "validation" and facts.unit == "fold" else f"the {part} rows"
    return f"{known['name']} {named}{number(scores[measure])} on {where}"
