"""What scikit-learn's gradient boosting reaches on the rows of a table: what a network has to be better than."""

from __future__ import annotations

from typing import Any

import numpy as np

from spaces import DataInfo, Dataset, SearchSpec, Split

NAME = "gradient boosting"
_TOP = 5
"""Of the measure `top_k`."""
_MOST_VALUES = 3e7
"""Rows times inputs times classes up to which it takes seconds rather than minutes."""


def reference(spec: SearchSpec, data: Dataset) -> dict[str, Any] | None:
    """Scores of scikit-learn's histogram gradient boosting at its defaults, on the same rows and inputs.

    Args:
        spec: The space file.
        data: The data set.

    Of a cross-validation the rows that validate are those of its first fold: five fits would take the search's time.

    Returns:
        `name`, and `scores` by part and metric: of all that have a name, and `loss`; `failed` in words where it cannot
        be fitted to these rows. None for data that are no table, have several targets, or are so large that it would
        take long.
    """
    info = data.info
    outputs = 1 if info.task == "regression" else info.outputs
    many = len(data.train) * data.train.x.shape[1] * (outputs if outputs > 2 else 1) > _MOST_VALUES
    if not info.table or many or info.labels == "multi-label" or (info.task == "regression" and info.outputs > 1):
        return None
    from threadpoolctl import threadpool_limits

    scores: dict[str, dict[str, float]] = {}
    try:
        # Its threads wait for each other in a loop: beside other programs several take a hundred times as long as one.
        with threadpool_limits(1, user_api="openmp"):
            scores["validation"] = _scores(spec, info, data.train, data.validation)
            if data.test is not None:
                together = data.train
                if spec.final.train_on_validation:
                    together = data.train.joined(data.validation)
                scores["test"] = _scores(spec, info, together, data.test)
    except ValueError as error:  # a search goes on without it
        return {"name": NAME, "scores": scores, "failed": f"{NAME} has no score to compare with: {error}"}
    return {"name": NAME, "scores": scores}


def _scores(spec: SearchSpec, info: DataInfo, train: Split, part: Split) -> dict[str, float]:
    from sklearn import ensemble, metrics

    # Few enough to be read, where they are on the disk.
    known, asked = train.x[:], part.x[:]
    if info.task == "regression":
        regressor = ensemble.HistGradientBoostingRegressor(random_state=0)
        found = regressor.fit(known, train.y, sample_weight=train.weight).predict(asked)
        return _of_numbers(spec.training.loss, part, found)
    learnt, wanted = (y if y.ndim == 1 else y.argmax(axis=1) for y in (train.y, part.y))
    sizes = np.unique(learnt, return_counts=True)[1]
    if len(sizes) < 2:
        raise ValueError("all its training rows are of one class")
    # Rows that end the training early are drawn of each class, at least one beside those that train.
    early = "auto" if sizes.min() > 1 else False
    model = ensemble.HistGradientBoostingClassifier(random_state=0, early_stopping=early)
    model.fit(known, learnt, sample_weight=train.weight)
    probabilities = np.zeros((len(asked), info.outputs))
    probabilities[:, model.classes_] = model.predict_proba(asked)
    scores = _of_classes(wanted, probabilities, part.weight)
    # Rows of a class that it never saw, and gives no probability, have no finite loss.
    if np.isin(wanted, model.classes_).all():
        every = np.arange(info.outputs)
        scores["loss"] = float(metrics.log_loss(wanted, probabilities, labels=every, sample_weight=part.weight))
    return scores


def _of_numbers(loss: str, part: Split, found: Any) -> dict[str, float]:
    from sklearn import metrics

    wanted = part.y.astype(np.float64)
    error = abs(found - wanted)

    def averaged(values: Any) -> float:
        return float(np.average(values, weights=part.weight))

    mse, mae = averaged(error**2), averaged(error)
    r2 = float(metrics.r2_score(wanted, found, sample_weight=part.weight))
    # In percent, and for a target of 0, as Keras has it.
    mape = averaged(100 * error / np.maximum(abs(wanted), 1e-7))
    scores = {"mae": mae, "mse": mse, "rmse": mse**0.5, "mape": mape, "r2": r2, "r2_score": r2}
    losses = {
        "auto": mse,
        "mse": mse,
        "mae": mae,
        "huber": averaged(np.where(error <= 1, error**2 / 2, error - 0.5)),
        "log_cosh": averaged(error + np.log1p(np.exp(-2 * error)) - np.log(2)),
    }
    return scores | ({"loss": losses[loss]} if loss in losses else {})


def _of_classes(wanted: Any, probabilities: Any, weight: Any) -> dict[str, float]:
    from sklearn import metrics

    classes = probabilities.shape[1]
    answers = probabilities.argmax(axis=1)
    right = probabilities[np.arange(len(wanted)), wanted]
    means: dict[str, Any] = {"average": "macro", "zero_division": 0.0, "sample_weight": weight}

    def averaged(values: Any) -> float:
        return float(np.average(values, weights=weight))

    scores = {
        "accuracy": averaged(answers == wanted),
        "f1": metrics.f1_score(wanted, answers, **means),
        "precision": metrics.precision_score(wanted, answers, **means),
        "recall": metrics.recall_score(wanted, answers, **means),
        "balanced_accuracy": metrics.balanced_accuracy_score(wanted, answers, sample_weight=weight),
        "mcc": metrics.matthews_corrcoef(wanted, answers, sample_weight=weight),
        "top_k": averaged((probabilities > right[:, None]).sum(axis=1) < _TOP),
    }
    scores["top_5_accuracy"] = scores["top_k"]
    # Areas are those of all classes that some rows belong to and others do not; of two classes of the second.
    every = range(classes) if classes > 2 else (1,)
    both = [k for k in every if 0 < averaged(wanted == k) < 1]
    for name, area in (("auc", metrics.roc_auc_score), ("pr_auc", metrics.average_precision_score)):
        if both:
            areas = [area(wanted == k, probabilities[:, k], sample_weight=weight) for k in both]
            scores[name] = np.mean(areas)
    return {name: float(score) for name, score in scores.items()}
