"""The check-up: silent on healthy sweeps, and each planted problem is found and told with what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fake_sweep import HEALTHY, NEAR, noise_only, settled, slow, write_sweep
from hypothesis import given, settings
from hypothesis import strategies as st

from igmsweep.analysis import analyze, checkup, read_sweep
from igmsweep.analysis.checkup import RULES
from igmsweep.analysis.checkup.advice import tune_command
from igmsweep.analysis.checkup.convergence import expected_best, expected_gain, outlook
from igmsweep.analysis.checkup.early_stopping import replay
from igmsweep.analysis.checkup.edges import Range
from igmsweep.frame import Sweep
from igmsweep.record.paths import METRICS, trial_folder

Make = Callable[..., Sweep]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make(seed=..., **options)`: a sweep that is healthy but for what the options plant."""

    def written(**options: Any) -> Sweep:
        name = f"sweep-{len(list(tmp_path.iterdir()))}"
        return read_sweep(write_sweep(tmp_path, name, **{"sampler": "random", **HEALTHY, **options}))

    return written


def said(sweep: Sweep, rule: str) -> str:
    """What one rule says, all of it; an empty string where it is silent."""
    found = checkup(sweep).set_index("rule")
    return " ".join(found.loc[rule, ["seen", "do", "command"]]) if rule in found.index else ""


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_healthy_sweep_is_left_in_peace(make: Make, sampler: str, seed: int) -> None:
    assert checkup(make(seed=seed, sampler=sampler)).to_dict("records") == []


@pytest.mark.slow
def test_the_page_and_the_terminal_say_the_same(make: Make) -> None:
    sweep, lines = make(curve=slow), []
    found = checkup(sweep)
    page = analyze(sweep.dir, say=lines.append)[0].read_text()
    assert list(found.columns) == ["rule", "seen", "do", "command"] and list(found["rule"]) == ["still improving"]
    text = f"{found['seen'][0]} {found['do'][0]} `{found['command'][0]}`"
    assert f"  check-up: still improving: {text}" in lines
    assert found["seen"][0] in page and f"<code>{found['command'][0]}</code>" in page
    healthy, lines = make(), []
    page = analyze(healthy.dir, say=lines.append)[0].read_text()
    assert "The check-up finds nothing to mend." in page and any("nothing to mend" in line for line in lines)


def test_a_sweep_that_has_hardly_begun_or_lost_its_files_is_no_case(tmp_path: Path) -> None:
    young = write_sweep(tmp_path, "young", n=4, failed=0)
    assert checkup(read_sweep(young)).empty
    bare = write_sweep(tmp_path, "bare", **{**HEALTHY, "curve": slow})
    for path in (bare / "trials").glob(f"*/{METRICS}"):
        path.unlink()
    (bare / "sweep.yaml").unlink()
    assert "still improving" not in list(checkup(read_sweep(bare))["rule"])
    folds = write_sweep(tmp_path, "folds", folds=3, **{**HEALTHY, "curve": slow})
    assert not {"still improving", "validation size"} & set(checkup(read_sweep(folds))["rule"])
    started = write_sweep(tmp_path, "started", n=3, failed=0, running=3)
    assert checkup(read_sweep(started)).empty


# the edge of a range


def at_the_top(params: dict[str, Any], noise: float) -> float:
    """The better the larger the audio learning rate, to the end of its range."""
    return float(np.clip(0.85 + 0.04 * math.log10(params["optim.lr.audio"] / 1e-2) + noise, 0, 1))


def half_plateau(params: dict[str, Any], noise: float) -> float:
    """Flat over the upper half of the audio learning rate's range: its end is no edge."""
    return float(np.clip(0.9 + 0.1 * min(0.0, math.log10(params["optim.lr.audio"] / 3e-3)) + noise, 0, 1))


@pytest.mark.parametrize("seed", range(3))
def test_good_trials_at_an_edge_are_told_and_how_far_to_extend_it(make: Make, seed: int) -> None:
    sweep = make(seed=seed, n=100, response=at_the_top)
    text = said(sweep, "edge")
    assert "at the upper edge of its range, and scores still rise" in text
    assert "learning rate audio to high: 1 in" in text and f"--warm-start {sweep.dir}" in text
    assert "image" not in text and "τ" not in text


@pytest.mark.parametrize("seed", range(3))
def test_the_flat_end_of_a_plateau_is_no_edge(make: Make, seed: int) -> None:
    assert not said(make(seed=seed, n=100, response=half_plateau), "edge")


def test_a_loss_that_falls_towards_the_lower_end_is_an_edge_too(make: Make) -> None:
    sweep = make(n=100, response=lambda params, noise: 1 - at_the_top(params, noise))
    spec = yaml.safe_load((sweep.dir / "sweep.yaml").read_text())
    spec["metric"]["mode"] = "min"
    (sweep.dir / "sweep.yaml").write_text(yaml.safe_dump(spec))
    assert "at the upper edge" in said(read_sweep(sweep.dir), "edge")  # the least is at the top still
    assert "learning rate audio below 0.000" in said(sweep, "edge") and "to low: 1e-05" in said(sweep, "edge")


@pytest.mark.parametrize(
    ("entry", "low", "high"),
    [
        ({"type": "float", "low": 1e-3, "high": 100.0, "log": True}, 1e-4, 1000.0),
        ({"type": "float", "low": 0.0, "high": 1.0}, None, None),
        ({"type": "float", "low": 0.2, "high": 0.6}, 0.0, 1.0),
        ({"type": "float", "low": 2.0, "high": 5.0}, 0.0, 8.0),
        ({"type": "int", "low": 1, "high": 5}, None, 9.0),
        ({"type": "int", "low": 3, "high": 9}, 1.0, 15.0),
    ],
)
def test_a_range_is_extended_by_a_decade_or_its_width_but_not_beyond_natural_bounds(
    entry: dict[str, Any], low: float | None, high: float | None
) -> None:
    found = Range.read(entry)
    assert found is not None
    for upper, expected in ((False, low), (True, high)):
        at = found.extended(upper)
        assert (at is None and expected is None) or at == pytest.approx(expected)


def test_choices_have_no_edge() -> None:
    assert Range.read({"type": "categorical", "choices": [1, 2, 3]}) is None and Range.read({}) is None


# the curves


@pytest.mark.parametrize("seed", range(3))
def test_trainings_that_end_too_early_are_told(make: Make, seed: int) -> None:
    text = said(make(seed=seed, curve=slow), "still improving")
    assert "were still improving when training ended" in text and "--set stages.cycles=6" in text


def test_thirds_stand_for_the_cycles_of_a_training_without_them(make: Make) -> None:
    sweep = make(curve=slow)
    for path in (sweep.dir / "trials").glob(f"*/{METRICS}"):
        rows = [
            json.loads(line) | {"cycle": 0, "stage": 0, "active": "audio+image"}
            for line in path.read_text().splitlines()
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "over the last third of the training is" in said(read_sweep(sweep.dir), "still improving")


def rising_loss(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The validation loss turns round after two thirds."""
    rows = settled(epochs, acc, generator)
    return {**rows, "val/loss": rows["val/loss"] + 0.05 * np.maximum(0, epochs - 12)}


@pytest.mark.parametrize("seed", range(3))
def test_overfitting_is_told_by_both_losses(make: Make, seed: int) -> None:
    text = said(make(seed=seed, curve=rising_loss), "overfitting")
    assert "training loss fell from 0.218 to 0.131 while validation loss rose from" in text  # means of 2 / epoch
    assert "--set stages.cycles=2" in text and "--set stages.handover=best_val" in text


def restless(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Three points up and down from epoch to epoch, until the last."""
    rows = settled(epochs, acc, generator)
    rows["val/acc"][:-1] = np.clip(rows["val/acc"][:-1] + generator.normal(0, 0.03, len(epochs) - 1), 0, 1)
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_scores_that_swing_more_than_the_best_trials_differ_are_told(make: Make, seed: int) -> None:
    sweep = make(seed=seed, n=100, curve=restless)
    assert "from epoch to epoch" in said(sweep, "swings") and "stages.handover=best_val" in said(sweep, "swings")
    spec = yaml.safe_load((sweep.dir / "sweep.yaml").read_text())
    spec["base_config"]["stages"]["handover"] = "best_val"
    (sweep.dir / "sweep.yaml").write_text(yaml.safe_dump(spec))
    assert "--set optim.schedule=step" in said(read_sweep(sweep.dir), "swings")  # what is done already is not advised


@pytest.mark.parametrize("seed", range(3))
def test_a_winner_that_stands_or_falls_with_one_epoch_is_told(make: Make, seed: int) -> None:
    sweep = make(seed=seed)
    best = int(sweep.completed()["trial"].iloc[0])
    path = trial_folder(sweep.dir, best) / METRICS
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[:-1]:
        row["val/acc"] = min(row["val/acc"], 0.73)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = said(read_sweep(sweep.dir), "last epoch")
    assert f"The score of the best trial, {best}, stands or falls with one epoch: from 73.00 %" in text
    assert f"igmsweep resume {sweep.dir} --seeds 3" in text


# failures and modalities


@pytest.mark.parametrize("seed", range(3))
def test_failures_that_lie_together_are_told_with_where(make: Make, seed: int) -> None:
    text = said(make(seed=seed, fails=lambda params: params["optim.lr.audio"] > 0.04), "failures")
    assert "nan (the loss or a metric was not finite)" in text
    assert "of them have learning rate audio above 0.0" in text and "Narrow learning rate audio to high: 0.0" in text


def test_failures_of_a_choice_are_told_with_it(make: Make) -> None:
    text = said(make(fails=lambda params: params["method.scope"] == 1.0), "failures")
    assert "of them have scope = 1, where" in text and "Leave 1 out of scope" in text


def test_failures_everywhere_are_told_when_they_are_many(make: Make) -> None:
    text = said(make(n=64, failed=9), "failures")
    assert "9 of 64 trials failed or diverged: 5 nan" in text or "9 of 64 trials failed or diverged: 5 oom" in text
    assert "no part of the space holds most of them" in text


def test_a_training_that_ends_at_chance_counts_as_diverged(make: Make) -> None:
    sweep = make(failed=0, response=lambda params, noise: 0.1 if params["optim.lr.audio"] > 0.04 else 0.8 + noise)
    text = said(sweep, "failures")
    assert "trained to the end but no better than chance" in text and "learning rate audio above" in text


def test_when_everything_failed_the_check_up_says_so(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=12, fails=lambda _: True, failed=0))
    lines = [json.loads(line) for line in (sweep.dir / "trials.jsonl").read_text().splitlines()]
    assert sum(line["state"] == "failed" for line in lines) == 12
    assert "12 of 12 trials failed" in said(sweep, "failures")


def test_a_modality_at_chance_is_told(make: Make) -> None:
    text = said(make(alone={"audio": 0.99, "image": 0.11}), "modality")
    assert text.startswith("image is near chance on its own in the best 5 trials") and "optim.lr.image" in text
    assert "--set stages.epochs.image=6" in text


def test_a_fusion_that_adds_nothing_is_told(make: Make) -> None:
    assert said(make(alone={"audio": 1.01, "image": 0.75}), "modality").startswith("audio alone is as good as")


# what may be believed


@pytest.mark.parametrize("correlation", [None, 0.9])
def test_a_validation_sample_too_small_for_the_difference_is_told(make: Make, correlation: float | None) -> None:
    sweep = make(val=180, paper=NEAR, correlation=correlation)
    text = said(sweep, "validation size")
    assert "leads the paper's setting by" in text and "180 validation samples and one training each" in text
    assert ("paired sample by sample" if correlation else "without kept predictions") in text
    assert not said(make(val=180, paper=NEAR, repeats=3), "validation size")  # several seeds: another question


def test_pairing_tells_smaller_differences(make: Make) -> None:
    options = {"val": 180, "paper": NEAR}
    told = [
        float(
            said(make(correlation=correlation, **options), "validation size").split("each tell ")[1].split(" points")[0]
        )
        for correlation in (None, 0.95)
    ]
    assert told[1] < 0.8 * told[0]


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=9), st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_the_expected_best_is_the_mean_over_all_draws(scores: list[float], count: int) -> None:
    from itertools import combinations

    direct = np.mean([max(draw) for draw in combinations(scores, count)])
    assert expected_best(np.array(scores), count) == pytest.approx(direct, abs=1e-9)


def narrow_peak(params: dict[str, Any], noise: float) -> float:
    """A narrow peak in both learning rates: random search is far from it after two dozen trials."""
    away = math.hypot(*(math.log10(params[f"optim.lr.{name}"] / 3e-3) for name in ("audio", "image")))
    return float(np.clip(0.9 - 0.25 * away + noise, 0, 1))


def test_what_more_trials_bring_is_told_and_whether_to_stop(make: Make) -> None:
    found = [make(seed=seed, n=24, failed=0, response=narrow_peak) for seed in range(6)]
    texts = [text for sweep in found if (text := said(sweep, "convergence"))]
    assert len(texts) >= 3 and all("20 more trials are expected to bring about" in text for text in texts)
    assert all("--trials 44" in text for text in texts)
    over = make(n=200, response=noise_only, noise=0.001)
    assert not said(over, "convergence") and outlook(over).endswith("the search may stop here.")
    assert expected_gain(make(n=12, failed=0)) is None


def test_what_asha_would_have_saved_is_told(make: Make) -> None:
    text = said(make(scheduler="none"), "time")
    assert "ASHA would have stopped" in text and "the best 3 would have lived through it" in text
    assert text.endswith("--scheduler asha")


def crossing(epochs: np.ndarray, acc: float, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """The better a training ends, the worse it starts."""
    return {"val/acc": np.where(epochs < 16, 1 - acc, acc), "train/loss": 2 / epochs}


def test_asha_is_not_advised_where_it_would_stop_the_best_and_is_warned_of_where_it_ran(make: Make) -> None:
    assert not said(make(scheduler="none", curve=crossing), "time")
    text = said(make(scheduler="asha", curve=crossing), "time")
    assert "after cycle 1: ASHA kept it because few had come before it" in text and "--grace 2" in text


def test_the_replay_is_asha_itself() -> None:
    rungs = {trial: {1: score, 2: score, 3: score} for trial, score in enumerate([0.5, 0.6, 0.4, 0.7, 0.1, 0.2])}
    found = replay(rungs, 3, True)
    assert found.stopped == {2, 4, 5}  # never among the best third so far
    assert found.saved == pytest.approx(3 * 2 / (6 * 3))
    assert replay(rungs, 3, False).stopped == {1, 3}


def test_a_command_is_the_sweep_s_own_with_what_is_advised(make: Make) -> None:
    sweep = make()
    given = ["__main__.py", "tune", "avdigits", "--trials", "40", "--set", "stages.cycles=3", "--local", "--set=optim.momentum=0.8",
             "--name", "a", "--out=b c"]  # fmt: skip
    found = tune_command(
        replace(sweep, meta={"command": given}), ("--set", "stages.cycles=6"), ("--space", "my space.yaml")
    )
    assert found == (
        "igmsweep tune avdigits --trials 40 --local --set optim.momentum=0.8 --set stages.cycles=6 --space 'my space.yaml'"
    )
    assert tune_command(sweep, ("--scheduler", "asha")) == "igmsweep tune avdigits --method igm --scheduler asha"


def test_every_rule_has_its_line_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()
    section = text.split("## The check-up")[1].split("\n## ")[0]
    assert section.count("\n| ") == len(RULES) + 1  # and the head
