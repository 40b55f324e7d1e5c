"""The final model on rows that were kept back, for numbers: predictions against labels, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.reporting.chart import Axis, Chart, Dots, Line, Panel, Tone, View
from results.reporting.document import Item, Section, Table
from results.reporting.facts import Facts
from results.reporting.words import count, number, percent
from results.verdicts.answers import Answers
from search.files.store import Evaluation

_MOST_DOTS = 2000


def residuals(facts: Facts, evaluation: Evaluation, answers: Answers) -> Section:
    """The section; of several target columns the first is drawn and all are listed."""
    labels = answers.labels
    items: list[Item] = [_chart(labels[:, 0], answers, evaluation, facts)]
    if labels.shape[1] > 1:
        items.append(_targets(labels, answers))
    where = "the test rows" if evaluation.part == "test" else f"the {evaluation.part} rows"
    return Section("test", f"The final model on {where}", items, "Test")


def _chart(label: NDArray[Any], answers: Answers, evaluation: Evaluation, facts: Facts) -> Chart:
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
    return Chart(
        "residuals", _caption(label, error, evaluation, facts.guess), (View((against, left), columns=2, height=380),)
    )


def _caption(label: NDArray[Any], error: NDArray[Any], evaluation: Evaluation, guess: Mapping[str, Any]) -> str:
    bias, half = float(error.mean()), float(np.quantile(abs(error), 0.5))
    text = (
        f"On {count(evaluation.rows)} {evaluation.part} rows half of the predictions are within {number(half)} "
        f"of the label; on average they are {number(abs(bias))} too {'high' if bias > 0 else 'low'}"
    )
    spread = float(((label - label.mean()) ** 2).sum())
    if spread > 0:
        explained = 1 - float((error**2).sum()) / spread
        text += (
            f", and {percent(explained)} of the variance is explained"
            if explained > 0
            else ", no better than the mean label"
        )
        text += f" (R² {number(explained)})"
    if mean := guess.get("scores", {}).get(evaluation.part):
        mine = {"mae": float(abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
        text += (
            f". The mean absolute error is {number(mine['mae'])}, the root of the mean square {number(mine['rmse'])}; "
            f"predicting {guess['what']} for every row has {number(mean['mae'])} and {number(mean['rmse'])}"
        )
    return text + "."


def _targets(labels: NDArray[Any], answers: Answers) -> Table:
    rows = [
        (
            f"target {k}",
            number(float(abs(e).mean())),
            number(float(np.sqrt((e**2).mean()))),
            number(float(e.mean())),
        )
        for k, e in enumerate(answers.errors.T)
    ]
    return Table(("target", "mean absolute error", "root mean square", "mean error"), rows, (False, True, True, True))
