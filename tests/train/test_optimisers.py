"""Optimisers with a group a modality, and schedules as the paper and the released code have them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from igmsweep.schema.sections import OptimConfig
from igmsweep.train.optimisers import Schedule, new_optimizer


def rates(epochs: int, **values: object) -> list[float]:
    """The learning rate of every epoch of one stage."""
    config = OptimConfig(lr={"a": 1.0}, **values)
    optimizer = new_optimizer(config, {"a": [nn.Parameter(torch.zeros(1))]})
    schedule, seen = Schedule(config, optimizer), []
    for _ in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(1.0)
    return seen


def test_a_step_of_40_gives_40_and_10_of_50_epochs():
    assert rates(50, schedule="step", step_size=40) == pytest.approx([1.0] * 40 + [0.1] * 10)


def test_the_released_code_steps_before_the_epoch_and_gives_39_and_11():
    assert rates(50, schedule="step_early", step_size=40) == pytest.approx([1.0] * 39 + [0.1] * 11)
    assert rates(25, schedule="step_early", step_size=40) == [1.0] * 25


def test_warm_up_is_the_first_epoch_alone():
    assert rates(4, schedule="warmup", factor=2 / 3) == pytest.approx([2 / 3, 1, 1, 1])


def test_the_plateau_waits_for_its_patience():
    assert rates(5, schedule="plateau", patience=1) == pytest.approx([1, 1, 1, 0.1, 0.1])


def test_shared_parameters_take_the_mean_rate_or_their_own():
    groups = {"a": [nn.Parameter(torch.zeros(1))], "b": [], "shared": [nn.Parameter(torch.zeros(1))]}
    for lr, expected in (({"a": 0.1, "b": 0.3}, 0.2), ({"a": 0.1, "b": 0.3, "shared": 0.7}, 0.7)):
        made = new_optimizer(OptimConfig(lr=lr), groups, rate=0.5)
        assert {group["name"]: group["lr"] for group in made.param_groups} == pytest.approx(
            {"a": 0.05, "b": 0.15, "shared": expected / 2}
        )
