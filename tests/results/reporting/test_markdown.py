"""The report as Markdown with pictures, for every kind of run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from results.reporting import report
from results.reporting.write.markdown import escape
from search.errors import RunError
from search.files import layout
from search.files.store import RunReader

MakeRun = Callable[..., Path]
PNG = b"\x89PNG\r\n\x1a\n"


def read(run: Path, png: bool = False) -> str:
    report(run, png=png)
    return (run / "report" / "report.md").read_text(encoding="utf-8")


def test_whole_report(make_run: MakeRun) -> None:
    run = make_run(configurations=27, failures=("nan", "error"), seeds=3)
    text = read(run, png=True)
    headings = re.findall("^## (.+)$", text, re.M)
    for heading in ("Is the winner real?", "Search history", "Ranked table", "Learning curves", "Rungs",
                    "The final model on the test rows", "Failures", "How to reproduce it"):  # fmt: skip
        assert heading in headings
    for words in (
        "F1",
        "McNemar p",
        "95 % interval",
        "run-search run digits",
        "tensorflow 2.21.0",
        "seed of the search: 7",
    ):
        assert words in text
    pictures = re.findall(r"\]\(([\w-]+\.png)\)", text)
    assert {
        "history-by-time.png",
        "curves-accuracy.png",
        "confusion.png",
        "mistakes.png",
        "examples.png",
    } <= set(pictures)
    for name in pictures:
        assert (run / "report" / name).read_bytes().startswith(PNG)


def test_numbers_are_those_of_the_store(make_run: MakeRun) -> None:
    run = make_run()
    text = read(run)
    with RunReader(run) as reader:
        winner = reader.meta("winner")
        test = next(e for e in reader.evaluations() if e.trial == winner)
    assert f"**test accuracy: {test.metrics['accuracy']:.4f}**" in text
    right = round(test.metrics["accuracy"] * test.rows)
    assert f"{right} of {test.rows} test rows are classified correctly" in text


def test_regression_has_residuals(make_run: MakeRun) -> None:
    run = make_run(task="regression")
    text = read(run, png=True)
    assert "residuals.png" in text
    assert "confusion.png" not in text
    assert "examples.png" not in text
    assert "of the variance is explained" in text


def test_one_trial_without_anything_else(make_run: MakeRun) -> None:
    text = read(make_run(configurations=1, promotions=False, baselines=(), candidates=0, winner=False, evaluate=False))
    assert "Configuration 0000 leads after 9 epochs" in text
    assert "The final model" not in text
    assert "Is the winner real?" not in text
    assert "1 configuration, ranked by" in text


def test_only_failures(make_run: MakeRun) -> None:
    text = read(
        make_run(configurations=0, failures=("nan", "out of memory"), baselines=(), winner=False, evaluate=False)
    )
    assert "**result: No usable configuration**" in text
    assert "2 trials of 2 (100 %) failed" in text


def test_running(make_run: MakeRun) -> None:
    text = read(make_run(running=True))
    assert "This run is not finished (13 of about 30 trials done)." in text
    assert text.startswith("# digits\n\nrunning ·")
    assert "Everything below is as of" in text
    assert "best val\\_accuracy so far" in text or "best val_accuracy so far" in text


def test_nothing_yet(make_run: MakeRun) -> None:
    text = read(make_run(configurations=0, baselines=(), running=True))
    assert "Nothing has finished yet" in text


def test_interrupted_before_the_final_stage(make_run: MakeRun) -> None:
    text = read(make_run(running=True, meta={"exit": "interrupted"}))
    assert text.startswith("# digits\n\ninterrupted ·")
    assert "Nobody is working on it; \\`run-search resume" in text


def test_cut_off(make_run: MakeRun) -> None:
    run = make_run(running=True)
    (run / layout.LOCK).unlink(missing_ok=True)
    text = read(run)
    assert text.startswith("# digits\n\ncut off ·")
    assert "Nobody is working on it" in text


def test_without_test_part(make_run: MakeRun) -> None:
    text = read(make_run(test_part="validation"))
    assert "**validation accuracy: " in text
    assert "that nothing before had seen" not in text


def test_lost_predictions_take_their_section_only(make_run: MakeRun) -> None:
    run = make_run()
    for file in (run / layout.EVALUATION).glob("winner-*.npz"):
        file.write_bytes(b"torn")
    text = read(run)
    assert "test accuracy" in text
    assert "classified correctly" not in text


def test_lost_space_file(make_run: MakeRun) -> None:
    run = make_run()
    (run / layout.SPACE).unlink()
    assert "Ranked table" in read(run)


def test_strange_names_are_shown_as_they_are(make_run: MakeRun) -> None:
    evil = "<script>alert(1)</script> | `x` [a](http://b.example)"
    # A baseline names files, so its name has no slash.
    text = read(make_run(baselines=(evil.replace("/", ""),), class_names=(evil, *"123456789")))
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(http", text)
    assert escape(evil) in text


def test_second_report_replaces_the_first_and_only_reads(make_run: MakeRun) -> None:
    run = make_run()
    first = read(run)
    before = (run / layout.STORE).read_bytes()
    assert read(run) == first
    assert (run / layout.STORE).read_bytes() == before
    assert not [p for p in (run / "report").iterdir() if p.name.startswith(".")]


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        report(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", "a\\|b"),
        ("two\nlines", "two lines"),
        ("<b>&amp;", "&lt;b>&amp;amp;"),
        ("val_accuracy", "val_accuracy"),
        ("_x_", "\\_x\\_"),
        ("# title", "\\# title"),
        ("+0.1", "+0.1"),
        ("![x](y)", "!\\[x\\](y)"),
        ("https://x.example", "https&#58;//x.example"),
    ],
)
def test_escape(text: str, expected: str) -> None:
    assert escape(text) == expected


UNDERSTOOD = {
    "columns": [], "notes": [],
    "guess": {"what": "the mean", "scores": {"test": {"mae": 81234.0, "mse": 1e10, "rmse": 1e5, "r2": 0.0}}},
}  # fmt: skip


def test_predicting_the_mean_and_another_method_stand_beside_the_final_model(make_run: MakeRun) -> None:
    plain = make_run(task="regression")
    with RunReader(plain) as reader:
        data, metric = reader.meta("data"), reader.meta("objective")["name"].removeprefix("val_")
    meta = {
        "data": {**data, "understood": UNDERSTOOD},
        "reference": {"name": "gradient boosting", "scores": {"test": {metric: 0.8712}}},
    }
    told = read(make_run(folder="told", task="regression", meta=meta))
    assert "predicting the mean for every row has 81234" in told.replace(",", "")
    assert "(R² " in told
    assert "gradient boosting 0.8712 on the test rows" in told
    before = read(plain)
    assert "predicting the mean" not in before
    assert "gradient boosting" not in before
