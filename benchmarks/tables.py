"""A search of dense networks against scikit-learn's gradient boosting at its defaults, on tables.

    python benchmarks/tables.py [--seconds 180] [--seeds 1] [--workers N] [--tables wine ...] [--json tables.json]

The tables are scikit-learn's own (breast cancer, wine, digits as rows, diabetes) and two that are made here after the
usual ones that have to be downloaded: houses in the manner of California's, with latitude, longitude and a category,
and incomes in the manner of Adult's, with words, gaps and rare words. Each is written as a csv: the whole way is
measured, by the shipped spaces table-classes and table-numbers. Both methods see the same rows: a fifth for the test,
and what is tested is trained on all others. Gradient boosting takes the same inputs, encoded; both of scikit-learn's
implementations are fitted. Measured on the test rows: accuracy, AUC of two classes, R² of numbers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import results
import search
import spaces


def main() -> None:
    """Searches every table and prints what both methods reach on its test rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seeds", type=int, default=1, help="splits of each table")
    parser.add_argument("--tables", nargs="+", default=list(_TABLES), choices=list(_TABLES))
    parser.add_argument("--workers", type=int, help="of each search; measured by it if not given")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.seeds < 1 or options.seconds <= 0:
        parser.error("--seeds must be at least 1, and --seconds above 0")
    rows: list[dict[str, Any]] = []
    print(f"{'table':<14}{'measure':<10}{'search':>9}{'hist. boosting':>16}{'boosting':>10}", flush=True)
    for name in options.tables:
        rows += _rows(name, options)
        if options.json:
            # After every table: what is measured stays, whatever becomes of the next.
            options.json.write_text(json.dumps(rows, indent=2) + "\n")


def _rows(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """What was measured on one table, printed too; a search that fails is told with its reason."""
    found, failed = [], []
    for seed in range(options.seeds):
        try:
            found.append(_compared(name, seed, options.seconds, options.workers))
        except Exception as error:
            failed.append({"table": name, "seed": seed, "failed": f"{type(error).__name__}: {error}"})
            print(f"{name:<14}seed {seed} failed: {failed[-1]['failed']}", flush=True)
    rows = []
    for measure in found[0] if found else ():
        means = {key: statistics.mean(one[measure][key] for one in found) for key in found[0][measure]}
        rows.append({"table": name, "measure": measure, "splits": len(found), **means})
        values = f"{means['search']:>9.4f}{means['histogram']:>16.4f}{means['boosting']:>10.4f}"
        print(f"{name:<14}{measure:<10}{values}", flush=True)
    return [*rows, *failed]


def _compared(name: str, seed: int, seconds: float, workers: int | None) -> dict[str, dict[str, float]]:
    frame, regression = _TABLES[name]()
    with tempfile.TemporaryDirectory() as scratch:
        frame.to_csv(Path(scratch) / f"{name}.csv", index=False)
        changes = (
            f"name={name}", f"data.source.csv={scratch}/{name}.csv", f"data.seed={seed}", f"search.seed={seed}",
            "search.max_trials=1000", "export.formats=[keras]",
        )  # fmt: skip
        spec = spaces.load("table-numbers" if regression else "table-classes", changes)
        run = search.run(spec, run_dir=Path(scratch) / "run", budget=seconds, workers=workers)
        data = spaces.load_data(spec)
        results.export(run)
        predictions = _predictions(run.directory, data, regression)
    assert data.test is not None
    together = data.train.joined(data.validation)
    return {
        measure: {
            "search": score(data.test.y, predictions),
            **{
                key: score(data.test.y, answers)
                for key, answers in _boosted(together.x, together.y, data.test.x, regression).items()
            },
        }
        for measure, score in _measures(data, regression).items()
    }


def _predictions(directory: Path, data: spaces.Dataset, regression: bool) -> Any:
    assert data.test is not None
    np.save(directory / "test.npy", data.test.x)
    found = results.predict(directory, [directory / "test.npy"])
    if regression:
        return np.array([one.values[0] for one in found])
    return np.array([list(one.probabilities.values()) for one in found])


def _boosted(x: Any, y: Any, test: Any, regression: bool) -> dict[str, Any]:
    from sklearn import ensemble
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="openmp")
    if regression:
        made = {
            "histogram": ensemble.HistGradientBoostingRegressor(random_state=0),
            "boosting": ensemble.GradientBoostingRegressor(random_state=0),
        }
        return {name: model.fit(x, y).predict(test) for name, model in made.items()}
    made = {
        "histogram": ensemble.HistGradientBoostingClassifier(random_state=0),
        "boosting": ensemble.GradientBoostingClassifier(random_state=0),
    }
    return {name: model.fit(x, y).predict_proba(test) for name, model in made.items()}


def _measures(data: spaces.Dataset, regression: bool) -> dict[str, Callable[[Any, Any], float]]:
    from sklearn import metrics

    if regression:
        return {"R²": lambda y, found: float(metrics.r2_score(y, found))}
    found: dict[str, Callable[[Any, Any], float]] = {"accuracy": lambda y, p: float((p.argmax(axis=1) == y).mean())}
    if data.info.outputs == 2:
        found["AUC"] = lambda y, p: float(metrics.roc_auc_score(y, p[:, 1]))
    return found


def _scikit(name: str) -> Callable[[], tuple[pd.DataFrame, bool]]:
    def load() -> tuple[pd.DataFrame, bool]:
        from sklearn import datasets

        loaded = getattr(datasets, f"load_{name}")(as_frame=True)
        frame = loaded.frame
        if name != "diabetes":
            frame["target"] = [f"class {label}" for label in frame["target"]]
        return frame, name == "diabetes"

    return load


def _houses(count: int = 6000) -> tuple[pd.DataFrame, bool]:
    """After California's: a price that depends on place, income and age in bent ways, with a tail and a ceiling."""
    random = np.random.default_rng(1)
    latitude, longitude = random.uniform(32.5, 42, count), random.uniform(-124.3, -114.3, count)
    income, age = random.lognormal(1.2, 0.45, count), random.integers(1, 53, count)
    rooms, people = random.lognormal(1.65, 0.25, count), random.lognormal(1.05, 0.2, count)
    coast = longitude + 0.8 * (latitude - 32.5) + 119
    place = np.select([coast < -2.5, coast < 0, coast < 2.5], ["NEAR OCEAN", "NEAR BAY", "<1H OCEAN"], "INLAND")
    cities = 90_000 * np.exp(-((latitude - 34) ** 2 + (longitude + 118.2) ** 2) / 1.5)
    cities += 120_000 * np.exp(-((latitude - 37.7) ** 2 + (longitude + 122.2) ** 2) / 1.0)
    price = 38_000 * income**1.1 + cities + 500 * age - 12_000 * (people - 2.8) + 6_000 * (rooms - 5)
    price *= np.select([place == "INLAND", place == "NEAR OCEAN"], [0.75, 1.2], 1.0)
    price = np.minimum(price * random.lognormal(0, 0.18, count), 500_001)
    frame = pd.DataFrame({
        "longitude": longitude.round(2), "latitude": latitude.round(2), "age": age, "rooms": rooms, "people": people,
        "income": income, "place": place, "price": price.round(),
    })  # fmt: skip
    return frame, True


def _incomes(count: int = 6000) -> tuple[pd.DataFrame, bool]:
    """After Adult's: words and numbers, some rare, some missing, of which the income depends with much noise."""
    random = np.random.default_rng(2)
    age, hours = random.integers(17, 90, count), np.clip(random.normal(40, 12, count), 1, 99).round()
    school = random.choice(["11th", "HS-grad", "Some-college", "Bachelors", "Masters", "Doctorate"], count,
                           p=[0.12, 0.33, 0.25, 0.19, 0.08, 0.03])  # fmt: skip
    work = random.choice(["Private", "Self-emp", "Gov", "Without-pay"], count, p=[0.72, 0.13, 0.14, 0.01])
    married = random.random(count) < np.clip((age - 18) / 40, 0, 0.65)
    gain = np.where(random.random(count) < 0.08, random.lognormal(8, 1.2, count).round(), 0)
    country = random.choice([f"country {i}" for i in range(40)], count, p=[0.88, *[0.12 / 39] * 39])
    years = pd.Series(school).map({"11th": 7, "HS-grad": 9, "Some-college": 10, "Bachelors": 13, "Masters": 14,
                                   "Doctorate": 16}).to_numpy()  # fmt: skip
    score = 0.38 * (years - 10) + 2.2 * married - 0.0022 * (age - 50) ** 2 + 0.035 * (hours - 40) + 1.4 * (gain > 5000)
    income = np.where(score - 2.2 + random.logistic(0, 1, count) > 0, ">50K", "<=50K")
    frame = pd.DataFrame({
        "age": age, "workclass": work, "education": school, "married": np.where(married, "yes", "no"), "gain": gain,
        "hours": hours, "country": country, "income": income,
    })  # fmt: skip
    frame.loc[random.random(count) < 0.06, "workclass"] = "?"
    frame.loc[random.random(count) < 0.04, "hours"] = np.nan
    return frame, False


_TABLES: dict[str, Callable[[], tuple[pd.DataFrame, bool]]] = {
    "breast-cancer": _scikit("breast_cancer"),
    "wine": _scikit("wine"),
    "digits": _scikit("digits"),
    "diabetes": _scikit("diabetes"),
    "houses": _houses,
    "incomes": _incomes,
}


if __name__ == "__main__":
    main()
