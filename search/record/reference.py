"""What scikit-learn's gradient boosting reaches on the rows of a table: what a network has to be better than."""

from __future__ import annotations

from typing import Any

import numpy as np

from spaces import DataInfo, Dataset, SearchSpec, Split

NAME = "gradient boosting"
_MOST_VALUES = 3e7
"""Rows times inputs times classes up to which it takes seconds rather than minutes."""


def reference(spec: SearchSpec, data: Dataset) -> dict[str, Any] | None:
    """Scores of scikit-learn's histogram gradient boosting at its defaults, on the same rows and inputs.

    Args:
        spec: The space file.
        data: The data set.

    Of a cross-validation the rows that validate are those of its first fold: five fits would take the search's time.

    Returns:
        `name`, and `scores` by part and metric, among them `loss` where the space's loss is one that it knows; `failed`
        in words where it cannot be fitted to these rows. None for data that are no table, have several targets, or are
        so large that it would take long.
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

    weight = {"sample_weight": part.weight}
    # Few enough to be read, where they are on the disk.
    known, asked = train.x[:], part.x[:]
    if info.task == "regression":
        regressor = ensemble.HistGradientBoostingRegressor(random_state=0)
        found = regressor.fit(known, train.y, sample_weight=train.weight).predict(asked)
        mse = float(metrics.mean_squared_error(part.y, found, **weight))
        mae = float(metrics.mean_absolute_error(part.y, found, **weight))
        r2 = float(metrics.r2_score(part.y, found, **weight))
        scores = {"mae": mae, "mse": mse, "rmse": mse**0.5, "r2": r2}
        scores["r2_score"] = scores["r2"]
        losses = {"auto": mse, "mse": mse, "mae": mae}
        return scores | ({"loss": losses[spec.training.loss]} if spec.training.loss in losses else {})
    learnt, wanted = (y if y.ndim == 1 else y.argmax(axis=1) for y in (train.y, part.y))
    sizes = np.unique(learnt, return_counts=True)[1]
    if len(sizes) < 2:
        raise ValueError("all its training rows are of one class")
    # Rows that end the training early are drawn of each class, at least one beside those that train.
    early = "auto" if sizes.min() > 1 else False
    model = ensemble.HistGradientBoostingClassifier(random_state=0, early_stopping=early)
    model.fit(known, learnt, sample_weight=train.weight)
    probabilities = model.predict_proba(asked)
    answers = model.classes_[probabilities.argmax(axis=1)]
    scores = {
        "accuracy": float(metrics.accuracy_score(wanted, answers, **weight)),
        "f1": float(metrics.f1_score(wanted, answers, average="macro", **weight)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(wanted, answers, **weight)),
        "mcc": float(metrics.matthews_corrcoef(wanted, answers, **weight)),
    }
    if np.isin(wanted, model.classes_).all():
        scores["loss"] = float(metrics.log_loss(wanted, probabilities, labels=model.classes_, **weight))
    if info.outputs == 2 and len(np.unique(wanted)) == 2:
        scores["auc"] = float(metrics.roc_auc_score(wanted, probabilities[:, 1], **weight))
    return scores
