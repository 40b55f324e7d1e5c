"""The contenders of `throughput.py`: each trains the same configurations, in a process of its own.

    python benchmarks/throughput_contenders.py CONTENDER WORK.json

writes one JSON object to standard output: Unix times of the first trial's start and the last one's end, and what each
contender knows about single trials.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import spaces
from spaces import Dataset, SearchSpec, Settings, Split


@dataclass(frozen=True)
class Work:
    """What is trained.

    Attributes:
        space: Name of a shipped space.
        trials: Number of configurations, sampled from the space.
        epochs: Each one is trained for so many.
        rows: Training rows at most; validation has a fifth of it at most. 0: all.
        batches: Batch sizes, in turn; empty: as sampled.
        workers: Worker processes of the contender `all workers`; None: as measured.
        gpus: Share of a GPU that each of them gets, from 0 to 1; None: a whole one where there are any.
        seed: Of the sample; a configuration's own seed is its number.
        changes: Keys of the space that are set to something else, `dotted.key=value` each.
    """

    space: str
    trials: int
    epochs: int
    rows: int
    batches: tuple[int, ...]
    workers: int | None
    seed: int
    changes: tuple[str, ...] = ()
    gpus: float | None = None

    def spec(self) -> SearchSpec:
        return spaces.load(self.space, self.changes)

    def settings(self) -> list[Settings]:
        spec = self.spec()
        chosen = []
        for number, values in enumerate(spaces.sample(spec, self.seed, self.trials)):
            settings = spaces.configure(spec, values)
            batch = self.batches[number % len(self.batches)] if self.batches else settings.training.batch_size
            training = replace(settings.training, batch_size=batch, epochs=self.epochs, early_stopping=None)
            chosen.append(replace(settings, training=training))
        return chosen

    def data(self) -> Dataset:
        data = spaces.load_data(self.spec())
        if not self.rows:
            return data
        validation = max(1, self.rows // 5)
        return replace(
            data, train=_first(data.train, self.rows), validation=_first(data.validation, validation), test=None
        )


def _first(split: Split, rows: int) -> Split:
    return Split(split.x[:rows], split.y[:rows])


def keras_tuner_script(work: Work) -> dict[str, Any]:
    """The script of Keras Tuner's own pages: a hypermodel with `build` and `fit`, a tuner, `search`."""
    import keras_tuner

    settings, data = work.settings(), work.data()
    begun: list[float] = []

    class Listed(keras_tuner.HyperModel):  # type: ignore[misc]
        def build(self, hp: Any) -> Any:
            begun.append(time.time())
            number = hp.Int("configuration", 0, len(settings) - 1)
            return spaces.build_model(settings[number], data.info, seed=number)

        def fit(self, hp: Any, model: Any, *args: Any, **options: Any) -> Any:
            batch_size = settings[hp.get("configuration")].training.batch_size
            return model.fit(*args, batch_size=batch_size, **options)

    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.GridSearch(Listed(), objective="val_accuracy", directory=folder, project_name="search")
        # The first model is built once more when the tuner is made.
        begun.clear()
        tuner.search(
            data.train.x,
            data.train.y,
            epochs=work.epochs,
            validation_data=(data.validation.x, data.validation.y),
            verbose=0,
        )
        return {"first": begun[0], "last": time.time(), "trials": len(begun)}


def bare_loop(work: Work) -> dict[str, Any]:
    """Nothing but `build` and `fit`."""
    settings, data = work.settings(), work.data()
    first = time.time()
    for number, each in enumerate(settings):
        model = spaces.build_model(each, data.info, seed=number)
        model.fit(
            data.train.x,
            data.train.y,
            batch_size=each.training.batch_size,
            epochs=work.epochs,
            validation_data=(data.validation.x, data.validation.y),
            verbose=0,
        )
    return {"first": first, "last": time.time(), "trials": len(settings)}


def one_worker(work: Work) -> dict[str, Any]:
    """This project with one worker process."""
    return _project(work, 1)


def all_workers(work: Work) -> dict[str, Any]:
    """This project with all workers."""
    return _project(work, work.workers)


def _project(work: Work, workers: int | None) -> dict[str, Any]:
    from search.budget import Budget
    from search.clock import SystemClock
    from search.executors import Each
    from search.files.store import RunStore
    from search.loop.observer import Observer
    from search.loop.runner import Commit, Runner
    from search.night.crew import Crew
    from search.night.workforce import Workforce
    from search.record.trial import Outcome, Trial, TrialJob, TrialKind, TrialState
    from search.training import threads
    from search.training.reuse import sharing

    settings = work.settings()
    spec = work.spec()
    count = threads.for_family(spec.family)
    threads.configure(count)
    data = work.data()

    class Listed:
        """The source of the trials."""

        def __init__(self) -> None:
            self.number = 0

        waiting = False

        def next(self, slots: int) -> Trial | None:
            number, self.number = self.number, self.number + 1
            if number >= len(settings):
                return None
            each = settings[number]
            name = f"{number:04}"
            return Trial(
                name, name, TrialKind.SEARCH, "", each.values, each.to_json(), number, 0, work.epochs, None,
                TrialState.RUNNING, None, time.time(), None,
            )  # fmt: skip

        def tell(self) -> None:
            return None

        def state(self) -> None:
            return None

        def job(self, trial: Trial) -> TrialJob:
            return TrialJob(
                trial.id, trial.settings, trial.seed, "val_accuracy", "max", 0, work.epochs, keep=("state", "best")
            )

        def done(self, trial: Trial, outcome: Outcome) -> Commit:
            return Commit()

        def check(self) -> None:
            return None

    begun: list[float] = []
    outcomes: dict[str, Outcome] = {}

    class Watch(Observer):
        def finished(self, trial: Trial, outcome: Outcome) -> None:
            if outcome.failure is not None:
                raise RuntimeError(outcome.failure.message)
            begun.append(time.time() - outcome.seconds)
            outcomes[trial.id] = outcome

    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        crew = Crew(run, spec, data, count, Budget(), print, each=Each(gpus=work.gpus if workers != 1 else None))
        if workers is None:
            measured = crew.measured()
            executor, chosen = measured.executor, measured.chosen
        else:
            executor, chosen = crew.workers(workers), Workforce(workers, count)
        try:
            Runner(executor, RunStore.create(run, {}), SystemClock(), Watch()).run(Listed(), [])
            last = time.time()
        finally:
            executor.shutdown()
    seen: set[Any] = set()
    new = []
    for each in settings:
        known = {sharing.signature(each), sharing.signature_with_dropout(each)} & seen
        new.append(not known)
        seen.add(sharing.signature(each))
    seconds = [outcomes[name].seconds for name in sorted(outcomes)]
    scores = [outcomes[name].score for name in sorted(outcomes)]
    return {
        "first": min(begun), "last": last, "trials": len(settings), "seconds": seconds, "new": new, "scores": scores,
        "workers": chosen.workers, "what": str(chosen),
    }  # fmt: skip


def floor(work: Work) -> dict[str, Any]:
    """The same training steps in functions that are compiled already: no building, no validation, no files."""
    from search.training import threads

    threads.configure(threads.for_family(work.spec().family))
    from search.training.engine import Rows
    from search.training.reuse.networks import Networks

    settings, data = work.settings(), work.data()
    networks, rows = Networks(data.info), Rows(data.train)
    seconds = []
    first = time.time()
    for number, each in enumerate(settings):
        engine = networks.engine(each, number, rows, spaces.count_parameters(each, data.info))
        engine.train_epoch(rows, 1)
        measured = []
        for epoch in range(2, 2 + min(3, work.epochs)):
            started = time.perf_counter()
            engine.train_epoch(rows, epoch)
            measured.append(time.perf_counter() - started)
        seconds.append(statistics.median(measured) * work.epochs)
    return {"first": first, "last": first + sum(seconds), "trials": len(settings), "seconds": seconds}


CONTENDERS: dict[str, Callable[[Work], dict[str, Any]]] = {
    "keras tuner": keras_tuner_script,
    "bare loop": bare_loop,
    "1 worker": one_worker,
    "all workers": all_workers,
    "floor": floor,
}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[2]).read_text())
    listed = {"batches": tuple(given["batches"]), "changes": tuple(given["changes"])}
    print(json.dumps(CONTENDERS[sys.argv[1]](Work(**{**given, **listed}))))
