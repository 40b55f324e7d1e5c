"""The page as text: complete, self-contained, and deaf to what a run's names say."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.reporting import report
from results.reporting.chart import Axis, Bars, Dots, Panel, Tone, View
from results.reporting.draw.plotly import figures, plotly_text
from results.reporting.facts import read_facts
from results.reporting.pixels import shrunk, to_pixels, to_png
from results.reporting.sections.measured.exported import links
from search.files.rundir import Run

MakeRun = Callable[..., Path]
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def page(run: Path) -> str:
    return report(run, png=False).read_text(encoding="utf-8")


def data(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', text, re.S)
    assert found is not None
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


def without_scripts(text: str) -> str:
    return re.sub(r"<script\b.*?</script>", "", text, flags=re.S)


def test_everything_is_there(make_run: MakeRun) -> None:
    text = page(make_run(configurations=30, failures=("nan",)))
    keys = re.findall(r'<section id="([a-z]+)"', text)
    assert keys == ["result", "real", "history", "ranking", "curves", "importance", "parallel", "slices", "tradeoff",
                    "rungs", "test", "fitting", "failures", "time", *(["advice"] if "advice" in keys else []),
                    "reproduce"]  # fmt: skip
    found = data(text)
    assert set(found["charts"]) == {"finalists", "history", "curves", "importance", "slices", "tradeoff", "rungs",
                                    "confusion", "precision-recall", "fitting", "failures", "time"}  # fmt: skip
    assert len(found["tables"]["ranking"]["rows"]) == 32
    for views in found["charts"].values():
        for view in views:
            for panel in view["panels"]:
                assert panel["data"]


def test_figures_are_valid_for_plotly(make_run: MakeRun) -> None:
    objects = pytest.importorskip("plotly.graph_objects")
    for options in ({"configurations": 30, "failures": ("nan",)}, {"task": "regression"}):
        for views in data(page(make_run(options.get("task", "classes"), **options)))["charts"].values():
            for panel in [panel for view in views for panel in view["panels"]]:
                # Colours stand for tones here; the page puts in real ones.
                text = re.sub(r'"@\w+"', '"#123456"', json.dumps(panel))
                objects.Figure(**{key: json.loads(text)[key] for key in ("data", "layout")})


def test_nothing_is_fetched_and_only_its_own_scripts_run(make_run: MakeRun) -> None:
    text = page(make_run())
    outside = without_scripts(text)
    assert not re.search(r'(src|href)="(?!#|data:|\.\./export/)', outside)
    assert "@import" not in outside
    assert "url(" not in outside
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    digests = re.findall(r"sha256-([\w+/=]+)", policy[1].replace("&#x27;", "'"))
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    assert digests == [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert "default-src 'none'" in policy[1].replace("&#x27;", "'")
    assert "unsafe-eval" not in policy[1]


def test_names_and_messages_are_only_text(make_run: MakeRun) -> None:
    run = make_run(
        baselines=("<b onclick=x>",),
        failures=("error",),
        class_names=(EVIL, *"123456789"),
        meta={"name": EVIL, "command": ["run-search", EVIL], "git": {"commit": EVIL, "dirty": True}, "algorithm": EVIL},
    )
    text = page(run)
    for tag in ("<script>alert", "<img src=x", "<b onclick", "<b>[red]"):
        assert tag not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in without_scripts(text)
    # What Plotly gets is escaped for its own markup as well.
    for views in data(text)["charts"].values():
        assert "<img" not in json.dumps([panel["data"] for view in views for panel in view["panels"]])


def test_plotly_text() -> None:
    assert plotly_text("a<b>&amp;\nc") == "a&lt;b&gt;&amp;amp;<br>c"


def test_long_names_that_differ_at_their_ends_are_told_apart() -> None:
    files = tuple(f"/home/me/backbones/efficientnet-lite0-v{number}.keras" for number in (1, 2))
    choice = Panel([Dots(files, [0.5, 0.6], Tone.SOFT)], Axis(categories=files))
    bars = [Bars([file], [0.5], Tone.SOFT) for file in files]
    importance = Panel(bars, y=Axis(categories=files))
    of_choice, of_importance = figures(View((choice, importance)))
    order = of_choice["layout"]["xaxis"]["categoryarray"]
    assert order == of_choice["data"][0]["x"] == of_importance["layout"]["yaxis"]["categoryarray"]
    assert order == [trace["y"][0] for trace in of_importance["data"]]
    assert len(set(order)) == 2
    assert max(map(len, order)) <= 34


def test_every_caption_is_there_in_both_formats(make_run: MakeRun) -> None:
    run = make_run(configurations=30, failures=("nan",))
    text = re.sub(r'<div class="pictures">.*?</div>', "", page(run))
    captions = re.findall(r"<figcaption>([^<]+)</figcaption>", text)
    markdown = (run / "report" / "report.md").read_text(encoding="utf-8")
    assert len(captions) >= 12
    for caption in captions:
        assert html.unescape(caption) in html.unescape(markdown).replace("\\", "")


@pytest.mark.parametrize(
    "options",
    [
        {
            "configurations": 1,
            "promotions": False,
            "baselines": (),
            "candidates": 0,
            "winner": False,
            "evaluate": False,
        },
        {"configurations": 0, "failures": ("nan", "error"), "baselines": (), "winner": False, "evaluate": False},
        {"configurations": 0, "baselines": (), "running": True},
        {"running": True},
        {"task": "regression"},
        {"test_part": "validation"},
        {"candidates": 1, "seeds": 1},
    ],
    ids=["one trial", "only failures", "nothing yet", "running", "regression", "no test part", "one seed"],
)
def test_unusual_runs(make_run: MakeRun, options: dict[str, Any]) -> None:
    text = page(make_run(**options))
    assert '<section id="result"' in text
    assert '<section id="reproduce"' in text
    for word in (">None", "None<", "nan ", " nan", "inf<"):
        assert word not in re.sub(r"<td>nan</td>|failure: nan ", "", without_scripts(text))
    data(text)


def test_next_space_is_valid(make_run: MakeRun) -> None:
    import spaces

    run = make_run(configurations=40)
    page(run)
    assert spaces.load(run / "report" / "next.yaml").name == "digits-next"


def test_links_to_exported_files(make_run: MakeRun) -> None:
    run = make_run()
    (run / "export").mkdir()
    (run / "export" / "model.keras").write_bytes(b"x" * 1_200_000)
    text = page(run)
    assert '<a class="button" href="../export/model.keras">Keras<small>1.2 MB</small></a>' in text


@pytest.mark.parametrize("winner", [True, False])
def test_exported_files_of_another_model_are_told_as_that(make_run: MakeRun, winner: bool) -> None:
    run = make_run(winner=winner)
    (run / "export").mkdir()
    (run / "export" / "model.keras").write_bytes(b"x" * 1_200_000)
    facts = read_facts(Run(run), 0.0)
    assert facts.leader is not None
    mine = {"trial": facts.winner.id if facts.winner else "", "configuration": facts.leader.id}
    for exported, whose in ((mine, ""), ({**mine, "trial": "7\x1b", "configuration": "7"}, ", of trial 7\ufffd")):
        (run / "export" / "metadata.json").write_text(json.dumps({"run": exported}))
        assert links(facts)[0].detail == f"1.2 MB{whose}"


def test_five_thousand_configurations(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from search.files.store import RunStore

    connect = RunStore._connect

    def careless(self: RunStore) -> Any:
        connection = connect(self)
        connection.execute("PRAGMA synchronous = OFF")  # Writing the run is not what is tested.
        return connection

    monkeypatch.setattr(RunStore, "_connect", careless)
    run = make_run(configurations=5000, failures=("nan",) * 50)
    written = report(run, png=False)
    assert written.stat().st_size < 15e6
    assert len(data(written.read_text(encoding="utf-8"))["tables"]["ranking"]["rows"]) == 5000


def test_pixels() -> None:
    white = {"white": 16.0}
    rows = np.array([[[0, 8], [16, 32]]], dtype=np.uint8)
    pixels = to_pixels(rows, white)
    assert pixels is not None
    assert pixels.tolist() == [[[0, 128], [255, 255]]]
    assert to_pixels(np.zeros((3, 7)), white) is None
    colour = to_pixels(np.zeros((2, 4, 5, 3), np.uint8), {"scale": 1 / 255})
    assert colour is not None
    assert colour.shape == (2, 4, 5, 3)
    assert shrunk(np.zeros((300, 200, 3), np.uint8), 100).shape == (100, 66, 3)
    assert shrunk(np.zeros((1000, 7), np.uint8)).shape == (142, 1)
    assert shrunk(np.zeros((1, 1000, 3), np.uint8)).shape == (1, 1000, 3)


@pytest.mark.parametrize("shape", [(5, 4), (3, 6, 3)])
def test_png_is_read_back(shape: tuple[int, ...]) -> None:
    import io

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(to_png(pixels)))) == pixels).all()
