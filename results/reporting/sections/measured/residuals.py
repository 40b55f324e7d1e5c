"""The final model on rows that were kept back, for numbers: predictions against labels, and what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from results.reporting.chart import Axis, Chart, Dots, Line, Panel, Tone, View
from results.reporting.document import Item, Section, Table
from results.reporting.facts import Facts
from results.reporting.sections.common import counted_alike
from results.reporting.words import count, number, percent
from results.verdicts.answers import Answers
from search.files.store import Evaluation

_MOST_DOTS = 2000


class _Errors(NamedTuple):
    """Of one target, over all rows."""

    absolute: float
    root_square: float


def residuals(facts: Facts, evaluation: Evaluation, answers: Answers) -> Section:
    """The section; of several target columns the first is drawn and all are listed."""
    means = _errors_of_the_mean(facts, evaluation, answers)
    names = _names(facts, answers)
    items: list[Item] = [
        *counted_alike(facts),
        _chart(answers.labels[:, 0], answers, _caption(names[0], answers, evaluation, means[0] if means else None)),
    ]
    if len(names) > 1:
        items.append(_targets(names, answers, means))
    where = f"the {evaluation.part} rows"
    return Section("test", f"The final model on {where}", items, "Test")


def _names(facts: Facts, answers: Answers) -> list[str]:
    every = range(answers.labels.shape[1])
    return list(facts.targets) if len(facts.targets) == len(every) else [f"target {k}" for k in every]


def _errors_of_the_mean(facts: Facts, evaluation: Evaluation, answers: Answers) -> list[_Errors]:
    """Of predicting the mean of the training rows for each target; nothing where that was not recorded."""
    values = facts.guess.get("values", ())
    if len(values) == answers.labels.shape[1]:
        return [_errors(error) for error in (np.asarray(values) - answers.labels).T]
    # Earlier versions recorded scores only: over all targets together, and by the weights of the rows.
    scores = facts.guess.get("scores", {}).get(evaluation.part)
    single = answers.labels.shape[1] == 1 and not facts.weighted
    return [_Errors(scores["mae"], scores["rmse"])] if scores and single else []


def _errors(error: NDArray[Any]) -> _Errors:
    return _Errors(float(abs(error).mean()), float(np.sqrt((error**2).mean())))


def _explained(label: NDArray[Any], error: NDArray[Any]) -> float | None:
    """R²; None where the labels do not differ."""
    spread = float(((label - label.mean()) ** 2).sum())
    return 1 - float((error**2).sum()) / spread if spread > 0 else None


def _chart(label: NDArray[Any], answers: Answers, caption: str) -> Chart:
    predicted, error = answers.predictions[:, 0], answers.errors[:, 0]
    step = max(1, len(label) // _MOST_DOTS)
    shown = slice(None, None, step)
    ends = [float(min(label.min(), predicted.min())), float(max(label.max(), predicted.max()))]
    xs = [float(v) for v in predicted[shown]]
    hover = [
        f"predicted {number(float(p))}\nactual {number(float(a))}"
        for p, a in zip(predicted[shown], label[shown], strict=True)
    ]
    against = Panel(
        [Dots(xs, [float(v) for v in label[shown]], Tone.SOFT, "", hover, size=5),
         Line(ends, ends, Tone.ACCENT, "perfect", dash=0)],
        Axis("predicted"), Axis("actual"), "Predicted and actual",
    )  # fmt: skip
    left = Panel(
        [Dots(xs, [float(v) for v in error[shown]], Tone.SOFT, "", hover, size=5),
         Line([min(xs), max(xs)], [0.0, 0.0], Tone.ACCENT, "", dash=0)],
        Axis("predicted"), Axis("predicted − actual"), "Residuals",
    )  # fmt: skip
    return Chart("residuals", caption, (View((against, left), columns=2, height=380),))


def _caption(name: str, answers: Answers, evaluation: Evaluation, mean: _Errors | None) -> str:
    label, error = answers.labels[:, 0], answers.errors[:, 0]
    bias, half = float(error.mean()), float(np.quantile(abs(error), 0.5))
    several = answers.labels.shape[1] > 1
    text = (
        f"On {count(evaluation.rows)} {evaluation.part} rows half of the predictions{f' of {name}' if several else ''} "
        f"are within {number(half)} of the label; on average they are {number(abs(bias))} too "
        f"{'high' if bias > 0 else 'low'}"
    )
    explained = _explained(label, error)
    if explained is not None:
        text += (
            f", and {percent(explained)} of the variance is explained"
            if explained > 0
            else ", no better than the mean label"
        )
        text += f" (R² {number(explained)})"
    if mean is not None:
        mine = _errors(error)
        text += (
            f". The mean absolute error is {number(mine.absolute)}, the root of the mean square "
            f"{number(mine.root_square)}; predicting the mean for every row has {number(mean.absolute)} and "
            f"{number(mean.root_square)}"
        )
    return text + "."


def _targets(names: Sequence[str], answers: Answers, means: Sequence[_Errors]) -> Table:
    heads = ["target", "mean absolute error", "root mean square", "mean error", "R²"]
    if means:
        heads += ["mean absolute error of the mean", "root mean square of the mean"]
    rows: list[tuple[str, ...]] = []
    for k, (name, label, error) in enumerate(zip(names, answers.labels.T, answers.errors.T, strict=True)):
        mine = _errors(error)
        told: list[float | None] = [mine.absolute, mine.root_square, float(error.mean()), _explained(label, error)]
        if means:
            told += means[k]
        rows.append((name, *map(number, told)))
    return Table(tuple(heads), rows, (False, *[True] * (len(heads) - 1)))
