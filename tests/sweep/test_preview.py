"""`--dry-run`: what is searched, what differs from the paper, what is left, at the width that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from igmsweep.sweep import SweepRequest
from igmsweep.sweep.plan import make_plan
from igmsweep.sweep.preview import preview
from igmsweep.sweep.resources import Allotment


def lines(data: str = "cremad", width: int = 100, **given: Any) -> list[str]:
    request = SweepRequest(data=data, dry_run=True, **given)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLUMNS", str(width))
        return preview(make_plan(request), request, Allotment(1, 0.25, 4))


def rows(text: list[str], heading: str) -> dict[str, list[str]]:
    """The rows of the table under a heading, by their first cell."""
    start = next(number for number, line in enumerate(text) if line.startswith(heading))
    found = {}
    for line in text[start + 1 :]:
        if not line:
            break
        cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
        found[cells[0]] = cells[1:]
    return found


def test_ranges_and_conditions_stand_in_plain_words_beside_the_papers_values():
    text = lines()
    searched = rows(text, "searched")
    assert searched["method.tau"] == ["0.001 to 100 on a log scale, where method.scope is not none", "0.4"]
    assert searched["method.scope"] == ["none, head, 0.3, 0.5 or 1.0", "head"]
    assert searched["method.rho.audio"] == ["1e-15 to 0.5 on a log scale, where method.sam is true", "1e-10"]
    assert "4 at a time with 1 CPU and 0.25 GPU each" in text
    assert "all else is as in the paper" in text
    assert not any("log True" in line for line in text)


def test_whole_numbers_and_steps(tmp_path: Path):
    params = (
        "{optim.batch_size: {type: int, low: 8, high: 64, step: 8}, optim.momentum: {type: float, low: 0, high: 0.99}}"
    )
    (tmp_path / "s.yaml").write_text(f"params: {params}\n")
    searched = rows(lines(space=tmp_path / "s.yaml"), "searched")
    assert searched["optim.batch_size"] == ["8 to 64 in steps of 8, whole numbers", "12"]
    assert searched["optim.momentum"] == ["0 to 0.99", "0.9"]


def test_what_differs_from_the_paper_says_who_asked_for_it(tmp_path: Path):
    (tmp_path / "s.yaml").write_text("version: 2\nextends: igm\nfixed: {optim.weight_decay: 0}\n")
    overrides = {"method.preset": "released", "stages.epochs": 1, "optim.batch_size": 64}
    text = lines(space=tmp_path / "s.yaml", overrides=overrides, seed=3)
    assert rows(text, "differs from the paper") == {
        "method.preset": ["released", "paper", "--preset"],
        "method.sam_form": ["released", "paper", "preset released"],
        "method.sam_mix": ["0.3", "1", "preset released"],
        "method.mixup_alpha": ["1", "0", "preset released"],
        "method.fusion": ["mean", "entropy_logits", "preset released"],
        "optim.weight_decay": ["0", "0.0001", "fixed in s.yaml on cremad"],
        "optim.batch_size": ["64", "12", "--set"],
        "optim.schedule": ["step_early", "plateau", "preset released"],
        "stages.epochs.audio": ["1", "25", "--set"],
        "stages.epochs.video": ["1", "50", "--set"],
        "stages.handover": ["best_fused", "last", "preset released"],
        "stages.handover_by": ["f1", "acc", "preset released"],
        "seed": ["3", "0", "--seed"],
    }


def test_a_preset_takes_the_papers_place_among_what_runs_first():
    assert [line for line in lines(overrides={"method.preset": "released"}) if line.startswith("runs first")] == [
        "runs first:  released: scope=head tau=0.4 sam=true rho.audio=1e-10 rho.video=1e-10 lr.audio=0.01"
    ]


def test_what_is_left_is_told_in_short_and_in_full():
    plan = make_plan(SweepRequest(data="cremad"))
    short, full = lines(), lines(verbose=True)
    told = " ".join(" ".join(short[short.index("all else is as in the paper") + 2 :]).split())
    assert told.startswith("left as it is: model.encoder.audio resnet18, model.encoder.video resnet18, optim.name sgd")
    assert told.endswith(" more (--verbose lists them)")
    left = rows(full, "left as it is")
    assert set(left) | set(rows(full, "searched")) == set(plan.base.paths())
    assert left["model.head"] == ["256, 64"] and left["data.folds"] == ["none"]


def test_the_budget_is_one_sentence():
    text = lines(folds=3, trials=12, time_budget_s=7200, scheduler="asha", seeds=5)
    assert text[0] == (
        "12 trials of igm on cremad, each in 3 folds, hopeless ones stopped by asha, for at most 2h00m, then the best 3 "
        "with 5 seeds in all"
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_is_no_wider_than_the_terminal_and_no_name_is_cut(width: int):
    text = lines(width=width, verbose=True)
    assert max(map(len, text[3:])) <= width
    assert not any("…" in line for line in text)
    assert any(line.startswith("optim.weight_decay ") for line in text)
