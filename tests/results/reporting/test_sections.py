"""What single sections say, on runs whose answer is known."""

from __future__ import annotations

import math
import sqlite3
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.ranked.statistics import Interval
from results.reporting import files, others
from results.reporting.chart import Bars, Cells, Dots, Line, Panel, View
from results.reporting.comparison.columns import columns, marks_between
from results.reporting.compose import compose
from results.reporting.document import Code, Document, Mood, Pairs, RankedTable, Section, Table, Text
from results.reporting.draw.png import draw_view
from results.reporting.facts import Facts, read_facts
from results.reporting.sections.common import focus, hover
from results.reporting.sections.headline import headline
from results.reporting.sections.measured.finalists import real
from results.reporting.sections.reproduce import reproduce
from results.reporting.sections.searching.curves import fitting
from results.reporting.sections.searching.hyperparameters import hyperparameters
from results.reporting.sections.searching.rungs import rungs
from results.reporting.sections.searching.thinning import thinned
from results.reporting.sections.searching.tradeoff import pareto_front
from results.reporting.sections.time import time_spent
from results.reporting.words import number
from search.files import layout
from search.files.rundir import open_run
from search.files.store import RunReader, RunStore
from search.record.trial import Stop, TrialKind

MakeRun = Callable[..., Path]


def facts_of(run: Path) -> Facts:
    return read_facts(open_run(run), time.time())


def document_of(run: Path) -> Document:
    return compose(facts_of(run), open_run(run))


def chart_of(document: Document, key: str) -> Any:
    return next(item for s in document.sections for item in s.items if getattr(item, "key", "") == key)


def answer(run: Path, trial: str, right: np.ndarray, classes: int = 10) -> None:
    """Replaces a final model's predictions: right where it says so, else one class further."""
    file = run / layout.evaluation_file(trial)
    with np.load(file) as stored:
        labels, examples, index = stored["labels"], stored["examples"], stored["examples_index"]
    shown = np.where(right, labels, (labels + 1) % classes)
    predictions = np.full((len(labels), classes), 0.01, np.float32)
    predictions[np.arange(len(labels)), shown] = 0.91
    np.savez(file, predictions=predictions, labels=labels, examples=examples, examples_index=index)


def winner_of(run: Path) -> str:
    with RunReader(run) as reader:
        return str(reader.meta("winner"))


def test_a_run_from_python_names_no_command(make_run: MakeRun) -> None:
    section = reproduce(facts_of(make_run(meta={"command": []}, configurations=3)))
    assert str(getattr(section.items[0], "text", "")).startswith("It was begun from Python: the same call")
    assert not any(isinstance(item, Code) for item in section.items)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "again; with"),
        (["--run-dir=night"], "again, given another --run-dir; with"),
        (["--run-dir", "old", "--fork", "new"], "again, given another --fork; with"),
    ],
)
def test_a_command_that_names_its_run_has_to_name_another_one(make_run: MakeRun, options: list[str], told: str) -> None:
    run = make_run(meta={"command": ["run-search", "run", "digits", *options]}, configurations=3)
    assert told in str(getattr(reproduce(facts_of(run)).items[0], "text", ""))


@pytest.mark.parametrize(
    ("ahead", "behind", "mood", "words"),
    [
        (12, 2, Mood.GOOD, "real: alone right on 12 rows against 2, McNemar p = 0.013"),
        (8, 5, Mood.NOTE, "may be chance: alone right on 8 rows against 5, McNemar p = 0.58"),
        (1, 11, Mood.BAD, "really worse: alone right on 1 rows against 11, McNemar p = 0.0063"),
    ],
)
def test_versus_a_baseline(make_run: MakeRun, ahead: int, behind: int, mood: Mood, words: str) -> None:
    """The p-values are twice the tail of a binomial with 1/2: 2*106/2**14, 2*2380/2**13, 2*13/2**12."""
    run = make_run()
    mine, theirs = np.ones(200, bool), np.ones(200, bool)
    theirs[:ahead] = False
    mine[ahead : ahead + behind] = False
    answer(run, winner_of(run), mine)
    answer(run, "baseline-linear", theirs)
    found = document_of(run).headline.versus[0]
    assert (found.mood, found.verdict) == (mood, words)


def test_other_rows_are_not_compared(make_run: MakeRun) -> None:
    run = make_run()
    file = run / layout.evaluation_file("baseline-linear")
    with np.load(file) as stored:
        changed = {**stored, "labels": (stored["labels"] + 1) % 10}
    np.savez(file, **changed)
    assert document_of(run).headline.versus[0].verdict == "was measured on other rows"


def test_accuracy_is_shown_when_the_loss_has_ranked(make_run: MakeRun) -> None:
    run = make_run(meta={"objective": {"name": "val_loss", "direction": "min"}})
    headline = document_of(run).headline
    assert headline.label == "test accuracy"
    assert headline.interval
    assert headline.versus[0].difference.startswith("+")


def test_confusion_caption(make_run: MakeRun) -> None:
    run = make_run()
    right = np.ones(200, bool)
    with np.load(run / layout.evaluation_file(winner_of(run))) as stored:
        threes = np.flatnonzero(stored["labels"] == 3)
    right[threes[:4]] = False
    answer(run, winner_of(run), right)
    caption = chart_of(document_of(run), "confusion").caption
    assert caption == (
        "196 of 200 test rows are classified correctly; the most frequent mistake takes 3 for 4 (4 times)."
    )


def test_class_names_of_one_word_twice(make_run: MakeRun) -> None:
    cells = chart_of(document_of(make_run(class_names=("same",) * 10)), "confusion").views[0].panels[0].marks[0]
    assert len(set(cells.rows)) == 10


def test_one_output_is_the_probability_of_the_second_class(make_run: MakeRun) -> None:
    run = make_run(class_names=("no", "yes"))
    file = run / layout.evaluation_file(winner_of(run))
    labels = np.arange(200) % 2
    chance = np.where(np.arange(200) < 150, 0.2 + 0.6 * labels, 0.8 - 0.6 * labels).astype(np.float32)
    with np.load(file) as stored:
        np.savez(file, **{**stored, "labels": labels, "predictions": chance[:, None]})
    caption = chart_of(document_of(run), "confusion").caption
    assert caption.startswith("150 of 200 test rows are classified correctly")


def test_a_baseline_that_wins(make_run: MakeRun) -> None:
    run = make_run(score=lambda values: 0.5, candidates=0)
    with RunReader(run) as reader:
        trial = next(t for t in reader.trials() if t.id == winner_of(run))
    document = document_of(run)
    assert trial.configuration in document.headline.sentence
    facts = facts_of(run)
    won = replace(facts, winner=replace(trial, configuration="baseline-linear"))
    found = compose(won, open_run(run))
    assert "The winner is the baseline linear" in found.headline.sentence
    assert found.headline.versus == []


def test_ranked_table_agrees_with_the_table(make_run: MakeRun) -> None:
    from results.ranked.ranking import ranking

    run = make_run(failures=("nan",))
    item = next(i for s in document_of(run).sections for i in s.items if isinstance(i, RankedTable))
    names = [row.cells[list(item.columns).index("name")] for row in item.rows]
    assert names == [row["name"] for row in ranking(run).rows]
    kinds = {row.cells[1]: row.kind for row in item.rows}
    assert kinds["linear"] == "baseline"
    assert list(kinds.values()).count("winner") == 1
    assert "failed" in kinds.values()


def test_only_hyperbands_rungs_are_drawn_by_their_start(make_run: MakeRun) -> None:
    run = make_run(configurations=27)
    facts = facts_of(run)
    late = [replace(t, id=f"late-{t.id}", configuration=f"late-{t.id}", epochs_to=t.epochs_to + 1)
            for t in facts.trials if t.kind is TrialKind.SEARCH and t.parent is None]  # fmt: skip
    both = replace(facts, trials=(*facts.trials, *late))
    drawn = {
        algorithm: rungs(replace(both, meta={**both.meta, "algorithm": algorithm})).items[0].views[0].panels
        for algorithm in ("hyperband", "freeze-thaw")
    }
    assert len(drawn["hyperband"]) == 2
    (panel,) = drawn["freeze-thaw"]
    assert sum(sum(bars.values) for bars in panel.marks) == sum(t.kind is TrialKind.SEARCH for t in both.trials)


def test_the_table_says_why_where_the_oracle_gave_a_reason(make_run: MakeRun) -> None:
    def table(run: Path) -> RankedTable:
        return next(i for s in document_of(run).sections for i in s.items if isinstance(i, RankedTable))

    run = make_run()
    assert "why" not in table(run).columns
    with sqlite3.connect(run / "run.sqlite") as store:
        store.execute("UPDATE trial SET note = 'continuation: expected 0.9' WHERE kind = 'search'")
    told = table(run)
    assert told.columns[-1] == "why"
    assert {row.cells[-1] for row in told.rows if row.kind != "baseline"} == {"continuation: expected 0.9"}
    assert "why is the oracle's reason" in told.caption


def test_history_is_the_running_best(make_run: MakeRun) -> None:
    run = make_run(configurations=27, failures=("nan",))
    facts = facts_of(run)
    for view in chart_of(document_of(run), "history").views:
        line = next(m for m in view.panels[0].marks if isinstance(m, Line) and m.name == "best so far")
        assert list(line.y) == sorted(line.y)
        assert line.y[-1] == max(c.score or 0 for c in facts.searched)
        failed = next(m for m in view.panels[0].marks if isinstance(m, Dots) and m.name == "failed")
        assert len(failed.x) == 1


def test_rungs_count_every_configuration(make_run: MakeRun) -> None:
    run = make_run(configurations=27, failures=("nan", "nan"))
    section = rungs(facts_of(run))
    assert section is not None
    chart: Any = section.items[0]
    bars = [m for m in chart.views[0].panels[0].marks if isinstance(m, Bars)]
    first = {b.name: dict(zip(b.labels, b.values, strict=True)).get("1 epoch", 0) for b in bars}
    assert first == {"went on or reached the end": 9, "ended here": 18, "failed": 2}
    last = {b.name: dict(zip(b.labels, b.values, strict=True)).get("9 epochs", 0) for b in bars}
    assert last == {"went on or reached the end": 3, "ended here": 0, "failed": 0}
    # 29 start, 27 with one epoch; 9 train 2 more, 3 of them 6 more: 63 epochs instead of 29 * 9.
    assert "29 configurations started with 1 epoch and 3 reached all 9: 76 % fewer" in chart.caption


def test_many_lengths_share_bars_and_an_early_end_is_an_end(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=27))
    template = next(t for t in facts.trials if t.kind is TrialKind.SEARCH and t.parent is None)
    lengths = range(3, 28)
    fresh = [replace(template, id=f"new-{n}", configuration=f"new-{n}", epochs_to=n) for n in lengths]
    assert template.outcome is not None
    fresh[2] = replace(fresh[2], outcome=replace(template.outcome, stopped=Stop.EARLY_STOPPING))
    fresh.append(replace(fresh[0], id="later", parent="new-3", epochs_from=3, epochs_to=9))
    section = rungs(replace(facts, trials=tuple(fresh), meta={**facts.meta, "algorithm": "freeze-thaw"}))
    assert section is not None
    chart: Any = section.items[0]
    (panel,) = chart.views[0].panels
    assert panel.y.categories[:2] == ("3 to 4 epochs", "5 epochs")
    assert panel.y.categories[-1] == "27 epochs"
    assert len(panel.y.categories) <= 8
    counted = {bars.name: dict(zip(bars.labels, bars.values, strict=True)) for bars in panel.marks}
    assert sum(sum(bars.values()) for bars in counted.values()) == len(fresh)
    # One of length 3 went on, one of 5 stopped early, one had all 27.
    assert counted["went on or reached the end"] == {"3 to 4 epochs": 1, "5 epochs": 1, "27 epochs": 1}
    assert (
        "25 configurations started with 3 to 27 epochs and 2 went to the end, 1 of them by stopping early"
        in chart.caption
    )


def test_failures_are_grouped(make_run: MakeRun) -> None:
    document = document_of(make_run(failures=("nan", "nan", "error")))
    section = next(s for s in document.sections if s.key == "failures")
    chart, table = (item for item in section.items)
    assert isinstance(table, Table)
    bars: Any = chart.views[0].panels[0].marks[0]  # type: ignore[union-attr]
    assert dict(zip(bars.labels, bars.values, strict=True)) == {"nan": 2, "error": 1}
    assert [(row[0], row[1]) for row in table.rows] == [("nan", "2"), ("error", "1")]


def test_finalists(make_run: MakeRun) -> None:
    run = make_run(configurations=27, seeds=3)
    facts = facts_of(run)
    chart = chart_of(document_of(run), "finalists")
    panel = chart.views[0].panels[0]
    means = next(m for m in panel.marks if m.name == "mean over seeds")
    assert dict(zip(means.y, means.x, strict=True)) == {f.name: f.mean for f in facts.finalists if f.name != "linear"}
    # The synthetic baseline reaches 0.8, the finalists 0.97 within a hundredth.
    assert "linear" not in panel.y.categories
    assert "linear (0." in chart.caption
    assert "would lie far outside the picture" in chart.caption
    gaps = [f.optimism("max") or 0.0 for f in facts.finalists if f.name != "linear"]
    assert f"{abs(sum(gaps) / len(gaps)):.4f}" in chart.caption


def test_what_was_taken_over_took_no_time_here(make_run: MakeRun) -> None:
    run = make_run()
    facts = facts_of(run)
    before = time_spent(facts, open_run(run))
    taken = next(trial for trial in facts.trials if trial.kind is TrialKind.SEARCH)
    assert taken.outcome is not None
    with RunStore(run) as store:
        store.begin(replace(taken, id="old-0", configuration="old-0", kind=TrialKind.EVIDENCE))
        store.finish("old-0", taken.outcome, taken.started)
    again = facts_of(run)
    assert len(again.trials) == len(facts.trials) + 1
    assert again.epochs == facts.epochs
    assert time_spent(replace(again, now=facts.now), open_run(run)) == before


def test_time_may_have_been_too_short_for_all_seeds(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=9, seeds=2))
    first, *others = facts.finalists
    fewer = (first, *(replace(one, scores=one.scores[:1]) for one in others))
    section = real(replace(facts, finalists=fewer))
    assert section is not None
    assert "3 configurations trained again with 1 to 2 fresh seeds: " in section.items[1].caption  # type: ignore[union-attr]


def test_who_is_tied(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=27, seeds=3))
    first, second, third = (f for f in facts.finalists if f.name != "linear")

    def verdict(*tied: bool | None, seeds: int = 3) -> str:
        found = (first, replace(second, tied=tied[0]), replace(third, tied=tied[1], parameters=5))
        found = tuple(replace(f, scores=f.scores[:seeds]) for f in found)
        section = real(replace(facts, finalists=found))
        assert section is not None
        return section.items[0].text  # type: ignore[union-attr]

    assert verdict(False, False) == (
        f"{first.name} is ahead of all other finalists by more than the spread over seeds explains."
    )
    assert verdict(True, False).startswith(f"{second.name} cannot be told from {first.name}")
    assert verdict(True, True).startswith(f"{second.name} and {third.name} cannot be told from {first.name}")
    assert verdict(False, True).endswith(f"the smallest of them is {third.name} with 5 parameters.")
    assert "with one seed each nobody can say" in verdict(None, None, seeds=1)
    assert "the seeds of each finalist scored the same, which says nothing" in verdict(None, None)


def test_a_winner_without_the_best_mean_is_not_said_to_have_it(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=9, seeds=2))
    first, second, _ = facts.finalists
    behind = (replace(first, mean=0.5), replace(second, mean=0.6, tied=True))
    section = real(replace(facts, finalists=behind))
    assert section is not None
    assert f", though the best mean is that of {second.name};" in section.items[0].text  # type: ignore[union-attr]
    single = tuple(replace(f, tied=None, scores=f.scores[:1]) for f in behind)
    section = real(replace(facts, finalists=single))
    assert section is not None
    assert section.items[0].text.startswith(f"{second.name} has the best mean")  # type: ignore[union-attr]


def test_a_search_that_flattered_nobody_is_said_to(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=9, seeds=2))
    section = real(replace(facts, finalists=tuple(replace(f, search_score=f.mean) for f in facts.finalists)))
    assert section is not None
    assert "on average the configurations did as well as before" in section.items[1].caption  # type: ignore[union-attr]


def test_a_winner_without_a_test_part_is_not_called_the_best_of_the_search(make_run: MakeRun) -> None:
    facts = facts_of(make_run(evaluate=False))
    assert facts.winner is not None
    found = headline(facts)
    assert found.label == "val_accuracy of the winner in the search"
    assert found.sentence.startswith(
        f"The winner is configuration {facts.winner.configuration}, with a val_accuracy of "
    )
    assert "over 2 fresh seeds. There is no accuracy of its final model on rows kept back" in found.sentence


def test_of_hundreds_of_hyperparameters_dots_and_lines_tell_some(make_run: MakeRun) -> None:
    def many(_: int, rng: np.random.Generator) -> dict[str, float]:
        return {f"x{k}": float(rng.random()) for k in range(100)}

    facts = facts_of(make_run(promotions=False, epochs=1, values=many, baselines=()))
    told = hover(facts, facts.searched[0], "x99").splitlines()
    assert [line.split()[0] for line in told[3:]] == [*(f"x{k}" for k in range(29)), "x99", "and"]
    assert told[-1] == "and 70 more"
    assert told[2] == "1 epoch"
    lines: Any = hyperparameters(facts)[1].items[0]
    assert [axis.name for axis in lines.axes] == [*(f"x{k}" for k in range(60)), "val_accuracy"]
    assert "over 60 of 100 hyperparameters" in lines.caption


def test_one_hyperparameter_has_no_share_however_many_configurations(make_run: MakeRun) -> None:
    def told(configurations: int) -> str:
        def rate(i: int, _: np.random.Generator) -> dict[str, float]:
            return {"learning_rate": 1e-3 * (1 + i)}

        made = make_run(str(configurations), configurations=configurations, promotions=False, epochs=2, values=rate)
        return hyperparameters(facts_of(made))[0].items[0].text  # type: ignore[union-attr]

    assert told(10).startswith("Fewer than 20 configurations have a score")
    assert told(25) == "Importance is a share: it takes two hyperparameters or more that 20 configurations have."


@pytest.mark.parametrize(
    ("objective", "bounds"),
    [("val_f1", (0, 1)), ("val_mcc", (-1, 1)), ("val_mae", (0, math.inf)), ("val_r2", (-math.inf, 1))],
)
def test_intervals_end_where_their_metric_does(make_run: MakeRun, objective: str, bounds: tuple[float, float]) -> None:
    facts = replace(facts_of(make_run(configurations=9, seeds=2)), objective=objective)
    wide = tuple(replace(f, interval=Interval(-3.0, 4.0)) for f in facts.finalists)
    section = real(replace(facts, finalists=wide))
    assert section is not None
    table = next(item for item in section.items if isinstance(item, Table))
    assert table.rows[0][4] == f"{number(max(-3.0, bounds[0]))} to {number(min(4.0, bounds[1]))}"


def test_names_in_letters_that_no_font_has_are_drawn_without_a_warning() -> None:
    names = ("\u57fa\u6e96", "\U00012345")
    panel = Panel([Cells(names, names, [[1, 0], [0, 1]], [["1", ""]] * 2, [["", ""]] * 2)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw_view(View((panel,), height=300)).startswith(b"\x89PNG")


def test_a_final_training_in_two_parts_took_as_long_as_both(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=27))
    last = facts.winner
    assert last is not None
    assert last.outcome is not None
    before = replace(last, id="before", outcome=replace(last.outcome, seconds=1000.0))
    both = replace(facts, winner=replace(last, parent="before"), trials=(*facts.trials, before))
    assert facts.winner_seconds == last.outcome.seconds
    assert both.winner_seconds == pytest.approx(1000.0 + last.outcome.seconds)


def test_what_stands_for_a_final_training_is_not_called_one(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=3, promotions=False, epochs=4))
    assert dict(headline(facts).facts)["final training"].startswith("4 epochs, ")
    stands_in = next(trial for trial in facts.trials if trial.kind is TrialKind.SEARCH)
    told = dict(headline(replace(facts, winner=stands_in)).facts)
    assert told["training"].startswith("4 epochs, ")
    assert "final training" not in told


def test_a_gap_is_one_between_training_and_validation_rows_whatever_is_the_objective(make_run: MakeRun) -> None:
    section = fitting(facts_of(make_run(meta={"objective": {"name": "loss", "direction": "min"}})))
    assert section is not None
    # The validation loss of these runs is 0.05 above the other one.
    caption = section.items[0].caption  # type: ignore[union-attr]
    assert caption.endswith("a gap of +0.0500.")


def test_fitting_says_what_the_curve_says(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=27))
    leader = facts.leader
    assert leader is not None
    best = next(e for e in leader.epochs if e.number == leader.best_epoch)
    section = fitting(facts)
    assert section is not None
    caption = section.items[0].caption  # type: ignore[union-attr]
    assert f"accuracy {best.metrics['accuracy']:.4f} on training rows" in caption
    assert f"{best.metrics['val_accuracy']:.4f} on validation rows" in caption
    last = leader.epochs[-1].number
    assert ("longer training may help" in caption) is (best.number == last)


def test_time_adds_up(make_run: MakeRun) -> None:
    run = make_run(failures=("nan",))
    facts = facts_of(run)
    for view in chart_of(document_of(run), "time").views:
        bars = [m for m in view.panels[0].marks if isinstance(m, Bars)]
        unit = 60.0 if view.panels[0].x.title == "minutes" else 1.0
        assert sum(sum(b.values) for b in bars) * unit == pytest.approx(facts.clock.total, rel=0.02)


def test_pareto_front(make_run: MakeRun) -> None:
    facts = facts_of(make_run(configurations=40))
    front = pareto_front(facts, list(facts.scored))
    for one in facts.scored:
        beaten = [
            f for f in front if (f.parameters or 0) <= (one.parameters or 0) and (f.score or 0) >= (one.score or 0)
        ]
        assert beaten, one.name
    sizes = [f.parameters or 0 for f in front]
    assert sizes == sorted(set(sizes))


def test_columns_know_the_space(make_run: MakeRun) -> None:
    found = {column.name: column for column in columns(facts_of(make_run(configurations=30)))}
    assert list(found)[:4] == ["layers", "units_0", "units_1", "units_2"]
    rate = found["learning_rate"]
    assert (rate.log, rate.low, rate.high) == (True, 1e-4, 1e-1)
    assert rate.position(1e-4) == 0
    assert rate.position(10**-2.5) == pytest.approx(0.5)
    assert rate.position(5.0) == 1
    assert found["optimizer"].categories == ("adam", "sgd")
    assert found["layers"].whole
    assert [text for _, text in found["layers"].ticks()] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("low", "high", "options", "expected"),
    [
        (0.0, 0.5, {}, [0, 0.2, 0.4, 0.5]),
        (16.0, 128.0, {}, [16, 50, 100, 128]),
        (1.0, 3.0, {"whole": True}, [1, 2, 3]),
        (5e-4, 0.1, {"log": True}, [5e-4, 1e-3, 1e-2, 0.1]),
    ],
)
def test_marks_between(low: float, high: float, options: dict[str, bool], expected: list[float]) -> None:
    assert marks_between(low, high, **options) == pytest.approx(expected)


def test_focus_leaves_out_a_long_tail_only() -> None:
    assert focus([0.9, 0.91, 0.92, 0.89], True) is None
    span = focus([0.9, 0.91, 0.92, 0.89, 0.1], True)
    assert span is not None
    assert 0.1 < span[0] < 0.89
    assert span[1] > 0.92
    span = focus([0.5, 0.4, 0.45, 90.0], False, always=[1.0])
    assert span is not None
    assert span[0] < 0.4
    assert 1.0 < span[1] < 90


def test_thinning_keeps_the_best_and_its_number() -> None:
    many: Any = list(range(1000))
    few = thinned(many, 100)
    assert len(few) == len(set(few)) == 100
    assert few[:50] == many[:50]
    assert few[-1] > 980
    assert thinned(many, 2000) == many


def test_a_chart_that_cannot_be_drawn_costs_only_its_picture(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = document_of(make_run(configurations=3))
    chart = chart_of(document, "history")
    drawn = {"bad": b""}

    def draw(view: Any) -> bytes:
        if not drawn:
            return b"picture"
        drawn.clear()
        raise ValueError("no such colour")

    monkeypatch.setattr(files, "draw_view", draw)
    sections = [Section(name, name, [replace(chart, key=name)]) for name in ("bad", "good")]
    with pytest.warns(UserWarning, match="bad has no picture: ValueError: no such colour"):
        found = dict(files.pictures(replace(document, sections=sections)))
    assert list(found) == ["good"]


class _Declared(dict[str, Callable[[Facts], Section]]):
    """Sections that packages declare, each under a name."""

    def __init__(self, **sections: Section) -> None:
        super().__init__({name: lambda facts, found=found: found for name, found in sections.items()})

    def names(self) -> tuple[str, ...]:
        return tuple(self)


def test_a_section_of_a_package_stands_in_the_place_of_nothing_else(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(configurations=3)
    chart = chart_of(document_of(run), "history")
    own = replace(chart, key="fits")

    added = _Declared(
        fits=Section("fits", "Fits", [own]),
        anchor=Section("ranking", "Anchor", [Text("x")]),
        page=Section("page-data", "Page", [Text("x")]),
        table=Section("table", "Table", [RankedTable((), (), "")]),
        chart=Section("chart", "Chart", [chart]),
        file=Section("file", "File", [replace(chart, key="a/b")]),
        again=Section("again", "Again", [own]),
    )
    monkeypatch.setattr(others, "_SECTIONS", added)
    found = document_of(run).sections
    told = {section.key: section.items[0].text for section in found if section.key.startswith("other-")}
    assert list(told) == [f"other-{name}" for name in added if name != "fits"]
    assert "its key 'ranking' is that of another section" in told["other-anchor"]
    assert "its key 'page-data' is that of another section" in told["other-page"]
    assert "a RankedTable, of which a report has one" in told["other-table"]
    assert "the key 'history' of its chart is that of another chart" in told["other-chart"]
    assert "the key 'a/b' of its chart names files, and it has a path separator" in told["other-file"]
    assert "the key 'fits' of its chart is that of another chart" in told["other-again"]
    assert [section.key for section in found][-1] == "reproduce"


@pytest.mark.parametrize(
    "items",
    [
        iter([Text("once")]),
        [Table(["trial"], iter([["0001"]]), [True])],
        [Pairs(zip(["trial"], ["0001"], strict=True))],
    ],
)
def test_a_section_that_can_be_read_once_only_is_told(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, items: Any
) -> None:
    monkeypatch.setattr(others, "_SECTIONS", _Declared(once=Section("once", "Once", items)))
    (found,) = [one for one in document_of(make_run(configurations=3)).sections if one.title == "once"]
    assert "can be gone through once only" in found.items[0].text
