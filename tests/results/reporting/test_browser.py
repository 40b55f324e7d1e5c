"""The page in headless Chromium: drawn completely, without errors, in both themes and at phone width.

Screenshots for the eye are left in the folder `screenshots` of the repository, which is not committed.
"""

from __future__ import annotations

import base64
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from results.reporting import report

webdriver = pytest.importorskip("selenium.webdriver", reason="the browser tests need selenium")

MakeRun = Callable[..., Path]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
SCREENSHOTS = Path(__file__).parents[3] / "screenshots"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
         "--window-size=1280,900")  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="chromium and chromium-driver are not installed"),
]


class Page:
    """A report opened in the browser."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path) -> None:
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(path.resolve().as_uri())
        self.wait("return document.documentElement.dataset.ready === 'yes'")

    def wait(self, script: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not self.run(script):
            if time.monotonic() > end:
                raise AssertionError(f"{script} did not become true; {self.errors()}")
            time.sleep(0.02)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Every address that was asked for, the page itself apart."""
        import json

        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "blob:", "file:"))]

    def theme(self, name: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def width(self, width: int) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        options = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)
        (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(found["data"]))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any) -> Page:
    found = Page(browser)
    found.width(1280)
    found.theme("light")
    return found


FULL: dict[str, Any] = {
    "configurations": 45, "failures": ("nan", "nan", "out of memory", "error"), "seeds": 3,
    "baselines": ("linear", "article-mlp-500-250-100"),
}  # fmt: skip


@pytest.fixture(scope="module")
def written() -> dict[str, Path]:
    return {}


@pytest.fixture
def full(make_run: MakeRun, written: dict[str, Path]) -> Path:
    """The page of a run with everything in it, written once for all tests."""
    if "full" not in written:
        written["full"] = report(make_run(**FULL), png=False)
    return written["full"]


def opened(page: Page, run: Path) -> Page:
    page.open(report(run, png=False))
    return page


DRAWN = """
return [...document.querySelectorAll('figure.chart')].map((figure) => {
  const canvas = figure.querySelector('canvas');
  if (canvas) return [figure.dataset.parallel, Number(canvas.dataset.drawn) > 0];
  const plots = [...figure.querySelectorAll('.panels:not([hidden]) .plot')];
  const marks = '.scatterlayer .trace path, .barlayer .point path, .heatmaplayer image, .heatmaplayer path';
  return [figure.dataset.chart, plots.length > 0 && plots.every((plot) => plot.querySelector(marks))];
})"""


def test_every_chart_is_drawn_without_errors_or_requests(page: Page, full: Path) -> None:
    page.open(full)
    drawn = dict(page.run(DRAWN))
    assert len(drawn) >= 12
    assert [key for key, found in drawn.items() if not found] == []
    page.picture("report-light")
    assert page.errors() == []
    assert page.requests() == []


def test_every_view_can_be_chosen(page: Page, full: Path) -> None:
    page.open(full)
    count = page.run("""
        const all = [...document.querySelectorAll('.switch button')];
        all.forEach((one) => one.click());
        return all.length""")
    assert count >= 6
    assert [key for key, found in page.run(DRAWN) if not found] == []
    assert page.errors() == []


def test_no_labels_overlap(page: Page, full: Path) -> None:
    for width in (1280, 390):
        page.width(width)
        page.open(full)
        overlaps = page.run("""
            const found = [];
            for (const plot of document.querySelectorAll('.plot')) {
              for (const axis of ['.xaxislayer-above text', '.yaxislayer-above text']) {
                const labels = [...plot.querySelectorAll(axis)].filter((one) => one.textContent.trim());
                const boxes = labels.map((one) => one.getBoundingClientRect());
                const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
                  && a.top < b.bottom - 3 && b.top < a.bottom - 3;
                boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, k) => {
                  const [first, second] = [labels[i], labels[i + 1 + k]].map((one) => one.textContent);
                  if (meet(a, b)) found.push([plot.closest('figure').dataset.chart, first, second]);
                }));
              }
            }
            return found;""")
        assert overlaps == []


def names(page: Page) -> list[str]:
    found: list[str] = page.run(
        "return [...document.querySelectorAll('.ranked tbody tr')].map((row) => row.children[1].textContent)"
    )
    return found


def test_sorting_and_filtering(page: Page, full: Path) -> None:
    page.open(full)
    first = names(page)
    assert len(first) == 20
    page.run("document.querySelector('.more').click()")
    assert len(names(page)) == 51

    def column(name: str) -> list[str]:
        found: list[str] = page.run(
            "const all = [...document.querySelectorAll('.ranked th')].map((one) => one.textContent);"
            "const i = all.indexOf(arguments[0]);"
            "return [...document.querySelectorAll('.ranked tbody tr')].map((row) => row.children[i].textContent)",
            name,
        )
        return found

    def click(name: str) -> None:
        page.run(
            "const all = [...document.querySelectorAll('.ranked th button')];"
            "all.find((one) => one.textContent === arguments[0]).click()",
            name,
        )

    click("parameters")
    ascending = [int(text.replace(",", "")) for text in column("parameters") if text]
    assert ascending == sorted(ascending)
    click("parameters")
    assert [int(text.replace(",", "")) for text in column("parameters") if text] == ascending[::-1]
    click("score")
    scores = [float(text) for text in column("score") if text]
    assert scores == sorted(scores, reverse=True)

    def filtered(text: str) -> int:
        page.run(
            "const box = document.querySelector('.tools input'); box.value = arguments[0];"
            "box.dispatchEvent(new Event('input'))",
            text,
        )
        return len(names(page))

    assert (
        filtered("layers>=2 optimizer=adam")
        == sum(
            layers in "23" and optimizer == "adam"
            for layers, optimizer in zip(column("layers"), column("optimizer"), strict=True)
        )
        > 0
    )
    assert filtered("failed") == 4
    assert filtered("score<0") == 0
    assert filtered("article") == 1
    assert filtered("") == 51
    assert page.errors() == []


def test_brushing_an_axis_filters_the_table(page: Page, full: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    page.open(full)
    canvas = page.driver.find_element("css selector", "canvas")
    page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", canvas)
    width, height = canvas.size["width"], canvas.size["height"]
    # The first axis, its upper half: only configurations with many layers are left.
    actions = ActionChains(page.driver)
    actions.move_to_element_with_offset(canvas, 14 - width // 2, 40 - height // 2).click_and_hold()
    actions.move_by_offset(0, 90).release().perform()
    kept = page.run("return document.querySelector('.found').textContent")
    assert " of 51 rows" in kept
    page.run("document.querySelector('.clear').click()")
    assert page.run("return document.querySelector('.found').textContent") == "51 rows"
    assert page.errors() == []


def test_dark_theme_and_its_switch(page: Page, full: Path) -> None:
    from results.reporting.theme import DARK, LIGHT

    def colours() -> tuple[str, str]:
        found = page.run(
            "return [getComputedStyle(document.body).backgroundColor,"
            "document.querySelector('[data-chart=history] .plot').layout.xaxis.gridcolor]"
        )
        return found[0], found[1]

    def rgb(text: str) -> str:
        return f"rgb({', '.join(str(int(text[i : i + 2], 16)) for i in (1, 3, 5))})"

    page.theme("dark")
    page.open(full)
    assert colours() == (rgb(DARK["page"]), DARK["grid"])
    page.picture("report-dark")
    page.run("document.getElementById('theme').click()")
    assert colours() == (rgb(LIGHT["page"]), LIGHT["grid"])
    page.run("document.getElementById('theme').click()")
    assert colours() == (rgb(DARK["page"]), DARK["grid"])
    page.run("document.getElementById('theme').click()")
    assert page.errors() == []


def test_phone(page: Page, full: Path) -> None:
    page.width(390)
    page.open(full)
    assert page.run("return document.documentElement.scrollWidth") <= 390
    page.picture("report-phone")
    assert page.errors() == []


def test_printing(page: Page, full: Path) -> None:
    page.theme("dark")
    page.open(full)
    pdf = base64.b64decode(page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    SCREENSHOTS.mkdir(exist_ok=True)
    (SCREENSHOTS / "report.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF")
    assert page.errors() == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("one-trial", {"configurations": 1, "promotions": False, "baselines": (), "candidates": 0, "winner": False,
                       "evaluate": False}),
        ("failures", {"configurations": 0, "failures": ("nan", "error"), "baselines": (), "winner": False,
                      "evaluate": False}),
        ("nothing-yet", {"configurations": 0, "baselines": (), "running": True}),
        ("running", {"running": True}),
        ("regression", {"task": "regression"}),
    ],
)  # fmt: skip
def test_unusual_runs(page: Page, make_run: MakeRun, name: str, options: dict[str, Any]) -> None:
    opened(page, make_run(**options))
    assert [key for key, found in page.run(DRAWN) if not found] == []
    page.picture(f"report-{name}")
    assert page.errors() == []


def test_injected_script_does_not_run(page: Page, make_run: MakeRun) -> None:
    evil = "<img src=x onerror=\"document.title='hit'\"><script>document.title='hit'<&#x2f;script>"
    run = make_run(
        baselines=("<svg onload=document.title='hit'>",),
        failures=("error",),
        class_names=(evil, *"123456789"),
        meta={"name": evil, "algorithm": evil},
    )
    opened(page, run)
    page.run("for (const one of document.querySelectorAll('.switch button, .legend button')) one.click()")
    assert page.driver.title != "hit"
    assert page.run("return document.querySelectorAll('[onerror], [onload], main script').length") == 0
    assert page.errors() == []
