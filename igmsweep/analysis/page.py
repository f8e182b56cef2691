"""Pages: one file each beside one copy of plotly.min.js; everything escaped, nothing from a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
import plotly.offline
from markupsafe import Markup

from igmsweep.analysis.hover import TRIALS, config_texts
from igmsweep.analysis.panels import Panel
from igmsweep.disk import write_atomically
from igmsweep.frame import Sweep
from igmsweep.gate.files import read_bytes, regular
from igmsweep.legible import clean

SCRIPT = "plotly.min.js"
TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, drawn: list[Panel], configs: dict[str, str] | None = None, **values: Any) -> str:
    """A page from a template of this package. `configs`: trial -> hover text, given once for all figures."""
    page = (
        _environment()
        .get_template(template)
        .render(
            **values,
            panels=drawn,
            figures={panel.id: as_json(panel.figure) for panel in drawn},
            configs=_in_script(json.dumps(configs, ensure_ascii=False, separators=(",", ":"))) if configs else "",
            style=_text("page.css"),
            script=_text("page.js"),
        )
    )
    return clean(page)  # a folder's own name may hold what no file in it can


def config_table(sweep: Sweep, drawn: list[Panel]) -> dict[str, str]:
    """Trial -> hover text, of the trials that some figure draws."""
    shown = {
        str(trial)
        for panel in drawn
        for trace in panel.figure.data
        if trace.meta == TRIALS
        for trial in trace.customdata
    }
    return {str(trial): text for trial, text in config_texts(sweep).items() if str(trial) in shown}


def as_json(figure: go.Figure) -> Markup:
    """A figure as JSON that may stand inside a <script> element whatever strings it holds."""
    return _in_script(figure.to_json(validate=False))


def write_page(path: Path, page: str) -> Path:
    """Write the page, and beside it the Plotly script that it names, unless just that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    script = path.parent / SCRIPT
    if f'src="{SCRIPT}"' in page:
        code = plotly.offline.get_plotlyjs()
        if not _holds(script, code.encode()):  # another of its size would run in the page
            write_atomically(script, code)
    write_atomically(path, page)
    return path


def _holds(path: Path, content: bytes) -> bool:
    return regular(path) and not path.is_symlink() and read_bytes(path, path.stat().st_size) == content


def _in_script(text: str) -> Markup:
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _text(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text("utf-8"))
