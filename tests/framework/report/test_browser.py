"""A real browser opens the page: with scripts it draws the charts, without them it shows the pictures."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from matplotlib.image import imread

from tests.framework.comparison.folders import write_study
from tests.framework.report.pages import browser
from tests.framework.report.test_page import HOSTILE, page_of

BROWSER = browser()
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome is installed"),
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page")
    arms = {HOSTILE: {seed: [0.0, float(seed), 4.0] for seed in range(3)}, "b": {0: [1.0, 2.0]}}
    page_of([write_study(place / "s", arms)], place / "page.html")
    return place / "page.html"


def opened(page: Path, *words: str) -> str:
    assert BROWSER is not None
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [BROWSER, *FLAGS, profile, *words, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=250).stdout


def test_charts_take_the_place_of_the_pictures(page: Path) -> None:
    dom = opened(page, "--dump-dom")
    assert dom.count('class="chart drawn"') == 3
    assert "js-plotly-plot" in dom
    titles = set(re.findall(r'data-title="([^"]*)"', dom))
    assert "Zoom" in titles
    assert not [title for title in titles if re.search("share|cloud|edit", title, re.IGNORECASE)], (
        "nothing is sent away"
    )
    assert dom.count("<script>alert") == 0, "hostile texts are still texts after the charts are drawn"


def test_without_scripts_the_pictures_are_there(page: Path) -> None:
    plain = page.with_name("plain.html")
    text = page.read_text()
    forbidden = re.sub(r"script-src .*?; base-uri", "script-src 'none'; base-uri", text, count=1)
    assert forbidden != text
    plain.write_text(forbidden)
    dom = opened(plain, "--dump-dom")
    assert 'class="chart drawn"' not in dom and dom.count('<img src="data:image/png') == 3
    shot = page.with_name("shot.png")
    opened(plain, f"--screenshot={shot}", "--window-size=1000,1600")
    image = imread(shot)[..., :3]
    blue = (abs(image - [0, 0x72 / 255, 0xB2 / 255]).max(axis=2) < 0.05).sum()
    assert blue > 200, "the lines of the first arm"
