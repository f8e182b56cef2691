"""The claims of finished studies on several data sets side by side, as a Markdown table: docs/reproduction.md's raw material.

    python benchmarks/reproduction.py avdigits=results AV-MNIST=results-avmnist
    python benchmarks/reproduction.py avdigits=results --pages docs/studies

A folder is the `--out` of `igmsweep study`, or what `--pages` has copied of one: pages, their pictures, tables and numbers, which is
all that a repository needs.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from igmsweep.studies import names

KEPT = ("study.html", "study.json", "figures/*.svg", "tables/*.md")


def studies_in(place: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Folder and numbers of every study, by its name."""
    found: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in sorted(place.glob("*/study.json")):
        told = json.loads(path.read_text("utf-8"))
        if told["study"] in found:
            raise SystemExit(
                f"{place}: {told['study']} of {found[told['study']][1]['data']} and of {told['data']}; name a folder of one data set"
            )
        found[str(told["study"])] = path.parent, told
    return found


def cell(claim: dict[str, Any] | None) -> str:
    """Verdict, mean difference and its interval."""
    if claim is None or "mean" not in claim:
        return "–"
    scale, form = (100, "+.1f") if claim["unit"] == "points" else (1, "+.3g")
    mean, low, high = (format(scale * claim[key], form) for key in ("mean", "low", "high"))
    return f"{claim['verdict']}: {mean} [{low}, {high}]"


def copy_pages(label: str, places: dict[str, tuple[Path, dict[str, Any]]], out: Path) -> None:
    """What of a study's folder is worth committing."""
    for name, (folder, _) in places.items():
        target = out / label / name
        shutil.rmtree(target, ignore_errors=True)
        for pattern in KEPT:
            for path in sorted(folder.glob(pattern)):
                (target / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / path.relative_to(folder))


def main() -> None:
    """Print the table, or copy pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="LABEL=FOLDER")
    parser.add_argument("--pages", type=Path)
    given = parser.parse_args()
    places = {label: studies_in(Path(folder)) for label, _, folder in (each.partition("=") for each in given.folders)}
    if given.pages is not None:
        for label, found in places.items():
            copy_pages(label, found, given.pages)
        return
    print("| study | claim | " + " | ".join(places) + " |")
    print("|---|---|" + "---|" * len(places))
    for name in names():
        claims: dict[str, dict[str, dict[str, Any]]] = {}
        for label, found in places.items():
            for claim in found[name][1]["claims"] if name in found else ():
                claims.setdefault(claim["claim"], {})[label] = claim
        for words, by_label in claims.items():
            print(f"| {name} | {words} | " + " | ".join(cell(by_label.get(label)) for label in places) + " |")


if __name__ == "__main__":
    main()
