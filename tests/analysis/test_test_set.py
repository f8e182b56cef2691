"""What a report says of the test set: whether the choice was worth it, and every look there was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fake_sweep import write_sweep

from igmsweep.analysis import read_sweep
from igmsweep.analysis.test_set import test_set as told_of
from igmsweep.analysis.test_set import worth


def candidate(name: str, promised: float | None, score: float, metric: str = "acc") -> dict[str, Any]:
    return {
        "name": name,
        "promised": promised,
        "seeds": [1, 2, 3],
        "mean": {metric: score},
        "sd": {metric: 0.01},
        "interval": {metric: [score - 0.016, score + 0.016]},
    }


def evaluation(
    low: float, high: float, train_on: str = "train", promised: float | None = 0.95, default: float | None = 0.91
) -> dict[str, Any]:
    """A winner with 91.9 % on the test set, and its default with an interval of the difference."""
    middle = (low + high) / 2
    return {
        "time": "2025-01-02T03:04:05Z",
        "train_on": train_on,
        "level": 0.04,
        "candidates": [
            candidate("best trial, 7", promised, 0.919),
            candidate("paper's default", default, 0.919 - middle),
        ],
        "comparison": {
            "metric": "acc",
            "n": 3,
            "mean": middle,
            "interval": [low, high],
            "words": f"It is {middle:.3f}.",
        },
    }


def test_a_promise_that_was_not_kept_is_luck_and_the_change_of_samples() -> None:
    first, second = worth(evaluation(-0.005, 0.029), "acc")
    assert first == (
        "Promised 95.00 on validation, got 91.90 [90.30, 93.50] on test: 3.1 points were luck of the choice and the change to "
        "the test set."
    )
    assert second == (
        "Its lead over paper's default was 4 points on validation and is 1.2 points on test: not shown to have been worth it."
    )


def test_the_verdict_goes_by_the_interval() -> None:
    assert worth(evaluation(0.005, 0.029), "acc")[1].endswith(": the choice was worth it.")
    assert worth(evaluation(-0.029, -0.005), "acc")[1].endswith("is -1.7 points on test: the choice did harm.")
    alone = evaluation(0.005, 0.029)
    alone["comparison"]["n"] = 1  # one training each tells nothing of another
    assert worth(alone, "acc")[1].endswith("on test.")


def test_like_is_compared_with_like_or_it_is_said_that_the_training_data_grew() -> None:
    (first, _) = worth(evaluation(-0.005, 0.029, "all"), "acc")
    assert "on test, trained on validation data too: 3.1 points less, although there was more to learn from" in first
    (kept, _) = worth(evaluation(-0.005, 0.029, "all", promised=0.90), "acc")
    assert kept.endswith("the promise was kept, but there was more to learn from.")
    (kept, _) = worth(evaluation(-0.005, 0.029, promised=0.90), "acc")
    assert kept.endswith("on test: the promise was kept.")


def test_a_loss_is_better_where_it_is_lower() -> None:
    test = evaluation(-0.05, -0.01)
    test["candidates"] = [candidate("best trial, 7", 0.30, 0.36, "loss"), candidate("default", 0.40, 0.39, "loss")]
    first, second = worth(test, "loss", maximise=False)
    assert "got 0.36 [0.344, 0.376] on test: 0.06 were luck" in first
    assert second == "Its lead over default was 0.1 on validation and is 0.03 on test: the choice was worth it."


def test_what_is_not_known_is_not_said() -> None:
    assert worth(evaluation(-0.005, 0.029, promised=None), "acc") == []
    assert len(worth(evaluation(-0.005, 0.029, default=None), "acc")) == 1


def test_every_look_is_listed_and_openings_without_a_result_are_counted(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=4, failed=0)
    assert told_of(read_sweep(folder)) is None
    looks = [evaluation(-0.005, 0.029), evaluation(-0.001, 0.019, "all")]
    (folder / "test_eval.json").write_text(json.dumps({"count": 1, "openings": [{}], "evaluations": looks[:1]}))
    one = told_of(read_sweep(folder))
    assert one is not None and one["looks"] == [] and one["lost"] == 0 and one["level"] == "96 %" and not one["grew"]
    assert one["over"] == "seeds and samples"
    (folder / "test_eval.json").write_text(json.dumps({"count": 3, "openings": [{}] * 3, "evaluations": looks}))
    told = told_of(read_sweep(folder))
    assert told is not None and told["lost"] == 1 and told["grew"]
    assert told["looks"] == [
        ("2025-01-02T03:04:05Z", "3", "train", "It is 0.012."),
        ("2025-01-02T03:04:05Z", "3", "train + validation", "It is 0.009."),
    ]
    assert told["rows"][0] == ("best trial, 7", 3, ["91.90 ± 1.00 [90.30, 93.50]"])
    assert told["words"][0] == "It is 0.009."


def test_evaluations_of_before_are_still_shown(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=4, failed=0)
    old = {"candidates": [{"name": "best trial, 0", "seeds": [1], "mean": {"acc": 0.9}, "sd": {"acc": None}}]}
    (folder / "test_eval.json").write_text(json.dumps({"count": 1, "evaluations": [old]}))
    told = told_of(read_sweep(folder))
    assert told is not None and told["rows"] == [("best trial, 0", 1, ["90.00"])] and told["words"] == []
