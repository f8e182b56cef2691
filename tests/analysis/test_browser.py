"""The report in a real browser: what a reader sees and does. A script is added to a copy of the page; its findings come
back in the page's own text, so that nothing but a Chromium is needed."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fake_sweep import write_sweep

from igmsweep.analysis import analyze, compare

CHROMIUM = os.environ.get("BROWSER_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(not CHROMIUM, reason="no Chromium")]

READER = """
<script>
window.addEventListener("load", async function () {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const found = {};
  await wait(1500);
  const plots = Array.from(document.querySelectorAll(".plot"));
  found.plots = plots.length;
  const hidden = "[hidden], details:not([open])";
  found.folded = plots.filter((p) => p.closest(hidden)).map((p) => p.id);
  for (const each of document.querySelectorAll("details")) each.open = true;
  await wait(500);
  found.undrawn = plots.filter((p) => !p.closest(hidden) && !p.querySelector(".main-svg")).map((p) => p.id);
  found.empty = plots.filter((p) => !p.closest(hidden) && !p.querySelector(".scatterlayer .trace, .barlayer .trace, .heatmaplayer image")).map((p) => p.id);
  found.untitled = plots.filter((p) => p.layout && !(p.layout.yaxis.title.text || p.layout.yaxis.ticktext || p.layout.yaxis.type === "category")).map((p) => p.id);
  found.uncounted = plots.filter((p) => !p.closest("figure").querySelector("h3 .n")).map((p) => p.id);
  found.overflow = document.documentElement.scrollWidth > window.innerWidth;
  const visible = () => Array.from(document.querySelectorAll("figure[data-metric]")).filter((f) => !f.hidden).map((f) => f.dataset.metric);
  found.before = visible();
  const buttons = Array.from(document.querySelectorAll("[data-show]"));
  for (const button of buttons) if (button.dataset.show === "val/map") button.click();
  await wait(300);
  found.after = visible();
  found.pressed = buttons.filter((b) => b.getAttribute("aria-pressed") === "true").map((b) => b.dataset.show);
  const plot = document.getElementById("SUBJECT");
  if (plot) {
    if (buttons.length) buttons[buttons.length - 1].click();
    await wait(300);
    plot.scrollIntoView();
    await wait(100);
    const number = plot.data.findIndex((trace) => trace.meta === "trials");
    const trace = plot.data[number], layout = plot._fullLayout, drag = plot.querySelector(".nsewdrag");
    const box = drag.getBoundingClientRect();
    const x = box.left + layout.xaxis.d2p(trace.x[0]), y = box.top + layout.yaxis.d2p(trace.y[0]);
    for (const kind of ["mouseover", "mousemove"])
      drag.dispatchEvent(new MouseEvent(kind, { clientX: x, clientY: y, bubbles: true, view: window }));
    await wait(500);
    found.trial = trace.customdata[0];
    found.hover = Array.from(plot.querySelectorAll(".hoverlayer text")).map((t) => t.textContent).join(" ");
  }
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
</script>
</body>"""


def read(page: Path, tmp_path: Path, width: int = 1280, subject: str = "none") -> dict[str, Any]:
    """What the script found on the page, and the lines of the console."""
    copy = page.with_name("read.html")
    copy.write_text(page.read_text().replace("</body>", READER.replace("SUBJECT", subject)))
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr", "--virtual-time-budget=60000", f"--window-size={width},2400", "--dump-dom",
            copy.as_uri(),
        ],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return {**json.loads(html.unescape(found.group(1))), "console": console}


def test_a_reader_sees_every_figure_switches_metric_and_hovers_a_trial(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=32, pruned=4)
    page = analyze(folder, say=lambda _: None)[0]
    found = read(page, tmp_path, subject="sensitivity-method-tau-val-acc")
    assert found["plots"] >= 25
    assert found["undrawn"] == [] and found["empty"] == []
    assert found["untitled"] == [] and found["uncounted"] == ["importance"]  # its labels hold the n of each parameter
    assert found["console"] == []
    assert set(found["before"]) == {"val/acc"}  # the second metric is there when it is asked for
    assert {"edf", "parallel", "history-hours", "sensitivity-method-tau-val-map"} <= set(found["folded"])
    assert not {"sensitivity-method-tau-val-acc", "history", "curves"} & set(found["folded"])
    assert set(found["after"]) == {"val/map"} and found["pressed"] == ["val/map"]
    assert f"trial {found['trial']} " in found["hover"]
    for name in ("τ =", "scope =", "SAM =", "learning rate audio ="):
        assert name in found["hover"]


def test_on_a_phone_nothing_is_wider_than_the_screen(tmp_path: Path) -> None:
    page = analyze(write_sweep(tmp_path, n=24), say=lambda _: None)[0]
    found = read(page, tmp_path, width=500)  # the narrowest window that a headless Chromium opens
    assert not found["overflow"] and found["undrawn"] == [] and found["console"] == []


def test_the_index_and_the_comparison_draw(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, "a", n=12), write_sweep(tmp_path, "b", n=12, method="joint", seed=1)]
    pages = [analyze(tmp_path, say=lambda _: None)[-1], compare(folders, say=lambda _: None)]
    for page in pages:
        assert page is not None
        found = read(page, tmp_path)
        assert found["plots"] >= 1 and found["undrawn"] == [] and found["empty"] == [] and found["console"] == []
