"""Configurations as Python gives them: nested values, and overrides by dotted path."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

from .odd import WORDS, build, changed, scalar, value

METHODS = ("igm", "joint", "mla", "ogm", "pmr", "mmpareto", "unimodal", "agm", "smv")


def load(ground: Path) -> None:
    for method in METHODS:
        base(method)


@cache
def base(method: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A right configuration, nested and by paths."""
    from igmsweep.config import TrainConfig

    config = TrainConfig(data="avdigits", method=method)
    return config.to_dict(), config.paths()


def make(rng: random.Random) -> Any:
    nested, paths = base(rng.choice(METHODS))
    draw = rng.random()
    if draw < 0.35:
        values = changed(rng, nested, rng.randrange(1, 4))
        return {"values": values if isinstance(values, dict) and "$" not in values else {"data": values}}
    if draw < 0.55:
        few = {section: nested[section] for section in rng.sample(sorted(nested), rng.randrange(1, 5))}
        data = rng.choice(["avdigits", {"name": "avdigits"}, {"name": value(rng)}, value(rng), rng.choice(WORDS)])
        method = rng.choice(["igm", {"name": "igm", "preset": value(rng)}, {"name": value(rng)}, value(rng)])
        return {"values": {**changed_or(rng, few), "data": data, "method": method}}
    keys = [*paths, "optim.lr", "method.rho", "optim.lr.shared", "data.options.x", "data.options"]
    many = {
        rng.choice(keys) if rng.random() < 0.95 else str(scalar(rng)): value(rng) for _ in range(rng.randrange(1, 4))
    }
    return {"method": nested["method"]["name"], "override": many, "links": rng.random() < 0.1}


def changed_or(rng: random.Random, tree: dict[str, Any]) -> dict[str, Any]:
    found = changed(rng, tree)
    return found if isinstance(found, dict) and "$" not in found else tree


def run(given: Any, place: Path) -> None:
    from igmsweep.config import TrainConfig, with_absolute_paths

    (place / "loop").symlink_to(place / "loop")
    if "values" in given:
        values = build(given["values"])
        config = TrainConfig(**values)
    else:
        over = build(given["override"])
        if given.get("links"):
            over["data.root"] = "loop/x"
        config = TrainConfig.new("avdigits", given["method"], over)
    config.to_yaml()
    config.hash()
    with_absolute_paths(config)
