# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in a real browser: no overflow on a phone, no error on its console, text that can be read, light and dark.

Pictures for the eye are left in build/report.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._report import render
from ansible_collections.cozeops.studio.tests.unit.plugins.run_sample import timeline

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), "")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed: apt-get install --no-install-recommends chromium")

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "report"
WIDTHS = [390, 1280]  # of a phone and of a screen
SCHEMES = {"light": (1, "rgb(246, 247, 249)"), "dark": (0, "rgb(16, 19, 24)")}  # what Chromium calls it, and the ground that the page has then

LONG = "anamewithoutaplacetobreakit" * 5
# Run inside the page, in place of the line that forbids scripts: a page cannot be measured from outside.
PROBE = """
addEventListener("load", () => {
  const edge = document.documentElement.clientWidth;
  const scrolled = element => element.closest(".wide") && !element.matches(".wide");
  const out = [...document.querySelectorAll("body *")].filter(e => !scrolled(e) && e.getBoundingClientRect().right > edge + 1)
    .map(e => e.tagName + "." + e.className);
  const channels = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = channels(getComputedStyle(e).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const pale = [...document.querySelectorAll("body *")]
    .filter(e => !e.closest("svg") && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .filter(e => { const [a, b] = [light(channels(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x); return (a + .05) / (b + .05) < 4.5; })
    .map(e => e.tagName + "." + e.className + ": " + e.textContent.slice(0, 30));
  const squeezed = [...document.querySelectorAll("tbody th")].filter(e => e.getBoundingClientRect().width < 80).map(e => e.textContent);
  const unreachable = [...document.querySelectorAll(".wide")].filter(e => e.tabIndex !== 0 || !e.getAttribute("aria-label")).length;
  parent.postMessage({width: document.documentElement.scrollWidth, edge, out, pale, squeezed, unreachable,
    ground: getComputedStyle(document.documentElement).backgroundColor, bars: document.querySelectorAll(".track .bar").length}, "*");
});
"""
# A window of Chromium has a least width; a frame has none.
FRAME = '<iframe src="%s" style="border:0;width:%dpx;height:4000px"></iframe>'
LISTENER = """<pre id="found"></pre><script>const all = [];
addEventListener("message", e => { all.push(e.data); document.getElementById("found").textContent = JSON.stringify(all); });</script>"""


def chromium(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The profile is the test's own, and so is what the browser keeps in the home directory.
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    fixed = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--enable-logging=stderr"]
    argv = [CHROMIUM, *fixed, f"--user-data-dir={tmp_path / 'profile'}", *arguments]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, errors="replace", timeout=180, check=True, stdin=subprocess.DEVNULL)


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def documents() -> dict[str, dict[str, Any]]:
    hostile = timeline(fails=True)
    host = hostile["hosts"][0]
    host["name"] = LONG
    host["failure"]["message"] = LONG * 3
    for service in host["services"]:
        service["image"] = f"{LONG}/{LONG}:{LONG}"
        service["planned"]["why"] = [{"name": LONG, "current": LONG, "desired": f"<script>{LONG}</script>"}]
    return {"cold": timeline(), "check": timeline(check=True), "failed": timeline(hosts=2, fails=True), "hostile": hostile}


def frames(page: str, more: str = "") -> str:
    """A page that shows another one in every width, side by side."""
    return f'<!DOCTYPE html><meta charset="utf-8"><body style="margin:0;white-space:nowrap">{more}' + "".join(FRAME % (page, width) for width in WIDTHS)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", documents())
def test_the_page_fits_and_can_be_read(tmp_path: Path, kind: str, scheme: str) -> None:
    page = render(documents()[kind])
    probed, replaced = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', lambda _match: f"<script>{PROBE}</script>", page)
    assert replaced == 1
    for name, text in {"page": page, "probed": probed, "look": frames("page.html"), "measure": frames("probed.html", LISTENER)}.items():
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    options = [f"--blink-settings=preferredColorScheme={SCHEMES[scheme][0]}", f"--window-size={sum(WIDTHS) + 20},4000"]

    done = chromium(tmp_path, *options, "--virtual-time-budget=3000", "--dump-dom", (tmp_path / "measure.html").as_uri())
    match = re.search(r'<pre id="found">(.+?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stdout[-500:]
    frames_found = sorted(json.loads(unescape(match.group(1))), key=lambda found: found["edge"])
    assert [found["edge"] for found in frames_found] == WIDTHS
    for found in frames_found:
        assert (found["out"], found["width"]) == ([], found["edge"])
        assert found["pale"] == []
        assert found["squeezed"] == []
        assert found["unreachable"] == 0
        assert found["bars"] > 0
        assert found["ground"] == SCHEMES[scheme][1]
    assert complaints(done) == []

    PICTURES.mkdir(parents=True, exist_ok=True)
    picture = PICTURES / f"{kind}-{scheme}.png"
    shot = chromium(tmp_path, *options, f"--screenshot={picture}", (tmp_path / "look.html").as_uri())
    assert complaints(shot) == []
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_page_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(render(timeline()), encoding="utf-8")
    PICTURES.mkdir(parents=True, exist_ok=True)
    paper = PICTURES / "cold.pdf"
    done = chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", (tmp_path / "page.html").as_uri())
    assert complaints(done) == []
    pages = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    assert 1 <= pages <= 4
