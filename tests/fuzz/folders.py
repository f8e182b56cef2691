"""Results folders that are damaged or were written by somebody else, and every command that reads one."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

from .ground import without_training
from .harness import command

SMALL = {"n": 7, "failed": 1, "correlation": 0.5, "val": 40}
"""Of `fake_sweep.write_sweep`."""
TOKENS = [
    "Infinity",
    "-Infinity",
    "NaN",
    "1e400",
    "1" + "0" * 30,
    "9" * 5000,
    "null",
    "true",
    '"',
    "{",
    "}",
    "[",
    "]",
    "\0",
    "\xff",
    "\xed\xa0\x80",
    "\\ud800",
    "[" * 1000,
    "[" * 100000,
    '{"a":' * 1000,
    "\n",
    "{}\n",
    "[]\n",
    "3\n",
    "null\n",
    '"x"\n',
    "\ufeff".encode().decode("latin-1"),
    "\x1b[31m",
    "\r",
    "x" * 200000,
    "2024-13-45",
    "&a [*a]",
    "!!python/object:os.system {}",
    "\t",
    '"trial": 1' + "0" * 30,
    '"value": null',
    '"params": 3',
    "../outside/canary.py:METHOD",
]
HOSTILE = [
    "<script>alert(1)</script>",
    "\x1b[2Jx",
    "\x1b]0;t\x07",
    "=1+1",
    "</script><script>",
    "\\input{/etc/passwd}",
    "$(touch ran)",
    "{{7*7}}",
    "../../outside/kept.txt",
    "../outside/canary.py:METHOD",
    "canary.py:DATA",
    "",
    " ",
    "x" * 5000,
    "é",
    "\ud800",
    "a\nb",
    "..",
    "/",
    "a/b",
    "~nosuchuser/x",
    "\u202e",
    "|",
    "%s",
]
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    -(10**30),
    1e308,
    5e-324,
    [],
    {},
    [[]],
    {"a": {}},
    [1, "a"],
    "2024-02-03",
    {"$json": "Infinity"},
    {"$json": "NaN"},
    {"$json": "-Infinity"},
    {"$json": "1" + "0" * 400},
    {"$json": "[" * 400 + "]" * 400},
    {"$json": "9" * 5000},
]
LINES = ("trials.jsonl", "trials/00001/metrics.jsonl", "warm_start.jsonl", "study.journal")
TREES = (
    "sweep.yaml",
    "meta.json",
    "trials/00001/result.json",
    "trials/00002/result.json",
    "trials/00001/diagnostics.json",
    "test_eval.json",
    "trials/00001/config.yaml",
)
FILES = (
    *LINES,
    *TREES,
    "trials/00001/predictions.npz",
    "configspace.json",
    "driver.lock",
    "trials/00003/worker.json",
    "ablation/trial2/sweep.yaml",
)
COMMANDS = """
status {}
status {} --json
best {}
best {} --json
repair {}
analyze {} --format md,csv
analyze {} --format tex
compare {} sweeps/b --format md,csv
resume {} --local
resume {} --local --trials 12 --retry-failed
evaluate {} --confirm-test --local
ablate {} --dry-run --local --trial 2
ablate {} --local --trial 3
tune avdigits --dry-run --warm-start {} --space {}/space.yaml
tune avdigits --local --warm-start {} --name new
tune avdigits --local --resume --name a --out sweeps --trials 7 --space {}/space.yaml
train avdigits --config {}/trials/00001/config.yaml
""".strip().splitlines()
SLOW = ["analyze {} --format html", "analyze sweeps --format html", "compare {} sweeps/b --format html"]
STUDIES = ["study status {}", "study resume {} --dry-run", "study resume {}"]
STUDY = "studies/table2-avdigits"
FILES_OF_STUDY = (
    "study.yaml",
    "sam-gm/sweep.yaml",
    "sam-gm/trials.jsonl",
    "sam-gm/meta.json",
    "sam-gm/trials/00001/result.json",
)
FILES_OF_SWEEP = (*LINES[:3], *TREES)


_trees: dict[str, dict[str, list[Any]]] = {}
"""By folder and file: what files of JSON and YAML hold, a value a line or one in all."""


def load(ground: Path) -> None:
    """Read what is to be damaged."""
    for root, files in (("sweeps/a", FILES_OF_SWEEP), (STUDY, FILES_OF_STUDY)):
        _trees[root] = {name: _values(ground / root / name) for name in files}


def build(ground: Path) -> None:
    """Two sweeps and a study as igmsweep writes them, with what an evaluation and a warm start leave besides."""
    import yaml
    from fake_sweep import write_sweep

    from igmsweep.config import TrainConfig
    from igmsweep.data import load_search
    from igmsweep.studies.request import StudyRequest
    from igmsweep.studies.run import run_study
    from igmsweep.sweep import SweepRequest, trial
    from igmsweep.sweep.plan import described_data, make_plan

    config = TrainConfig(data="avdigits")
    data = described_data(load_search(config.data), config, None)
    for seed, name in enumerate(("a", "b")):
        folder = write_sweep(ground / "sweeps", name, seed=seed, **SMALL)  # type: ignore[arg-type]
        old = yaml.safe_load((folder / "sweep.yaml").read_text())
        (folder / "space.yaml").write_text(yaml.safe_dump({"params": old["space"]["params"]}, sort_keys=False))
        request = SweepRequest(data="avdigits", trials=7, name=name, space=folder / "space.yaml")
        merged = {**old, **make_plan(request).spec, "data": data, "resources": old["resources"], "paper": old["paper"]}
        (folder / "sweep.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
        for path in folder.glob("trials/*/result.json"):
            result = json.loads(path.read_text())
            result["config"] = config.override(result["config"]["params_echo"]).to_dict()
            path.write_text(json.dumps(result))
            path.with_name("config.yaml").write_text(yaml.safe_dump(result["config"], sort_keys=False))
        (folder / "trials/00001/diagnostics.json").write_text(json.dumps({"spectra": {"audio": {"conv1": [0.1, 0.2]}}}))
        (folder / "test_eval.json").write_text(json.dumps({"schema": 1, "count": 0, "openings": [], "evaluations": []}))
        warm = {"params": {"optim.lr.audio": 0.01}, "value": 0.5, "source": "warm:x"}
        (folder / "warm_start.jsonl").write_text(json.dumps(warm) + "\n")
        (folder / "study.journal").write_text("")
    trial.TRAINABLE = f"{Path(__file__).parents[1] / 'trainables.py'}:cycles"
    (ground / "trainings").mkdir()
    places = {"data.cache": str(ground / "trainings")}
    run_study(StudyRequest("table2", "avdigits", 2, out=ground / "studies", overrides=places, options={"local": True}))
    for path in (ground / "studies").rglob("*"):
        if path.suffix in (".yaml", ".json", ".jsonl"):  # what is damaged must not depend on where it lies
            path.write_text(path.read_text().replace(str(ground), "/nowhere"))


def make(rng: random.Random) -> Any:
    root = STUDY if rng.random() < 0.15 else "sweeps/a"
    edits: list[Any] = [_edit(rng, root) for _ in range(rng.choice([1, 1, 1, 2, 3, 6]))]
    line = rng.choice(STUDIES if root == STUDY else SLOW if rng.random() < 0.05 else COMMANDS)
    return {"in": root, "edits": edits, "line": line}


def _edit(rng: random.Random, root: str) -> Any:
    """One thing that is done to the folder: `[what, file, ...]`."""
    trees, draw = _trees[root], rng.random()
    files = [*FILES, "trials.jsonl", "sweep.yaml"] if root != STUDY else FILES_OF_STUDY
    if draw < 0.4:
        name = rng.choice([*trees, *(name for name in trees if name.endswith(("trials.jsonl", "sweep.yaml")))])
        line = rng.randrange(len(trees[name]))
        how = rng.choices(["set", "delete", "rename"], [6, 2, 1])[0]
        return [
            "tree",
            name,
            line,
            _way(rng, trees[name][line]),
            how,
            rng.choice(ODD if rng.random() < 0.7 else HOSTILE),
        ]
    if draw < 0.75:
        return [
            "bytes",
            rng.choice(files),
            rng.random(),
            rng.choice(["put", "over", "cut", "end"]),
            rng.choice(TOKENS),
        ]
    if draw < 0.8:
        return ["line", rng.choice([name for name in files if name.endswith("l")]), rng.random(), rng.choice(TOKENS)]
    if draw < 0.86:
        return ["remove", rng.choice([*files, "trials", "trials/00001"])]
    if draw < 0.93:
        target = rng.choice(
            ["../../../outside/kept.txt", "../../../outside", "loop", "/dev/zero", "/dev/null", "/nowhere", "."]
        )
        return [
            "link",
            rng.choice(
                [*FILES, "trials", "trials/00001", "analysis", "loop", "trials/99999", "ablation", "evaluation"]
            ),
            target,
        ]
    return [
        "folder",
        rng.choice([*FILES, "trials/x", "trials/" + "9" * 200, "analysis/report.html", "trials/٣", "trials/-1"]),
    ]


def run(given: Any, place: Path) -> int:
    without_training()
    other = "sweeps/b" in given["line"] or "sweeps " in given["line"]
    for name in (given["in"], *(["sweeps/b"] if other else [])):
        shutil.copytree(place.parent / name, place / name)
    for edit in given["edits"]:
        apply(edit, place / given["in"])
    return command(given["line"].replace("{}", given["in"]).split())


def apply(edit: list[Any], folder: Path) -> None:
    """Do to a folder what an edit says; an edit of what is not there does nothing."""
    what, name, *rest = edit
    path = folder / name
    if any(above.is_symlink() for above in path.parents):  # what lies behind a link is not the folder's
        return
    try:
        if what == "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif what == "link":
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            os.symlink(rest[0], path)
        elif what == "folder":
            if path.is_file():
                path.unlink()
            path.mkdir(parents=True)
        elif path.is_symlink() or not path.is_file():  # what was made a link leads out of here
            return
        elif what == "tree":
            _change(path, *rest)
        elif what == "line":
            lines = path.read_bytes().split(b"\n")
            lines[int(rest[0] * len(lines))] = rest[1].encode("latin-1")
            path.write_bytes(b"\n".join(lines))
        else:
            content = path.read_bytes()
            at = int(rest[0] * (len(content) + 1))
            new = rest[2].encode("latin-1")
            path.write_bytes(
                {
                    "put": content[:at] + new + content[at:],
                    "over": content[:at] + new + content[at + len(new) :],
                    "cut": content[:at],
                    "end": content + new,
                }[rest[1]]
            )
    except OSError:
        return


def _way(rng: random.Random, tree: Any) -> list[Any]:
    """The way down to some value in a tree, as keys."""
    way: list[Any] = []
    while isinstance(tree, dict | list) and tree and (not way or rng.random() < 0.8):
        way.append(rng.choice(list(tree)) if isinstance(tree, dict) else rng.randrange(len(tree)))
        tree = tree[way[-1]]
    return way


def _values(path: Path) -> list[Any]:
    import yaml

    text = path.read_text()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return [yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)]


def _change(path: Path, line: int, way: list[Any], how: str, new: Any) -> None:
    """Set, delete or rename a value in a file of JSON or YAML; nothing where it is not there any more."""
    import yaml

    try:
        trees = _values(path)
        tree = trees[line]
        if not way:
            trees[line] = new
        else:
            holder = tree
            for key in way[:-1]:
                holder = holder[key]
            if how == "set":
                holder[way[-1]] = new
            else:
                old = holder.pop(way[-1])
                if how == "rename":
                    holder[str(new)] = old
    except (ValueError, yaml.YAMLError, LookupError, TypeError, AttributeError, RecursionError):
        return
    text = "\n".join(map(_dumped, trees))
    if path.suffix == ".yaml":  # JSON is YAML, all but some words
        text = text.replace("Infinity", ".inf").replace("NaN", ".nan")
    path.write_text(text + ("\n" if path.suffix == ".jsonl" else ""))


def _dumped(tree: Any) -> str:
    """JSON in which `{"$json": text}` stands for that text."""
    if isinstance(tree, dict):
        if set(tree) == {"$json"}:
            return str(tree["$json"])
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_dumped(value)}" for key, value in tree.items()) + "}"
    return "[" + ", ".join(map(_dumped, tree)) + "]" if isinstance(tree, list) else json.dumps(tree, default=str)
