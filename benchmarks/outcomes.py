"""What a benchmark that goes on where it stopped has found so far: one JSON file, by cell or arm."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from igmsweep.disk import replacing


def arguments(doc: str | None, count: str, default: int, out: str) -> argparse.ArgumentParser:
    """Options of such a script: `--<count>` of each cell, `--out` for the file, `--show` to print what it holds."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(f"--{count}", type=int, default=default)
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--show", action="store_true")
    return parser


def read(path: Path) -> dict[str, list[Any]]:
    """What the file holds; nothing where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(path: Path, found: dict[str, list[Any]]) -> None:
    """Keep it, the whole of it or nothing."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(found), encoding="utf-8")
