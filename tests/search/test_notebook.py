"""The view in a notebook: drawn anew in its place, seldom, and in the end as it is."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from search.night.live import Tally
from search.night.views.notebook import NotebookView, curve, in_notebook
from search.record.trial import FailureReason, TrialKind
from tests.search.records import epoch, failed, outcome, trial
from tests.search.simulation import SimulatedClock

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clock():
    return SimulatedClock()


@pytest.fixture
def drawn():
    return []


@pytest.fixture
def view(clock, drawn):
    tally = Tally("val_accuracy", "max", clock.now() + 100.0, clock)
    return NotebookView(Path("runs/<x>"), tally, lambda html, text: drawn.append((html, text)), clock)


def test_it_shows_the_best_what_is_trained_and_what_has_failed(view, clock, drawn):
    view.phase("search", 4)
    view.finished(trial("0"), outcome([0.5, 0.75]))
    view.finished(trial("1"), failed(FailureReason.NAN, "loss became <nan>"))
    view.finished(trial("b", TrialKind.BASELINE, name="article"), outcome([0.7]))
    view.started(trial("2"))
    clock.pass_time(25.0)
    view.epoch(trial("2"), epoch(1))
    html, text = drawn[-1]
    for part in (
        "best val_accuracy 0.7500</b> by 0", "best baseline 0.7000", "1 failed", "loss became &lt;nan&gt;",
        "width:25.0%", "1 min 15 s left", "<code>2</code> epoch 1/", "runs/&lt;x&gt;", "<svg",
    ):  # fmt: skip
        assert part in html, part
    assert text == "search: 3 trials done, best val_accuracy 0.7500 by 0 (runs/<x>)"


def test_it_draws_at_most_once_a_second_and_at_the_end(view, clock, drawn):
    view.phase("search", None)
    for number in range(50):
        clock.pass_time(0.1)
        view.finished(trial(str(number)), outcome([0.5 + number / 100]))
    assert 5 <= len(drawn) <= 7
    view.close()
    assert "0.9900" in drawn[-1][0]


def test_it_goes_on_drawing_when_somebody_sets_the_clock_back(view, clock, drawn):
    view.phase("search", None)
    clock.set(-3600.0)
    clock.pass_time(2.0)
    view.finished(trial("0"), outcome([0.5]))
    assert len(drawn) == 2
    assert "width:0.0%" in drawn[-1][0]


def test_the_curve_is_short_whatever_the_night_and_ruins_do_not_press_it_flat():
    scores = [(0.1 if number % 9 == 0 else 0.8 + number / 50_000, 0.8 + number / 50_000) for number in range(5000)]
    drawing = curve(scores)
    assert len(drawing) < 60_000
    heights = [float(point.split(",")[1]) for point in drawing.split('points="')[1].split('"')[0].split()]
    assert max(heights) - min(heights) > 40
    assert curve(scores[:1]) == ""


def test_drawing_a_long_curve_reads_no_more_of_it_than_is_drawn():
    class Counted(list):
        read = 0

        def __getitem__(self, place):
            Counted.read += 1
            return super().__getitem__(place)

        def __iter__(self):
            Counted.read += len(self)
            return super().__iter__()

    assert curve(Counted([(0.5, 0.5), (0.6, 0.6)] * 50_000))
    assert Counted.read < 1_000


def test_this_is_no_notebook():
    assert not in_notebook()


SEARCH = """
import os; os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import nightshift as ns
from sklearn.datasets import load_digits
x, y = load_digits(return_X_y=True)
def build(hp):
    import keras
    model = keras.Sequential([keras.layers.Dense(hp.Int("units", 4, 8), activation="relu")])
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
small = {"training.epochs": 1, "search.algorithm": "random", "final.candidates": 1, "final.seeds": 0}
"""
RUN = 'run = ns.run(build, data=(x[:150], y[:150]), max_trials=2, overrides=small, run_dir="night", workers=0)\nrun'
INTERRUPT = """
import signal
from search.loop.observer import Observer
class Interrupt(Observer):
    def finished(self, trial, outcome):
        os.kill(os.getpid(), signal.SIGINT)
rows = x[:150], y[:150]
ns.run(build, data=rows, max_trials=2, overrides=small, run_dir="other", workers=0, observers=[Interrupt()])
"""


@pytest.mark.night
@pytest.mark.timeout(900)
def test_a_notebook_shows_one_view_the_run_its_table_and_its_report(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    sources = [SEARCH, RUN, "run.table()", "run.report(png=False)", "run.best_model().count_params()", INTERRUPT]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(
        book, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}, allow_errors=True
    )
    client.execute()
    _, run, table, report, count, interrupted = (cell.outputs for cell in book.cells)
    view, shown = (output.data["text/html"] for output in run if output.output_type != "stream")
    assert "2/2 trials" in view or "best val_accuracy" in view
    assert "build done: winner" in shown
    assert "<th>units</th>" in shown
    assert "<table" in table[-1].data["text/html"]
    assert report[-1].data["text/html"].startswith("<iframe srcdoc=")
    assert len(report[-1].data["text/html"]) < 3_000_000
    assert int(count[-1].data["text/plain"]) > 100
    error = next(output for output in interrupted if output.output_type == "error")
    assert error.ename == "KeyboardInterrupt"
    assert "nightshift.resume('other', build, data=...) goes on" in error.evalue
