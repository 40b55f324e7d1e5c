"""What several sections share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from results.reporting.document import Item, Text
from results.reporting.facts import Facts
from results.reporting.words import number, percent, scalar
from results.text import plural
from search.files.store import Evaluation
from search.record.configuration import Configuration

_MOST_VALUES = 30
"""Hyperparameters that a dot tells: a screen has no room for hundreds, nor a page for those of thousands of dots."""


def title(facts: Facts, configuration: Configuration) -> str:
    """A configuration's name as the report says it."""
    if configuration.baseline:
        return configuration.name
    winner = facts.winner is not None and facts.winner.configuration == configuration.id
    return f"{configuration.name} (winner)" if winner else configuration.name


def hover(facts: Facts, configuration: Configuration, about: str = "") -> str:
    """What a dot of a configuration says, line by line.

    Args:
        facts: The run.
        configuration: The configuration.
        about: A hyperparameter that is told where there are too many for all of them.
    """
    names = list(configuration.values)
    shown = names[:_MOST_VALUES]
    if about in names[_MOST_VALUES:]:
        shown[-1] = about
    values = [f"{name} = {scalar(configuration.values[name])}" for name in shown]
    if len(names) > len(shown):
        values.append(f"and {len(names) - len(shown):,} more")
    last = configuration.epochs[-1].number if configuration.epochs else 0
    return "\n".join(
        [
            title(facts, configuration),
            f"{facts.objective} {number(configuration.score)}",
            plural(last, facts.unit),
            *values,
        ]
    )


def focus(values: Sequence[float], maximize: bool, always: Sequence[float] = ()) -> tuple[float, float] | None:
    """The span of scores worth showing when a long tail of bad ones would flatten the good ones.

    Args:
        values: Scores, at least one.
        maximize: Whether more is better.
        always: Scores that are shown however far away they are.

    Returns:
        Lower and upper end, or None where all of them fit.
    """
    scores = np.asarray(values, dtype=np.float64)
    sign = 1.0 if maximize else -1.0
    best, typical, worst = sign * np.max(sign * scores), np.median(scores), sign * np.min(sign * scores)
    reach = abs(best - typical)
    # The worst is left out only where it would take the better half less than a sixth of the height.
    if reach == 0 or abs(best - worst) < 6 * reach:
        return None
    edge = typical - sign * 2 * reach
    margin = 0.15 * reach
    ends = [float(edge), float(best + sign * margin), *(value - sign * margin for value in always)]
    return min(ends), max(ends)


def outside(values: Sequence[float], span: tuple[float, float] | None) -> int:
    """How many of the values a span leaves out."""
    return 0 if span is None else sum(not span[0] <= value <= span[1] for value in values)


def always_answering(facts: Facts, evaluation: Evaluation, what: str) -> list[Item]:
    """The accuracy of a model that knows no inputs, in a sentence; nothing where it was not recorded.

    Args:
        facts: The run.
        evaluation: Of the final model.
        what: That the accuracy is a share of, such as "these rows".
    """
    scores = facts.guess.get("scores", {}).get(evaluation.part)
    if not scores:
        return []
    text = f"Always answering {facts.guess['what']} would be right in {percent(scores['accuracy'])} of {what}"
    return [Text(f"{text}, by their weights." if facts.weighted else f"{text}.")]


def counted_alike(facts: Facts) -> list[Item]:
    """Of rows with weights, which scores count and sections of single rows do not; nothing of others."""
    text = "Scores count the rows by their weights; matrices, tables and charts of this section count all rows alike."
    return [Text(text)] if facts.weighted else []
