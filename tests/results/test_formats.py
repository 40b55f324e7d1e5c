"""Tables for other programs and on terminals."""

import csv
import io
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

import results
from results.errors import ResultError
from results.ranked.formats import csv_text, json_text, markdown_escape, markdown_text, write
from results.ranked.ranking import ranking
from results.ranked.tables import Table
from results.ranked.terminal import show
from results.tracking.tracked import tracked
from search.errors import DiskError
from search.files.rundir import Run

MakeRun = Callable[..., Path]

HOSTILE = Table(
    ("name", "x"),
    (
        {"name": "=cmd|' /C calc'!A0", "x": -1.5},
        {"name": "a|b\n<script>[x](y)`", "x": None},
        {"name": "\x1b[2J[red]bold", "x": True},
    ),
)


def printed(table: Table, width: int = 80) -> str:
    stream = io.StringIO()
    show(table, Console(file=stream, width=width, color_system=None))
    return stream.getvalue()


def test_csv_keeps_full_precision_and_defuses_formulas(make_run: MakeRun) -> None:
    table = ranking(make_run())
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    assert [float(row["score"]) for row in rows] == [row["score"] for row in table.rows]
    assert rows[3]["retrained"] == ""
    found = list(csv.reader(io.StringIO(csv_text(HOSTILE))))
    assert found[1] == ["'=cmd|' /C calc'!A0", "-1.5"]
    assert found[2:] == [["a|b\n<script>[x](y)`", ""], ["\x1b[2J[red]bold", "true"]]
    for start in "+-@\t\r":
        text = csv_text(Table(("n",), ({"n": f"{start}1+1"},)))
        assert next(csv.reader(io.StringIO(text.split("\r\n", 1)[1], newline=""))) == [f"'{start}1+1"]


def test_a_run_whose_folder_is_no_text_is_named_with_an_escape(make_run: MakeRun) -> None:
    small = {"configurations": 3, "epochs": 3, "candidates": 1}
    run, other = make_run("caf\udce9", meta={"name": ""}, **small), make_run(**small)
    texts = [csv_text(ranking([run, other])), json_text(ranking([run, other])), tracked(Run(run))[0].name]
    texts += [results.report(run, png=False).read_text(encoding="utf-8"), Run(run)._repr_html_()]
    for text in texts:
        assert "\\udce9" in text
        text.encode()


@pytest.mark.parametrize("name", ["-1", "+1", "-0.5"])
def test_a_class_that_is_a_number_keeps_its_name_in_csv(name: str) -> None:
    assert csv_text(Table(("label",), ({"label": name},))) == f"label\r\n{name}\r\n"


def test_json_is_a_list_of_objects_without_nan(make_run: MakeRun) -> None:
    table = ranking(make_run(failures=["nan"]))
    found = json.loads(json_text(table), parse_constant=lambda word: pytest.fail(word))
    assert found == [dict(row) for row in table.rows]
    assert found[-1]["score"] is None


def test_json_is_whole_on_an_output_that_lacks_signs() -> None:
    names = ["größe", "文字", "😀", "a\x9bb"]
    text = json_text(Table(("name",), tuple({"name": name} for name in names)))
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    output.write(text)
    output.flush()
    assert [row["name"] for row in json.loads(output.buffer.getvalue())] == names  # type: ignore[attr-defined]


def test_markdown_escapes_what_would_be_markup() -> None:
    lines = markdown_text(HOSTILE).splitlines()
    assert lines[:2] == ["| name | x |", "| --- | ---: |"]
    assert lines[3] == r"| a\|b &lt;script&gt;\[x\](y)\` |  |"
    assert len(lines) == 5
    told = {"_a_": r"\_a\_", "val_loss": "val_loss", "~~b~~ $1$": r"\~\~b\~\~ \$1\$", "www.c": "www&#46;c", "-1": "-1"}
    assert {text: markdown_escape(text) for text in told} == told


def test_whole_numbers_beyond_64_bits_keep_all_their_digits(make_run: MakeRun, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run = make_run(values=lambda i, rng: {"seed": 2**64 - i})
    table = ranking(run)
    seeds = [row["seed"] for row in table.rows]
    assert None in seeds, "a baseline has none"
    write(table, Console(file=io.StringIO()), output=tmp_path / "t.parquet")
    found = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["seed"] for row in found] == [None if seed is None else str(seed) for seed in seeds]
    assert results.table(run)["seed"].tolist() == seeds


def test_parquet_round_trip(make_run: MakeRun, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = ranking(make_run(values=lambda i, rng: {"mixed": "x" if i % 2 else i, "number": 0.5 if i % 2 else 1}))
    write(table, Console(file=io.StringIO()), output=tmp_path / "t.parquet")
    found = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["score"] for row in found] == [row["score"] for row in table.rows]
    assert {type(row["mixed"]) for row in found} <= {str, type(None)}
    assert {type(row["number"]) for row in found} <= {float, type(None)}


def test_format_follows_the_suffix_and_the_option(make_run: MakeRun, tmp_path: Path) -> None:
    table = ranking(make_run()).select(top=2)
    console = Console(file=io.StringIO())
    for name, start in (("t.csv", "rank,name"), ("t.json", "["), ("t.md", "| rank |"), ("t.txt", "rank  name")):
        write(table, console, output=tmp_path / name)
        assert any(line.startswith(start) for line in (tmp_path / name).read_text(encoding="utf-8").splitlines())
    write(table, console, format="json", output=tmp_path / "data")
    assert len(json.loads((tmp_path / "data").read_text(encoding="utf-8"))) == 2
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"t.csv", "t.json", "t.md", "t.txt", "data"}
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


def test_data_on_the_console_is_not_wrapped_or_marked_up() -> None:
    stream = io.StringIO()
    write(HOSTILE, Console(file=stream, width=10), format="csv")
    assert stream.getvalue() == csv_text(HOSTILE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "xml"}, "--format xml: must be one of rich, csv"),
        ({"format": "parquet"}, "parquet is binary: give a file"),
        ({"output": Path("t.xls")}, "t.xls: no format has this suffix"),
        ({"output": Path("/nowhere/at/all/t.csv")}, "/nowhere/at/all/t.csv: cannot be written"),
    ],
)
def test_mistaken_destinations(options: dict[str, object], message: str) -> None:
    with pytest.raises(ResultError, match=message):
        write(HOSTILE, Console(file=io.StringIO()), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["csv", "json", "markdown", "rich", "parquet"])
def test_a_pipe_and_a_link_are_written_into(tmp_path: Path, format: str) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow.parquet")
    table = Table(("name", "x"), ({"name": "a", "x": 1.5},))
    plain, pipe, link = tmp_path / "plain", tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("target")
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for output in (plain, pipe, link):
        write(table, Console(file=io.StringIO()), format, output)
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert os.read(reading, 10_000) == plain.read_bytes() == (tmp_path / "target").read_bytes() != b""
    os.close(reading)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "t.csv").symlink_to("/dev/full")
    with pytest.raises(DiskError, match=r"t.csv: cannot be written \(No space left on device\)"):
        write(HOSTILE, Console(file=io.StringIO()), output=tmp_path / "t.csv")


@pytest.mark.parametrize("width", [40, 80, 140, 240])
def test_terminal_lines_fit(make_run: MakeRun, width: int) -> None:
    table = ranking(make_run(failures=["out of memory"], baselines=("article-mlp-500-250-100",)))
    text = printed(table, width)
    assert all(len(line) <= width for line in text.splitlines())
    if width >= 80:
        assert "* article-mlp-500-250-100" in text
        assert "out of memory" in text
    # Only a message, the last to find room, is ever cut.
    assert ("\u2026" in text) is (width == 240)
    assert ("no room for" in text) is (width < 240)


def test_names_of_wide_signs_are_shown_whole() -> None:
    row = {"rank": 1, "name": "\u57fa\u6e96\u30e2\u30c7\u30eb", "score": 0.9}
    text = printed(Table(tuple(row), (row,)))
    assert row["name"] in text
    assert "\u2026" not in text


@pytest.mark.parametrize("width", [80, 118, 160, 200])
def test_long_reasons_squeeze_no_other_column(make_run: MakeRun, width: int) -> None:
    run = make_run()
    with sqlite3.connect(run / "run.sqlite") as store:
        reason = "because of what takes far more than forty letters to say"
        store.execute("UPDATE trial SET note = id || ? WHERE kind = 'search'", (f" {reason}",))
    header, *rows = printed(ranking(run), width).splitlines()
    assert "retrained" in header or "retrained" in rows[0]
    shortened = {word for word in " ".join([header, *rows]).split() if word.endswith("\u2026")}
    assert len(shortened) <= 1, "only the reason is ever cut"
    assert all(len(line) <= width for line in [header, *rows])


def test_terminal_names_what_it_leaves_out(make_run: MakeRun) -> None:
    table = ranking(make_run())
    text = " ".join(printed(table, 80).split())
    left_out = text.split("no room for ")[1].split(":")[0].split(", ")
    header = text.split(" 1 ")[0]
    assert "momentum" in left_out
    assert not set(left_out) & set(header.split())


def test_what_finds_no_room_can_be_picked_by_its_name(make_run: MakeRun) -> None:
    table = ranking(make_run())
    text = " ".join(printed(table, 60).split())
    left_out = text.split("no room for ")[1].split(":")[0].split(", ")
    assert "units" in left_out
    assert {"units_0", "units_1"} < set(table.select(columns=left_out).columns)


@pytest.mark.parametrize("columns", ["name,score", "score"])
def test_terminal_says_who_won_whatever_columns_are_picked(make_run: MakeRun, columns: str) -> None:
    table = ranking(make_run())
    text = printed(table.select(where="score < 0", columns=columns, finalists=True))
    assert "winner: 0002" in text
    assert "tied with the winner: 0006" in text
    assert text.split()[: len(columns.split(","))] == columns.split(",")
    assert "* linear" not in text
    everything = printed(table.select(columns="name,score"))
    assert "* linear" in everything
    assert "* baseline" in everything


def test_what_is_picked_is_all_that_other_programs_get(make_run: MakeRun) -> None:
    picked = ranking(make_run()).select(columns="name,score", top=1)
    assert csv_text(picked).splitlines() == ["name,score", csv_text(picked).splitlines()[1]]
    assert [list(row) for row in json.loads(json_text(picked))] == [["name", "score"]]
    assert markdown_text(picked).startswith("| name | score |")


def test_terminal_says_who_won_and_who_is_tied(make_run: MakeRun) -> None:
    text = printed(ranking(make_run()))
    assert "winner: 0002" in text
    assert "tied with the winner: 0006" in text


def test_a_baseline_that_wins_is_called_one() -> None:
    row = {"rank": 1, "name": "article", "score": 0.9, "kind": "baseline", "verdict": "winner"}
    text = printed(Table(tuple(row), (row,)))
    assert "winner: article, a baseline of the space file" in text
    text = printed(Table(tuple(row), ({**row, "kind": "search"},)))
    assert "winner: article\n" in text


def test_picked_columns_are_all_shown(make_run: MakeRun) -> None:
    table = ranking(make_run(configurations=3))
    text = printed(table.select(columns=["name", "units_0", "verdict", "kind", "status"]), 60)
    assert text.split()[:5] == ["name", "units_0", "verdict", "kind", "status"]
    assert "completed" in text
    assert "no room" not in text


def test_terminal_shows_strangers_text_as_it_is() -> None:
    text = printed(HOSTILE, 100)
    assert "\x1b" not in text
    assert "[red]bold" in text
    assert "a|b <script>" in text


def test_empty_table() -> None:
    assert printed(Table(("a",), ())) == "no rows\n"
    assert json_text(Table(("a",), ())) == "[]\n"
    assert csv_text(Table(("a",), ())) == "a\r\n"
