"""Every command and option, read from the command line itself; nothing trains, and no cluster is joined."""

from __future__ import annotations

import os
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from .ground import without_training
from .harness import command
from .odd import NUMBERS, WORDS, garbled

LEFT_OUT = ("--help", "--install-completion", "--show-completion", "--open", "--address")
FOLDERS = (
    "sweeps/a",
    "sweeps/b",
    "sweeps",
    "empty",
    "missing",
    "file.txt",
    "results",
    ".",
    "..",
    "loop",
    "~nosuchuser/x",
    "a" * 300,
)
DATA = (
    "avdigits",
    "avdigits",
    "avdigits",
    "cremad",
    "avdigts",
    "table.csv",
    "missing.csv",
    "empty",
    "x.py:Y",
    "~nosuchuser/x.csv",
    "loop/x.csv",
)
LIKELY: dict[str, tuple[str, ...]] = {
    "--set": (
        "optim.batch_size=16",
        "method.tau=1",
        "data.root=~nosuchuser/x",
        "method.preset=[]",
        "seed=10",
        "data.bad_share=0.1",
        "a.b=1",
        "optim.lr=-1",
    ),
    "--method": ("igm", "joint", "ogm", "igmm", "x.py:Y", "missing.py"),
    "--space": ("igm", "demo", "default", "space.yaml", "missing.yaml", "cremad-mla", "empty"),
    "--format": ("html", "md,csv", "tex", "pdf,md", "doc", ",", "md,md"),
    "--preset": ("paper", "released", "papr"),
    "--time-budget": ("90s", "2h", "1.5h30m", "2hours", "9" * 400 + "h"),
    "--trial-timeout": ("30m", "0s", "1e5s"),
    "--name": ("s", "a/b", "..", "", "x" * 300, "nul\0", "a\x1b[31mb"),
    "--log": ("tensorboard", "wandb", "mlflow=x", "other"),
    "--order": ("greedy", "surrogate"),
    "--train-on": ("all", "train"),
}


def load(ground: Path) -> None:
    commands()


@cache
def commands() -> list[tuple[tuple[str, ...], list[Any]]]:
    """Each command's words, and its parameters as the parser has them."""
    import typer

    from igmsweep.cli.app import app

    found: list[tuple[tuple[str, ...], list[Any]]] = []

    def walk(words: tuple[str, ...], node: Any) -> None:
        if hasattr(node, "commands"):
            for name, inner in sorted(node.commands.items()):
                walk((*words, name), inner)
        else:
            found.append((words, [each for each in node.params if not set(each.opts) & set(LEFT_OUT)]))

    walk((), typer.main.get_command(app))
    return found


def _value(rng: random.Random, option: str, param: Any) -> str:
    name = (param.name or "").lower()
    draw = rng.random()
    if draw < 0.25:
        return rng.choice(WORDS)
    if option in LIKELY and draw < 0.8:
        return rng.choice(LIKELY[option])
    if name in ("folder", "folders", "warm_start", "out", "root", "cache") and draw < 0.9:
        return rng.choice(FOLDERS)
    if name in ("dataset", "name", "data", "names", "file") and draw < 0.9:
        return rng.choice([*DATA, "igm", "table1", "fig3", "paper", "list", "status", "resume", "space.yaml"])
    return str(rng.choice(NUMBERS)) if draw < 0.9 else garbled(rng, rng.choice(WORDS[:200]), WORDS)


def make(rng: random.Random) -> Any:
    words, params = rng.choice(commands())
    arguments = [param for param in params if param.param_type_name == "argument"]
    options = [param for param in params if param.param_type_name == "option"]
    line = list(words)
    for param in arguments:
        for _ in range(rng.choice([0, 1, 2, 3]) if param.nargs == -1 else int(param.required or rng.random() < 0.7)):
            if rng.random() < 0.97:
                line.append(_value(rng, "", param))
    if any("--dry-run" in param.opts for param in options) and rng.random() < 0.8:
        line.append("--dry-run")
    if any("--local" in param.opts for param in options):
        line.append("--local")
    for param in rng.sample(options, min(len(options), rng.choice([0, 1, 1, 2, 3, 5]))):
        flag = rng.choice([*param.opts, *param.secondary_opts])
        if flag in ("--ray", "--local"):
            continue
        line += [flag] if param.is_flag else [flag, _value(rng, param.opts[0], param)]
    if rng.random() < 0.1:
        line.insert(rng.randrange(len(line) + 1), rng.choice(WORDS))
    return {"line": [word.replace("\0", "") for word in line]}  # no shell can hand a zero over


def run(given: Any, place: Path) -> int:
    without_training()
    set_out(place, any(word in ("sweeps", ".", "..") or word.startswith("sweeps/") for word in given["line"]))
    # an undecodable byte of an argument is a lone surrogate
    return command([word.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape") for word in given["line"]])


def set_out(place: Path, sweeps: bool) -> None:
    """What a command finds in the folder that it is called in."""
    if sweeps:
        shutil.copytree(place.parent / "sweeps", place / "sweeps")
    (place / "empty").mkdir()
    (place / "file.txt").write_text("text")
    (place / "x.py").write_text("Y = 1\n")
    (place / "table.csv").write_text("label,note\n" + "a,some words\nb,other words\n" * 10)
    (place / "space.yaml").write_text("params:\n  method.tau: {type: float, low: 0.01, high: 40.0, log: true}\n")
    os.symlink(place / "loop", place / "loop")
