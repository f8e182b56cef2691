"""The model of a sweep on spaces that are not tidy: conditional choices, lost spaces, values from outside, large sweeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_sweep import write_sweep

from igmsweep.analysis import read_sweep
from igmsweep.analysis.expectation import expectation
from igmsweep.analysis.facts import facts
from igmsweep.analysis.importance import importance_data
from igmsweep.analysis.panels import panels
from igmsweep.analysis.ranking import ranked
from igmsweep.analysis.sensitivity import flat_ranges, sensitivity_data
from igmsweep.analysis.surrogate import surrogate
from igmsweep.frame import Sweep


def sweep_of(
    space: dict[str, dict[str, Any]],
    draw: Callable[[np.random.Generator], dict[str, Any]],
    score: Callable[[dict[str, Any]], float],
    n: int = 64,
    noise: float = 0.005,
    metric: str = "val/acc",
    given: tuple[dict[str, Any], ...] = (),
    paper: dict[str, Any] | None = None,
) -> Sweep:
    """A finished sweep in memory; `given` configurations come first."""
    generator = np.random.default_rng(0)
    configs = [*given, *(draw(generator) for _ in range(n - len(given)))]
    names = ("seed", "attempt", "rung", "folds", "gpu_hours", "duplicate_of", "repeat_of")
    frame = pd.DataFrame(
        {
            "trial": range(n), "state": "complete", "seconds": 1.0, "epochs": 1.0, "config_hash": [str(i) for i in range(n)],
            "source": ["enqueue:x" if i < len(given) else "random" for i in range(n)],
            **dict.fromkeys(names, np.nan), "error.class": None, "error.message": None,
            **{f"params.{path}": [config.get(path) for config in configs] for path in space},
            f"metrics.{metric}": [score(config) + noise * generator.standard_normal() for config in configs],
        }
    )  # fmt: skip
    spec = {
        "metric": {"name": metric, "mode": "min" if metric.endswith("loss") else "max"}, "sampler": "random",
        "space": {"params": space}, "data": {"name": "d", "val": 500}, "paper": paper or {},
    }  # fmt: skip
    return Sweep(Path("memory"), spec, {}, frame)


def test_a_choice_that_switches_another_choice_is_judged_with_what_it_switches() -> None:
    space = {
        "o.name": {"type": "categorical", "choices": ["adam", "sgd"]},
        "o.nest": {"type": "categorical", "choices": ["p", "q"], "when": {"o.name": "sgd"}},
    }

    def draw(generator: np.random.Generator) -> dict[str, Any]:
        name = str(generator.choice(["adam", "sgd"]))
        return {"o.name": name} | ({"o.nest": str(generator.choice(["p", "q"]))} if name == "sgd" else {})

    sweep = sweep_of(space, draw, lambda config: 0.90 if config["o.name"] == "adam" else 0.865)
    told = flat_ranges(sweep).set_index("param")
    assert told.loc["o.name", "told"] and told.loc["o.name", "choices"] == "adam"
    assert importance_data(sweep)["param"].iloc[0] == "o.name" and importance_data(sweep)["share"].iloc[0] > 0.8


def test_of_many_choices_the_one_that_matters_explains_the_spread() -> None:
    space = {f"m.c{i}": {"type": "categorical", "choices": list("abcd")} for i in range(5)}
    sweep = sweep_of(
        space,
        lambda g: {path: str(g.choice(list("abcd"))) for path in space},
        lambda c: 0.9 - 0.05 * (c["m.c0"] == "b"),
    )
    data = importance_data(sweep)
    assert data["param"].iloc[0] == "m.c0" and data["share"].iloc[0] > 0.7
    words = sensitivity_data(sweep, "m.c0", "val/acc").words()
    assert ": a, c, d; not so sure: b (p" in words


def test_scores_that_are_taken_to_be_better_than_they_are_are_named() -> None:
    space = {
        "m.c": {"type": "categorical", "choices": ["good", "bad"]},
        "m.x": {"type": "float", "low": 0.0, "high": 1.0},
    }
    sweep = sweep_of(
        space,
        lambda g: {"m.c": "good" if g.random() < 0.6 else "bad", "m.x": float(g.random())},
        lambda c: 0.95 if c["m.c"] == "good" else 0.75,
        noise=0.003,
    )
    data = sensitivity_data(sweep, "m.c", "val/acc")
    assert data.flat is not None and data.flat.told and data.flat.names == ("good",)
    assert data.effect is not None and data.effect["mean"].min() == pytest.approx(data.floor, abs=0.002)
    (panel,) = [panel for panel in panels(sweep) if panel.id == "sensitivity-m-c-val-acc"]
    assert f"Hopeless trials (worse than {100 * data.floor:.3g} %) are taken to score that." in panel.caption


def test_a_given_zero_does_not_make_a_logarithmic_axis_linear() -> None:
    space = {"m.rho": {"type": "float", "low": 1e-10, "high": 1.0, "log": True}}
    peak = lambda c: 0.9 - 0.004 * (np.log10(max(c["m.rho"], 1e-11)) + 6) ** 2  # noqa: E731
    sweep = sweep_of(space, lambda g: {"m.rho": float(10 ** g.uniform(-10, 0))}, peak, given=({"m.rho": 0.0},))
    flat = flat_ranges(sweep).iloc[0]
    assert flat["told"] and 1e-9 < flat["low"] < 1e-6 < flat["high"] < 1e-3


def test_where_the_papers_value_lies_is_said_by_the_grid_and_outside_it_was_not_searched() -> None:
    space = {"o.lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True}}
    for paper, words in ((1e-7, "was not searched"), (1e-2, "lies inside"), (1e-4, "lies outside")):
        sweep = sweep_of(
            space, lambda g: {"o.lr": float(10 ** g.uniform(-4, -1))}, lambda c: 0.9 - 0.05 * (np.log10(c["o.lr"]) + 2) ** 2,
            paper={"o.lr": paper},
        )  # fmt: skip
        assert words in sensitivity_data(sweep, "o.lr", "val/acc").words()


def test_a_loss_is_better_the_lower_it_is() -> None:
    space = {"o.lr": {"type": "float", "low": 0.0, "high": 1.0}}
    sweep = sweep_of(
        space,
        lambda g: {"o.lr": float(g.random())},
        lambda c: 0.3 + (c["o.lr"] - 0.7) ** 2,
        noise=0.02,
        metric="val/loss",
    )
    best = ranked(sweep).iloc[0]
    said = expectation(sweep, int(best["trial"]), "val/loss")
    assert said is not None and said.expected > said.shown and said.low < said.expected < said.high
    flat = flat_ranges(sweep).iloc[0]
    assert flat["low"] < 0.7 < flat["high"]
    effect = sensitivity_data(sweep, "o.lr", "val/loss").effect
    assert effect is not None and abs(effect["x"][effect["mean"].idxmin()] - 0.7) < 0.15


def test_of_a_null_choice_and_of_one_that_never_varies_nothing_is_claimed() -> None:
    space = {
        "m.k": {"type": "categorical", "choices": [None, "a", "b"]},
        "m.same": {"type": "float", "low": 0.0, "high": 1.0},
        "m.x": {"type": "float", "low": 0.0, "high": 1.0},
    }
    sweep = sweep_of(
        space,
        lambda g: {"m.k": [None, "a", "b"][int(g.integers(3))], "m.same": 0.5, "m.x": float(g.random())},
        lambda c: 0.9 + 0.05 * (c["m.k"] is None) - 0.3 * (c["m.x"] - 0.5) ** 2,
    )
    words = flat_ranges(sweep).set_index("param")["words"]
    assert "costs less" not in words["m.k"] and "or it was not varied" in words["m.same"]
    said = " ".join(facts(sweep, importance_data(sweep))["findings"])
    assert "these trials say nothing: not varied, or acting in too few of them" in said


def test_a_large_sweep_is_answered_from_all_its_trials(tmp_path: Path) -> None:
    space = {"m.x": {"type": "float", "low": 0.0, "high": 1.0}}
    spike = lambda c: 0.90 + 0.05 * (abs(c["m.x"] - 0.5) < 0.1)  # noqa: E731
    sweep = sweep_of(space, lambda g: {"m.x": float(g.random())}, spike, n=380, noise=0.002)
    found = surrogate(sweep, "val/acc")
    assert found is not None and len(found.process.z) == 380
    said = expectation(sweep, int(ranked(sweep)["trial"].iloc[0]), "val/acc")
    assert said is not None and said.expected == pytest.approx(0.95, abs=0.01)


def test_what_is_next_to_nothing_is_said_of_the_sweeps_own_metric_alone(tmp_path: Path) -> None:
    sweep = replace(read_sweep(write_sweep(tmp_path, n=40, failed=0)), negligible=0.05)
    own, other = (sensitivity_data(sweep, "optim.lr.audio", metric).flat for metric in ("val/acc", "val/map"))
    assert own is not None and other is not None and own.delta == 0.05 != other.delta


def test_equal_repeats_of_few_trials_are_no_certainty(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=6, failed=0, repeats=1))
    sweep.trials.loc[sweep.trials["repeat_of"].notna(), "metrics.val/acc"] = 0.9
    sweep.trials.loc[sweep.trials["trial"] < 6, "metrics.val/acc"] = [0.9, 0.9, 0.9, 0.899, 0.898, 0.897]
    table = ranked(sweep)
    assert table["tie"].iloc[1:].all() and table["chance"].between(0, 1).all()


def test_a_winner_with_seeds_below_the_papers_single_score_is_not_called_better(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=20, failed=0, repeats=4))
    frame = sweep.trials
    frame.loc[frame["trial"] == 0, "metrics.val/acc"] = 0.99
    frame.loc[frame["repeat_of"] == 0, "repeat_of"] = float(ranked(sweep)["trial"].iloc[1])
    numbers = facts(replace(sweep, trials=frame.copy()), importance_data(sweep))["numbers"]
    (note,) = [note for _, name, note in numbers if name.startswith("the paper's setting")]
    assert "points worse, of more seeds" in note


def test_repeats_that_contradict_the_model_are_believed() -> None:
    """A narrow peak: few trials have met it, and the model takes them for luck."""
    space = {name: {"type": "float", "low": 0.0, "high": 1.0} for name in ("m.x", "m.y")}

    def peak(config: dict[str, Any]) -> float:
        return 0.9 + 0.06 * float(np.exp(-((config["m.x"] - 0.5) ** 2 + (config["m.y"] - 0.5) ** 2) / (2 * 0.04**2)))

    sweep = sweep_of(space, lambda g: {name: float(g.random()) for name in space}, peak, n=300, noise=0.01)
    generator, rows = np.random.default_rng(1), []
    for row in sweep.completed().head(3).to_dict("records"):
        truth = peak({name: row[f"params.{name}"] for name in space})
        for _ in range(4):
            score = truth + 0.01 * generator.standard_normal()
            rows.append(row | {"trial": 300 + len(rows), "repeat_of": float(row["trial"]), "metrics.val/acc": score})
    sweep = replace(sweep, trials=pd.concat([sweep.trials, pd.DataFrame(rows)], ignore_index=True))
    table = ranked(sweep)
    best = sweep.trials.loc[sweep.trials["trial"] == table["trial"].iloc[0]].iloc[0]
    said = expectation(sweep, int(best["trial"]), "val/acc")
    assert said is not None and said.low < peak({name: best[f"params.{name}"] for name in space}) < said.high
    assert table["tie"].sum() < 10


def test_hopeless_trials_do_not_hide_what_matters_among_the_others() -> None:
    space = {name: {"type": "float", "low": 0.0, "high": 1.0} for name in ("m.x", "m.y")}

    def response(config: dict[str, Any]) -> float:
        return 0.1 if config["m.y"] > 0.85 else 0.9 - 0.2 * (config["m.x"] - 0.6) ** 2

    sweep = sweep_of(space, lambda g: {name: float(g.random()) for name in space}, response, noise=0.01)
    data = sensitivity_data(sweep, "m.x", "val/acc")
    assert data.flat is not None and data.flat.told and data.effect is not None
    assert data.effect["x"][data.effect["mean"].idxmax()] == pytest.approx(0.6, abs=0.16)
    assert 0.75 < data.floor < 0.88
