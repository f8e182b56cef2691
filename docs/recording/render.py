"""Draws an asciicast as an SVG that plays by itself, without scripts: a strip of frames behind a window.

    python docs/recording/render.py docs/recording/first-sweep.cast docs/images/first-sweep.svg

A code host shows it like any picture. The terminal is pyte's; equal rows of text are in the file once.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

import pyte

CELL, LINE, SIZE, MARGIN = 8.4, 18, 14, 14
"""Width and height of a character's cell, height of a letter, distance from the edge, in pixels."""
STEP_S, REST_S = 0.2, 5.0
"""Frames are at least so far apart; the last one stays for so long."""
PALETTE = {
    "default": "#d8dee9",
    "black": "#4c566a",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#e5c07b",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#eceff4",
}
BACKGROUND = "#1e222a"


def frames(cast: Path) -> tuple[int, int, list[tuple[float, list[str]]]]:
    """Columns, rows, and the screens with their times in seconds: each is a list of rows as SVG, an empty one as ''."""
    lines = cast.read_text("utf-8").splitlines()
    header = json.loads(lines[0])
    screen = pyte.Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    longest = header.get("idle_time_limit", math.inf)
    shown: list[tuple[float, list[str]]] = []
    clock = before = 0.0
    for line in lines[1:]:
        at, kind, text = json.loads(line)
        if kind != "o":
            continue
        clock, before = clock + min(at - before, longest), at
        stream.feed(text)
        rows = ["".join(drawn(screen, row)) for row in range(screen.lines)]
        if shown and clock - shown[-1][0] < STEP_S:
            shown[-1] = (shown[-1][0], rows)
        elif not shown or rows != shown[-1][1]:
            shown.append((clock, rows))
    return header["width"], header["height"], shown


def drawn(screen: pyte.Screen, row: int) -> Iterator[str]:
    """The runs of equal colour in a row, each at its own place and of its own width, whatever the font."""
    cells = [screen.buffer[row][column] for column in range(screen.columns)]
    place = 0
    for (colour, bold), run in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
        text = "".join(cell.data for cell in run)
        start, place = place + len(text) - len(text.lstrip()), place + len(text)
        if word := text.strip():
            fill = "" if colour == "default" else f' fill="{PALETTE.get(colour, f"#{colour}")}"'
            weight = ' font-weight="700"' if bold else ""
            yield (
                f'<text x="{start * CELL:g}" textLength="{len(word) * CELL:g}"{fill}{weight}>{escape(word, quote=False)}</text>'
            )


def svg(cast: Path) -> str:
    """The recording as an SVG document."""
    columns, rows, shown = frames(cast)
    width, height = columns * CELL + 2 * MARGIN, rows * LINE + 2 * MARGIN
    total = shown[-1][0] + REST_S
    known: dict[str, str] = {}
    strip = []
    for number, (_, screen) in enumerate(shown):
        for row, text in enumerate(screen):
            if text:
                name = known.setdefault(text, f"r{len(known)}")
                strip.append(f'<use href="#{name}" y="{number * height + row * LINE:g}"/>')
    keys = "".join(
        f"{100 * seconds / total:.2f}%{{transform:translateY({-number * height:g}px)}}"
        for number, (seconds, _) in enumerate(shown)
    )
    rest = f"translateY({-(len(shown) - 1) * height:g}px)"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">\n'
        f"<title>{escape(cast.stem)}: a recording of a terminal</title>\n"
        f'<style>text{{font:{SIZE}px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}}'
        f".s{{animation:p {total:.2f}s step-end infinite}}@keyframes p{{0%{{transform:none}}{keys}100%{{transform:{rest}}}}}"
        f"@media(prefers-reduced-motion:reduce){{.s{{animation:none;transform:{rest}}}}}</style>\n"
        "<defs>\n" + "\n".join(f'<g id="{name}">{text}</g>' for text, name in known.items()) + "\n</defs>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n'
        f'<svg x="{MARGIN}" y="{MARGIN}" width="{columns * CELL:g}" height="{rows * LINE}" fill="{PALETTE["default"]}">'
        f'<g class="s"><g transform="translate(0 {SIZE})">\n' + "\n".join(strip) + "\n</g></g></svg>\n</svg>\n"
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(svg(Path(sys.argv[1])), "utf-8")
