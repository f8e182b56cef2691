"""What tuning brings: the three games on known responses, what switched parameters have, what is said where nothing can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from fake_sweep import write_sweep

from benchmarks.simulated_sweeps.design import simulate
from benchmarks.simulated_sweeps.tuning import PAPER, judge
from igmsweep.analysis import analyze, read_sweep, tuning, tuning_table
from igmsweep.analysis.names import value_text
from igmsweep.analysis.surrogate import surrogate
from igmsweep.analysis.tuning import ALL, COLUMNS, tuning_data
from igmsweep.frame import Sweep

Response = Callable[[dict[str, Any]], float]
X = {"type": "float", "low": 0.0, "high": 1.0}
SWITCHED: dict[str, dict[str, Any]] = {
    "m.tau": {**X, "when": {"m.gm": {"not": "off"}}},  # before what it refers to
    "m.gm": {"type": "categorical", "choices": ["off", "on"]},
    "m.idle": X,
}


class Known:
    """In a process's place: the response itself, without doubt."""

    def __init__(self, sweep: Sweep, response: Response) -> None:
        found = surrogate(sweep, sweep.metric)
        assert found is not None
        self.axes, self.response, self.noise = found.axes, response, found.process.noise

    def mean(self, at: np.ndarray) -> np.ndarray:
        return np.array([self.response(self.params(row)) for row in at])

    def draws(self, at: np.ndarray, each: int, generator: np.random.Generator) -> np.ndarray:
        return self.mean(at)[None]

    def params(self, row: np.ndarray) -> dict[str, Any]:
        pairs = zip(self.axes, row, strict=True)
        return {axis.path: axis.choices[int(at)] if axis.categorical else axis.value(at) for axis, at in pairs}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sweep, Response], dict[str, dict[str, float]]]:
    """The table of a sweep whose model is its response, by parameter."""

    def told(sweep: Sweep, response: Response, importance: pd.DataFrame | None = None) -> dict[str, dict[str, float]]:
        found = surrogate(sweep, sweep.metric)
        assert found is not None
        certain = replace(found, process=Known(sweep, response))
        monkeypatch.setattr(tuning, "surrogate", lambda *_: certain)
        return tuning_data(sweep, importance).set_index("param").to_dict("index")

    return told


def made(space: dict[str, Any], configs: list[dict[str, Any]], response: Response, paper: dict[str, Any]) -> Sweep:
    """A sweep of these configurations in memory."""
    names = ("seed", "attempt", "rung", "folds", "gpu_hours", "duplicate_of", "repeat_of")
    frame = pd.DataFrame(
        {
            "trial": range(len(configs)), "state": "complete", "seconds": 1.0, "source": "random",
            **dict.fromkeys(names, np.nan),
            **{f"params.{path}": [config.get(path) for config in configs] for path in space},
            "metrics.val/acc": [response(config) for config in configs],
        }
    )  # fmt: skip
    spec = {"space": {"params": space}, "data": {"name": "d", "val": 500}, "paper": paper}
    return Sweep(Path("memory"), spec, {}, frame)


def drawn(draw: Callable[[np.random.Generator], dict[str, Any]], n: int = 24) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)
    return [draw(generator) for _ in range(n)]


def switched(generator: np.random.Generator) -> dict[str, Any]:
    gm = str(generator.choice(["off", "on"]))
    return {"m.gm": gm, "m.idle": float(generator.random())} | (
        {"m.tau": float(generator.random())} if gm == "on" else {}
    )


def test_of_a_sum_each_parameter_has_its_own_part(known) -> None:
    space = {f"m.{name}": X for name in "abc"}

    def response(config: dict[str, Any]) -> float:
        return 0.8 - 0.2 * (config["m.a"] - 0.75) ** 2 - 0.1 * (config["m.b"] - 0.5) ** 2

    configs = [*drawn(lambda g: {path: float(g.random()) for path in space}), {"m.a": 0.75, "m.b": 0.5, "m.c": 0.1}]
    found = known(made(space, configs, response, {"m.a": 0.25, "m.b": 0.5, "m.c": 0.5}), response)
    a, b, c, total = (found[name] for name in ("m.a", "m.b", "m.c", ALL))
    assert a["ablation"] == pytest.approx(0.2 * 0.5**2) == a["tunability"] == total["ablation"]
    assert b["ablation"] == b["tunability"] == c["tunability"] == c["mistunability"] == 0
    assert a["mistunability"] == pytest.approx(0.2 * (0.75**2 - 0.5**2), abs=4e-3)
    assert b["mistunability"] == pytest.approx(0.1 * 0.5**2, abs=4e-3)
    assert total["mistunability"] == pytest.approx(a["mistunability"] + b["mistunability"])
    assert (a["default"], a["winner"]) == (0.25, 0.75)


def test_what_is_switched_on_has_the_papers_value_and_shares_with_its_switch(known) -> None:
    def response(config: dict[str, Any]) -> float:
        return 0.8 if config["m.gm"] == "off" else 0.8 + 0.1 * config["m.tau"]

    configs = [*drawn(switched), {"m.gm": "on", "m.tau": 1.0, "m.idle": 0.3}]
    found = known(made(SWITCHED, configs, response, {"m.gm": "off", "m.tau": 0.4, "m.idle": 0.5}), response)
    # gm alone: 0.04 (tau at the paper's 0.4); tau alone: nothing, it does not act; both: 0.1
    assert found["m.gm"]["ablation"] == pytest.approx((0.04 + 0.1) / 2)
    assert found["m.tau"]["ablation"] == pytest.approx((0.1 - 0.04) / 2)
    assert found["m.tau"]["default"] is None and found["m.tau"]["winner"] == 1.0
    assert found["m.idle"]["ablation"] == pytest.approx(0, abs=1e-12)


def test_what_the_winner_switches_off_stays_as_in_the_default(known) -> None:
    def response(config: dict[str, Any]) -> float:
        return 0.9 if config["m.gm"] == "off" else 0.8 + 0.05 * config["m.tau"]

    sweep = made(SWITCHED, [*drawn(switched)], response, {"m.gm": "on", "m.tau": 0.4, "m.idle": 0.5})
    found = known(sweep, response)
    assert found["m.gm"]["ablation"] == pytest.approx(0.1 - 0.02) and found["m.tau"]["ablation"] == 0
    assert found["m.tau"]["default"] == 0.4 and found["m.tau"]["winner"] is None
    assert tuning_table.cells(tuning_data(sweep), sweep)[0][1][0] == "0.4 → –"


def test_a_default_without_a_value_has_the_base_configurations_or_else_the_winners(known) -> None:
    def response(config: dict[str, Any]) -> float:
        return 0.8 + 0.1 * config["m.a"] + 0.1 * config["m.b"] + 0.01 * config["m.c"]

    space = {f"m.{name}": X for name in "abc"}
    sweep = made(
        space, drawn(lambda g: {path: float(g.random()) for path in space}), response, {"m.c": 0.5, "m.a": "?"}
    )
    sweep.spec["base_config"] = {"m": {"b": 0.25}}
    found = known(sweep, response)
    best = sweep.completed().iloc[0]
    assert found["m.a"]["ablation"] == 0
    assert found["m.b"]["ablation"] == pytest.approx(0.1 * (best["params.m.b"] - 0.25))


def test_what_a_space_forbids_is_no_best_value(known) -> None:
    space = {"m.a": {"type": "categorical", "choices": ["p", "q"]}, "m.b": {"type": "categorical", "choices": [1, 2]}}

    def response(config: dict[str, Any]) -> float:
        return {"p1": 0.7, "p2": 0.72, "q1": 0.74, "q2": 0.9}[f"{config['m.a']}{value_text(config['m.b'])}"]

    configs = [{"m.a": a, "m.b": b} for a, b in [("p", 1), ("p", 2), ("q", 1)] * 4]
    sweep = made(space, configs, response, {"m.a": "p", "m.b": 1})
    sweep.spec["space"]["forbid"] = [{"m.a": "q", "m.b": 2}]
    found = known(sweep, response)
    assert found[ALL]["tunability"] == pytest.approx(0.04)
    assert found["m.a"]["tunability"] == pytest.approx(0.03)  # alone 0.04, after b 0.02


def test_of_more_than_eight_parameters_the_least_important_play_as_one(known, monkeypatch: pytest.MonkeyPatch) -> None:
    space = {f"m.p{number}": X for number in range(10)}

    def response(config: dict[str, Any]) -> float:
        return 0.5 + sum(0.01 * (number + 1) * config[path] for number, path in enumerate(space))

    configs = drawn(lambda g: {path: float(g.random()) for path in space}, 12)
    sweep = made(space, configs, response, dict.fromkeys(space, 0.0))
    monkeypatch.setattr(tuning, "ROWS", 256)
    importance = pd.DataFrame({"param": list(space), "share": [0.1 * number for number in range(10)]})
    found = known(sweep, response, importance)
    assert list(found) == [*(f"m.p{number}" for number in range(3, 10)), "m.p0, m.p1, m.p2", ALL]
    best = sweep.completed().iloc[0]
    together = sum(0.01 * (number + 1) * best[f"params.m.p{number}"] for number in range(3))
    assert found["m.p0, m.p1, m.p2"]["ablation"] == pytest.approx(together)
    assert found[ALL]["ablation"] == pytest.approx(best["metrics.val/acc"] - 0.5)
    data = pd.DataFrame.from_dict(found, orient="index").rename_axis("param").reset_index()
    assert tuning_table.cells(data, sweep)[7][0][0] == "3 others together"
    assert "7 most important stand alone" in tuning_table.caption(data, sweep)


def test_a_default_that_no_trial_has_had_is_asked_for_all_the_same(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=30, failed=0))
    sweep.spec["paper"] = {**sweep.paper, "method.scope": "tail", "method.tau": 1e6}
    data = tuning_data(sweep).set_index("param")
    assert data.loc["method.scope", "default"] == "tail" and data.drop(columns=["default", "winner"]).notna().all(
        axis=None
    )


def test_where_less_is_better_above_zero_is_better_too(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=40, failed=0))
    own = tuning_data(sweep)
    turned = sweep.trials.assign(**{"metrics.val/loss": 1 - sweep.trials["metrics.val/acc"]})
    loss = tuning_data(replace(sweep, trials=turned, spec=sweep.spec | {"metric": {"name": "val/loss", "mode": "min"}}))
    for game in tuning.GAMES:
        np.testing.assert_allclose(loss[game], own[game], rtol=0.5, atol=0.01)  # a loss is modelled on another scale


def test_a_winner_whose_repeats_contradict_the_model_is_not_explained(tmp_path: Path, monkeypatch) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=30, failed=0))
    monkeypatch.setattr(
        tuning, "contradictions", lambda sweep, _: {int(sweep.completed()["trial"].iloc[0]): (0.9, 0.01)}
    )
    data = tuning_data(sweep)
    assert data["ablation"].isna().all() and not data["ablation.told"].any() and data["tunability"].notna().all()
    assert "what brought it is not told" in tuning_table.caption(data, sweep)
    assert {row[2][0] for row in tuning_table.cells(data, sweep)} == {"–"}


@pytest.mark.parametrize(("n", "words"), [(30, "no paper's values"), (9, "fewer than 10 completed trials")])
def test_without_a_default_or_a_model_one_line_says_so(tmp_path: Path, n: int, words: str) -> None:
    folder = write_sweep(tmp_path, n=n, failed=0)
    if n == 30:
        spec = yaml.safe_load((folder / "sweep.yaml").read_text())
        (folder / "sweep.yaml").write_text(yaml.safe_dump(spec | {"paper": {}}))
    sweep = read_sweep(folder)
    assert list(tuning_data(sweep).columns) == COLUMNS and tuning_data(sweep).empty
    shown = tuning_table.shown(tuning_data(sweep), sweep)
    assert words in shown["caption"] and not shown["rows"]
    analyze(folder, formats=["csv"], say=lambda _: None)
    assert not (folder / "analysis" / "tables" / "tuning.csv").exists()


def test_every_format_has_the_table(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=40, failed=0)
    analyze(folder, formats=["csv", "tex", "md"], say=lambda _: None)
    tables = folder / "analysis" / "tables"
    rows = (tables / "tuning.csv").read_text().splitlines()
    assert rows[0].split(",") == COLUMNS and len(rows) == 1 + 7 + 1
    latex = (tables / "tuning.tex").read_text()
    assert latex.count(r"\toprule") == 1 and "→" not in latex and "−" not in latex
    lines = [line for line in (tables / "tuning.md").read_text().splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1 and "all together" in lines[-1]


def test_a_dash_stands_where_an_interval_holds_zero(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=40, failed=0))
    data = tuning_data(sweep)
    for row, cells in zip(data.to_dict("records"), tuning_table.cells(data, sweep), strict=True):
        for game, (text, told) in zip(tuning.GAMES, cells[2:], strict=True):
            low, high = row[f"{game}.low"], row[f"{game}.high"]
            assert told == row[f"{game}.told"] == (low > 0 or high < 0) == (not text.startswith("–"))
            assert game == "mistunability" or ("[" in text) == (low < high)


@pytest.mark.slow
@pytest.mark.parametrize("response", ["mixed", "flat"])
def test_what_is_told_of_tuning_is_true_of_simulated_sweeps(response: str) -> None:
    outcomes = [
        judge(simulate(response, "random", 64, 360, seed, keep=False, paper=PAPER), response) for seed in range(8)
    ]

    def mean(name: str) -> float:
        return float(np.mean([each[name] for each in outcomes]))

    assert mean("an idle parameter is told, shown") <= 0.25 < mean("an idle parameter is told, each draw's own")
    for game in ("ablation", "tunability"):
        assert mean(f"{game} of {ALL}, shown: covers") >= 0.75
        assert abs(mean(f"{game} of {ALL}, shown: excess")) < 1.0
    if response == "mixed":
        assert mean("tunability of method.scope, shown: told") >= 0.75
        assert mean("mistunability, shown: largest is right") >= 0.75
