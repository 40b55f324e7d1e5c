"""The final model on rows that were kept back, for classes: confusion, per-class scores, pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.reporting.chart import Axis, Cells, Chart, Panel, View
from results.reporting.document import Item, Picture, Pictures, Section, Table, Text
from results.reporting.facts import Facts
from results.reporting.pixels import to_pixels
from results.reporting.sections.common import always_answering, counted_alike
from results.reporting.sections.measured.precision_recall import precision_recall
from results.reporting.words import count, distinct, number, percent
from results.text import plural
from results.verdicts.answers import Answers
from search.files.store import Evaluation
from spaces.models.thresholds import PLAIN, measured

_MOST_TEXTS = 20
"""Classes up to which the cells of the confusion matrix carry their numbers."""
_MOST_CLASSES = 60
_MOST_CONFUSED = 200
"""Classes up to which all are in the confusion matrix: its cells are their square, each with words of its own."""
_PICTURES = 25


def classes(facts: Facts, evaluation: Evaluation, answers: Answers) -> Section:
    """The section."""
    names = _names(facts, answers)
    items: list[Item] = [
        *counted_alike(facts),
        _confusion(names, answers, evaluation),
        *always_answering(facts, evaluation, "these rows"),
        *_per_class(names, answers),
        *_threshold(facts, evaluation, answers),
        *precision_recall(names, _one_against_the_rest(names, answers), answers.labels[:, None] == range(len(names))),
        *_pictures(facts, names, answers),
    ]
    where = f"the {evaluation.part} rows"
    return Section("test", f"The final model on {where}", items, "Test")


def _names(facts: Facts, answers: Answers) -> list[str]:
    outputs = max(2, answers.predictions.shape[1], int(answers.labels.max()) + 1)
    names = list(facts.class_names[:outputs])
    return names + [str(i) for i in range(len(names), outputs)]


def _confusion(names: list[str], answers: Answers, evaluation: Evaluation) -> Chart:
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(answers.labels, answers.classes, labels=list(range(len(names))))
    caption = _confusion_caption(names, matrix, evaluation)
    if len(names) > _MOST_CONFUSED:
        caption += f" Of {count(len(names))} classes the {_MOST_CONFUSED} that are confused most are shown."
    shown = _most_mistaken(matrix)
    rows = matrix.sum(axis=1, keepdims=True)[shown]
    names, matrix = [names[k] for k in shown], matrix[np.ix_(shown, shown)]
    labels = range(len(names))
    shares = matrix / np.maximum(1, rows)
    short = distinct(names, 18)
    texts = [[str(n) if n and len(names) <= _MOST_TEXTS else "" for n in row] for row in matrix]
    hover = [
        [
            f"{names[i]} {'recognised' if i == j else f'taken for {names[j]}'}\n"
            f"{count(int(matrix[i, j]))} rows, {percent(shares[i, j])} of the class"
            for j in labels
        ]
        for i in labels
    ]
    cells = Cells(short, short, shares.tolist(), texts, hover)
    panel = Panel([cells], Axis("predicted", categories=tuple(short)), Axis("actual", categories=tuple(short)))
    height = min(760, max(300, 130 + 30 * len(names)))
    return Chart("confusion", caption, (View((panel,), height=height, width=max(420, round(1.25 * height))),))


def _most_mistaken(matrix: NDArray[Any]) -> list[int]:
    """The classes whose rows are most often taken for others, or others for them, in their order; of few all."""
    mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    return sorted(int(k) for k in np.argsort(-mistakes, kind="stable")[:_MOST_CONFUSED])


def _confusion_caption(names: list[str], matrix: NDArray[Any], evaluation: Evaluation) -> str:
    right, rows = int(np.trace(matrix)), int(matrix.sum())
    text = f"{count(right)} of {count(rows)} {evaluation.part} rows are classified correctly"
    wrong = matrix - np.diag(np.diag(matrix))
    if not wrong.any():
        return text + ": every one of them."
    i, j = (int(k) for k in np.unravel_index(wrong.argmax(), wrong.shape))
    return f"{text}; the most frequent mistake takes {names[i]} for {names[j]} ({plural(int(wrong[i, j]), 'time')})."


def _per_class(names: list[str], answers: Answers) -> list[Item]:
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        answers.labels, answers.classes, labels=list(range(len(names))), zero_division=0.0
    )
    present = [i for i in range(len(names)) if support[i]]
    # As the measures over classes count them: a class that no row is of, and some are taken for, is one too.
    occurs = (support > 0) | (np.bincount(answers.classes, minlength=len(names)) > 0)
    worst, best = (pick(present, key=lambda i: f1[i]) for pick in (min, max))
    shown = list(range(len(names)))
    text = (
        f"{names[best]} is recognised best (F1 {number(f1[best])}) and {names[worst]} worst (F1 {number(f1[worst])})."
    )
    if len(present) == 1:
        text = f"Only {names[best]} occurs among these rows (F1 {number(f1[best])})."
    elif best == worst:
        text = f"The {count(len(present))} classes among these rows are recognised alike (F1 {number(f1[best])})."
    if len(shown) > _MOST_CLASSES:
        shown = sorted(present, key=lambda i: f1[i])[:_MOST_CLASSES]
        text += f" The {_MOST_CLASSES} classes with the lowest F1 are shown."
    rows: list[tuple[str, ...]] = [
        (names[i], number(precision[i]), number(recall[i]), number(f1[i]), count(int(support[i]))) for i in shown
    ]
    rows.append(
        (
            "mean of the classes",
            *(number(float(v[occurs].mean())) for v in (precision, recall, f1)),
            count(int(support.sum())),
        )
    )
    numeric = (False, True, True, True, True)
    return [
        Text(text),
        Table(("class", "precision", "recall", "F1", "rows"), rows, numeric, frozenset({len(rows) - 1})),
    ]


def _one_against_the_rest(names: list[str], answers: Answers) -> NDArray[np.float64]:
    """float (rows, classes): the probability of each class."""
    found = answers.predictions
    if found.shape[1] == 1:
        found = np.concatenate([1 - found, found], axis=1)
    missing = len(names) - found.shape[1]
    return np.pad(found, ((0, 0), (0, missing)))


def _threshold(facts: Facts, evaluation: Evaluation, answers: Answers) -> list[Item]:
    """The threshold between two classes, and what it does here."""
    chosen = facts.meta.get("threshold")
    if chosen is None or answers.predictions.shape[1] > 2:
        return []
    value, measure, second = float(chosen["value"]), str(chosen["measure"]), str(chosen["class"])
    text = (
        f"For {measure}, a row is best taken for {second} from a probability of {number(value)} on: chosen on "
        f"{count(chosen['rows'])} validation rows, where it gives {number(chosen['score'])} against "
        f"{number(chosen['plain'])} at 0.5. It is in metadata.json and what predict goes by; matrix, table and scores "
        "above are at 0.5."
    )
    probabilities, labels = answers.predictions[:, -1], answers.labels
    rows: list[tuple[str, ...]] = []
    for name, at in (("0.5", PLAIN), (number(value), value)):
        given = probabilities >= at
        right = int((given & (labels == 1)).sum())
        rows.append(
            (
                name,
                number(measured(measure, labels, probabilities, at)),
                number(right / max(1, int(given.sum()))),
                number(right / max(1, int((labels == 1).sum()))),
                count(int(given.sum())),
            )
        )
    heads = ("threshold", f"{evaluation.part} {measure}", f"precision of {second}", f"recall of {second}", "rows given")
    return [Text(text), Table(heads, rows, (True,) * 5, frozenset({1}))]


def _pictures(facts: Facts, names: list[str], answers: Answers) -> list[Item]:
    if facts.info.get("kind") != "image" or not len(answers.index):
        return []
    pixels = to_pixels(answers.examples, facts.info)
    if pixels is None:
        return []

    def picture(k: int) -> Picture:
        row = int(answers.index[k])
        guess, label = int(answers.classes[row]), int(answers.labels[row])
        # No line ends before the sign.
        confidence = percent(float(answers.confidence[row])).replace(" ", "\N{NO-BREAK SPACE}")
        words = f"{names[guess]} · {confidence}"
        return Picture(pixels[k], words, names[label], guess == label)

    # The examples begin with the random rows; the most confident mistakes follow.
    random = list(range(min(_PICTURES, len(pixels))))
    wrong = [k for k in range(len(pixels)) if not answers.right[answers.index[k]]]
    mistakes = sorted(wrong, key=lambda k: -answers.confidence[answers.index[k]])[:_PICTURES]
    right = sum(bool(answers.right[answers.index[k]]) for k in random)
    found: list[Item] = []
    if mistakes:
        top = float(answers.confidence[answers.index[mistakes[0]]])
        caption = f"The {plural(len(mistakes), 'mistake')} made with most confidence, up to {percent(top)}"
        caption += "; the label is in brackets."
        found.append(Pictures("mistakes", "Most confident mistakes", caption, [picture(k) for k in mistakes]))
    caption = f"{len(random)} rows drawn at random: {right} right in green, {len(random) - right} wrong in red."
    found.append(Pictures("examples", "Random predictions", caption, [picture(k) for k in random]))
    return found
