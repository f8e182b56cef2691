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
    *(
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
    ),
    *(
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
    ),
    *(
        "x" * 200000,
        "2024-13-45",
        "&a [*a]",
        "!!python/object:os.system {}",
        "\t",
        '"trial": 1' + "0" * 30,
        '"value": null',
        '"params": 3',
        "../outside/canary.py:METHOD",
    ),
]
HOSTILE = [
    *(
        "<script>alert(1)</script>",
        "\x1b[2Jx",
        "\x1b]0;t\x07",
        "=1+1",
        "</script><script>",
        "\\input{/etc/passwd}",
        "$(touch ran)",
        "{{7*7}}",
        "../../outside/kept.txt",
    ),
    *(
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
    ),
]
ODD: list[Any] = [
    *(
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
    ),
    *(
        {"$json": "NaN"},
        {"$json": "-Infinity"},
        {"$json": "1" + "0" * 400},
        {"$json": "[" * 900 + "]" * 900},
        {"$json": "9" * 5000},
    ),
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
COMMANDS = [
    *(["status", "{}"], ["status", "{}", "--json"], ["best", "{}"], ["best", "{}", "--json"]),
    *(
        ["analyze", "{}", "--format", "md,csv"],
        ["analyze", "{}", "--format", "tex"],
        ["compare", "{}", "sweeps/b", "--format", "md,csv"],
    ),
    *(
        ["resume", "{}", "--local"],
        ["resume", "{}", "--local", "--trials", "12", "--retry-failed"],
        ["evaluate", "{}", "--confirm-test", "--local"],
    ),
    *(
        ["ablate", "{}", "--dry-run", "--local"],
        ["ablate", "{}", "--local"],
        ["study", "status", "{}"],
        ["study", "resume", "{}", "--dry-run"],
    ),
    *(
        ["tune", "avdigits", "--dry-run", "--warm-start", "{}", "--space", "{}/space.yaml"],
        ["tune", "avdigits", "--local", "--warm-start", "{}", "--name", "new"],
    ),
    *(
        ["tune", "avdigits", "--local", "--resume", "--name", "a", "--out", "sweeps"],
        ["train", "avdigits", "--config", "{}/trials/00001/config.yaml"],
    ),
]
SLOW = [
    ["analyze", "{}", "--format", "html"],
    ["analyze", "sweeps", "--format", "html"],
    ["compare", "{}", "sweeps/b", "--format", "html"],
]


def load() -> None:
    from . import command_lines

    command_lines.load()


def build(ground: Path) -> None:
    """Two sweeps as igmsweep writes them, with what a sweep, an evaluation and a warm start leave besides."""
    import yaml
    from fake_sweep import write_sweep

    from igmsweep.sweep import SweepRequest
    from igmsweep.sweep.plan import make_plan

    for seed, name in enumerate(("a", "b")):
        folder = write_sweep(ground / "sweeps", name, seed=seed, **SMALL)  # type: ignore[arg-type]
        spec = make_plan(SweepRequest(data="avdigits", trials=7, name=name)).spec
        old = yaml.safe_load((folder / "sweep.yaml").read_text())
        merged = {**old, **spec, **{key: old[key] for key in ("data", "paper", "resources", "space")}}
        (folder / "sweep.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
        (folder / "space.yaml").write_text(yaml.safe_dump({"params": old["space"]["params"]}, sort_keys=False))
        place = folder / "trials" / "00001"
        (place / "config.yaml").write_text(yaml.safe_dump(spec["base_config"], sort_keys=False))
        (place / "diagnostics.json").write_text(json.dumps({"spectra": {"audio": {"conv1": [0.1, 0.2]}}}))
        (folder / "test_eval.json").write_text(json.dumps({"schema": 1, "count": 0, "openings": [], "evaluations": []}))
        warm = {"params": {"optim.lr.audio": 0.01}, "value": 0.5, "source": "warm:x"}
        (folder / "warm_start.jsonl").write_text(json.dumps(warm) + "\n")
        (folder / "study.journal").write_text("")


def make(rng: random.Random) -> Any:
    edits: list[Any] = [_edit(rng) for _ in range(rng.choice([1, 1, 1, 2, 3, 6]))]
    line = rng.choice(SLOW) if rng.random() < 0.05 else rng.choice(COMMANDS)
    return {"edits": edits, "line": line}


def _edit(rng: random.Random) -> Any:
    """One thing that is done to the folder: `[what, file, ...]`."""
    draw = rng.random()
    if draw < 0.4:
        at = [rng.random() for _ in range(6)]
        new = rng.choice(ODD) if rng.random() < 0.7 else rng.choice(HOSTILE)
        how = rng.choices(["set", "delete", "rename"], [6, 2, 1])[0]
        return ["tree", rng.choice([*TREES, *LINES[:3], "trials.jsonl", "trials.jsonl", "sweep.yaml"]), how, at, new]
    if draw < 0.75:
        return [
            "bytes",
            rng.choice([*FILES, "trials.jsonl", "sweep.yaml"]),
            rng.random(),
            rng.choice(["put", "over", "cut", "end"]),
            rng.choice(TOKENS),
        ]
    if draw < 0.8:
        return ["line", rng.choice(LINES), rng.random(), rng.choice(TOKENS)]
    if draw < 0.86:
        return ["remove", rng.choice([*FILES, "trials", "trials/00001"])]
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
    shutil.copytree(place.parent / "sweeps", place / "sweeps")
    folder = place / "sweeps" / "a"
    for edit in given["edits"]:
        apply(edit, folder)
    return command([word.format("sweeps/a") for word in given["line"]])


def apply(edit: list[Any], folder: Path) -> None:
    """Do to a folder what an edit says; an edit of what is not there does nothing."""
    what, name, *rest = edit
    path = folder / name
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


def _change(path: Path, how: str, at: list[float], new: Any) -> None:
    """Set, delete or rename a value in a tree of JSON or YAML; `at` are shares that choose the way down."""
    import yaml

    lines = path.suffix in (".jsonl", ".journal")
    try:
        texts = path.read_text().splitlines() if lines else [path.read_text()]
        number = int(at[0] * len(texts))
        tree = yaml.safe_load(texts[number]) if path.suffix == ".yaml" else json.loads(texts[number])
    except (ValueError, yaml.YAMLError, IndexError, RecursionError):
        return
    holder, key, inner = None, None, tree
    for share in at[1:]:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner))) if isinstance(inner, list) else []
        if not keys or (holder is not None and share > 0.85):
            break
        holder, key = inner, keys[int(share * len(keys))]
        inner = holder[key]
    if holder is None:
        tree = new
    elif how == "delete":
        del holder[key]
    elif how == "rename" and isinstance(holder, dict):
        holder[str(new)] = holder.pop(key)
    else:
        holder[key] = new
    text = _dumped(tree)  # JSON is YAML, all but some words
    if path.suffix == ".yaml":
        text = text.replace("Infinity", ".inf").replace("NaN", ".nan")
    texts[number] = text
    path.write_text("\n".join(texts) + ("\n" if lines else ""))


def _dumped(tree: Any) -> str:
    """JSON in which `{"$json": text}` stands for that text."""
    if isinstance(tree, dict):
        if set(tree) == {"$json"}:
            return str(tree["$json"])
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_dumped(value)}" for key, value in tree.items()) + "}"
    return "[" + ", ".join(map(_dumped, tree)) + "]" if isinstance(tree, list) else json.dumps(tree, default=str)
