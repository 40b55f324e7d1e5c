"""The final model on rows that were kept back, where a row may have several labels."""

from __future__ import annotations

from results.reporting.document import Item, Section, Table, Text
from results.reporting.facts import Facts
from results.reporting.sections.common import always_answering, counted_alike
from results.reporting.sections.measured.precision_recall import precision_recall
from results.reporting.words import count, number, percent
from results.verdicts.answers import Answers
from search.files.store import Evaluation


def several_labels(facts: Facts, evaluation: Evaluation, answers: Answers) -> Section:
    """The section."""
    names = list(facts.class_names[: answers.labels.shape[1]])
    items: list[Item] = [
        *counted_alike(facts),
        Text(
            f"Of {count(len(answers.labels))} {evaluation.part} rows {percent(float(answers.right.mean()))} have "
            "exactly the labels that were predicted; a label is given from a probability of 0.5 on."
        ),
        *always_answering(facts, evaluation, "all labels of these rows"),
        _per_label(names, answers),
        *precision_recall(names, answers.predictions, answers.labels == 1),
    ]
    where = f"the {evaluation.part} rows"
    return Section("test", f"The final model on {where}", items, "Test")


def _per_label(names: list[str], answers: Answers) -> Table:
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, support = precision_recall_fscore_support(
        answers.labels, answers.classes, average=None, zero_division=0.0
    )
    rows: list[tuple[str, ...]] = [
        (name, number(precision[k]), number(recall[k]), number(f1[k]), count(int(support[k])))
        for k, name in enumerate(names)
    ]
    rows.append(
        (
            "mean of the labels",
            *(number(float(values.mean())) for values in (precision, recall, f1)),
            count(int(support.sum())),
        )
    )
    heads = ("label", "precision", "recall", "F1", "rows")
    return Table(heads, rows, (False, True, True, True, True), frozenset({len(rows) - 1}))
