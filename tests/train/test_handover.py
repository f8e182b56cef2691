"""Which weights a stage hands over, and by which metric they are chosen."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from igmsweep.schema.sections import StagesConfig
from igmsweep.train.handover import HandOver


def play(rule: str, by: str, stages: list[list[dict[str, float]]], active=("a",)) -> list[float]:
    """The weight that the model has after each stage, where every epoch sets it to the epoch's number."""
    handover = HandOver(StagesConfig(epochs={"a": 1}, handover=rule, handover_by=by))
    model, epoch, kept = nn.Linear(1, 1), 0, []
    for stage in stages:
        handover.begin_stage()
        for scores in stage:
            epoch += 1
            with torch.no_grad():
                model.weight.fill_(epoch)
            row = {f"val/{name}": score for name, score in scores.items()} | {"epoch": epoch}
            handover.look(row, active, model)
        handover.end_stage(model)
        kept.append(model.weight.item())
    return kept


ACC = [
    [{"a/acc": 0.5, "acc": 0.9}, {"a/acc": 0.4, "acc": 0.1}],
    [{"a/acc": 0.1, "acc": 0.2}, {"a/acc": 0.2, "acc": 0.3}],
]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("last", [2, 4]),
        ("best_val", [1, 4]),  # of the modality that the stage trained, each stage by itself
        ("best_fused", [1, 1]),  # a stage that does not beat the ones before it is discarded whole
    ],
)
def test_the_three_rules(rule, kept):
    assert play(rule, "acc", ACC) == kept


def test_several_modalities_together_are_judged_by_the_fused_score():
    assert play("best_val", "acc", [[{"acc": 0.3}, {"acc": 0.6}, {"acc": 0.6}]], active=("a", "b")) == [2]


def test_the_metric_is_the_one_that_was_asked_for_and_a_loss_is_minimised():
    stage = [{"a/acc": 0.9, "a/f1": 0.1, "a/loss": 2.0}, {"a/acc": 0.5, "a/f1": 0.3, "a/loss": 3.0}]
    assert play("best_val", "acc", [stage]) == [1]
    assert play("best_val", "f1", [stage]) == [2]
    assert play("best_val", "loss", [stage]) == [1]
