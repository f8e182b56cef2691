"""Search spaces, from their check to the first proposals."""

from __future__ import annotations

import random
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from .odd import build, changed, scalar, value

PATHS = (
    "method.tau",
    "method.sam",
    "method.scope",
    "method.rho.audio",
    "optim.lr.audio",
    "optim.batch_size",
    "optim.momentum",
    "model.width",
    "stages.cycles",
)
BOUNDS: list[Any] = [
    0,
    1,
    -1,
    0.1,
    1e-3,
    100,
    1e-320,
    5e-324,
    1e308,
    -1e308,
    1.7e308,
    10**30,
    2**53 + 1,
    2**63,
    "1e-4",
    "1e999",
    {"$": "10**400"},
    {"$": "10**5000"},
]
SAMPLERS = ("tpe", "random", "sobol", "grid", "gp", "cmaes", "sobol+tpe")


def load(ground: Path) -> None:
    shipped()


@cache
def shipped() -> list[Any]:
    """Spaces that are right."""
    from igmsweep.gate.yaml_text import read_yaml
    from igmsweep.spaces.shipped import space_folders

    return [read_yaml(path) for folder in space_folders()[:1] for path in sorted(folder.glob("*.yaml"))]


def _param(rng: random.Random) -> Any:
    if rng.random() < 0.35:
        count = rng.choice([1, 2, 3, 50, 400])
        options: list[Any] = list(range(count)) if rng.random() < 0.6 else [scalar(rng) for _ in range(min(count, 5))]
        param: dict[str, Any] = {
            "type": "categorical",
            "choices": rng.choice([options, options, "modalities", [options], [{"a": 1}]]),
        }
    else:
        param = {"type": rng.choice(["float", "float", "int"]), "low": rng.choice(BOUNDS), "high": rng.choice(BOUNDS)}
        if rng.random() < 0.5:
            param["low"], param["high"] = 0.001, rng.choice([1, 1.0, 64, 1e308])
        if rng.random() < 0.3:
            param["log"] = rng.choice([True, True, False, "yes"])
        if rng.random() < 0.4:
            param["step"] = rng.choice([1, 0.1, 0.3, 2, *BOUNDS])
    if rng.random() < 0.3:
        other = rng.choice([*PATHS, "nothing"])
        param["when"] = {
            other: rng.choice(
                [True, 1, {"gt": 0}, {"lt": scalar(rng)}, {"not": [scalar(rng)]}, {"in": []}, {}, value(rng)]
            )
        }
    return param


def make(rng: random.Random) -> Any:
    draw = rng.random()
    if draw < 0.4:
        space = changed(rng, rng.choice(shipped()), rng.randrange(1, 4))
    else:
        paths = rng.sample(PATHS, rng.randrange(1, 6))
        space = {"version": rng.choice([1, 2, 2]), "params": {path: _param(rng) for path in paths}}
        if rng.random() < 0.4:
            rules: list[Any] = [
                {path: rng.choice([{"gt": -1e300}, {"lt": 1e308}, {"not": []}, 0, True, value(rng)])} for path in paths
            ]
            space["forbid"] = (
                [{key: rule for each in rules for key, rule in each.items()}] if rng.random() < 0.5 else rules
            )
        if rng.random() < 0.2:
            space["fixed"] = {rng.choice(["optim.momentum", "seed", "data.group", "x"]): value(rng)}
        if rng.random() < 0.2:
            space["enqueue"] = rng.choice(
                [["paper"], [value(rng)], [{path: scalar(rng) for path in paths}], value(rng)]
            )
        if draw > 0.8:
            space = changed(rng, space)
    return {"space": space, "sampler": rng.choice(SAMPLERS)}


def run(given: Any, place: Path) -> None:
    from igmsweep.spaces.configspace import configspace
    from igmsweep.sweep import SweepRequest
    from igmsweep.sweep.plan import make_plan
    from igmsweep.sweep.search import Proposer

    request = SweepRequest(data="avdigits", space=build(given["space"]), sampler=given["sampler"], trials=6)
    plan = make_plan(request)
    configspace(plan.space, (entry.params for entry in plan.enqueued))
    plan.space.at([0.999] * len(plan.space.params))
    list(islice(plan.space.grid(6), 3))
    spec = plan.spec
    proposer = Proposer(
        plan.space, spec["sampler"], 6, 0, spec["startup"], place / "study.journal", list(plan.enqueued)
    )
    for _ in range(3):
        proposer.ask()
