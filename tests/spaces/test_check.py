"""A space is tried on few configurations, and refused by the same lines as value by value."""

from __future__ import annotations

from typing import Any

import pytest

from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.spaces import SearchSpace, load_space
from igmsweep.sweep import SweepRequest
from igmsweep.sweep.plan import make_plan


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry a configuration."""
    count: list[int] = []
    before = TrainConfig.__init__

    def counted(self: TrainConfig, **values: Any) -> None:
        count.append(1)
        before(self, **values)

    monkeypatch.setattr(TrainConfig, "__init__", counted)
    return count


def test_a_sound_space_takes_as_many_configurations_as_its_longest_parameter_has_values(made: list[int]) -> None:
    config = TrainConfig(data="nvgesture")
    space = load_space(None, config)
    made.clear()
    space.check(config)
    assert len(made) == 5  # method.scope has five choices; nine parameters have 25 values
    made.clear()
    make_plan(SweepRequest(data="nvgesture"))
    assert len(made) <= 11


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"method.tau": (-1.0, 1.0)}, "s: method.tau: found -1.0, expected greater than 0"),
        ({"method.sam_mix": (0.0, 1.5)}, "s: method.sam_mix: found 1.5, expected less than or equal to 1"),
        (
            {"optim.batch_size": (8.0, 64.0)},
            "s: optim.batch_size: found 29.336",
        ),  # only the value between is no integer
        ({"method.sam": ["yes", "no"]}, "s: method.sam: found 'yes', expected true or false"),
        (
            {"method.fusion": ["mean", "sum"]},
            "s: method.fusion: found 'sum', expected 'entropy_logits', 'entropy_probabilities' or 'mean'",
        ),
        ({"method.rho.audio": (-0.5, 0.5)}, "s: method.rho.audio: expected a value of at least 0, found -0.5"),
        ({"method.sam_mix": (0.0, 1.5), "method.tau": (-1.0, 1.0)}, "s: method.sam_mix: found 1.5"),
        ({"method.tau": (0.5, 1.0), "seed": (1.0, 2.0)}, "s: seed: cannot be searched"),
    ],
)
def test_the_first_culprit_in_the_files_order_is_named(params: dict[str, Any], line: str) -> None:
    described = {
        path: {"type": "categorical", "choices": given}
        if isinstance(given, list)
        else {"type": "float", "low": given[0], "high": given[1]}
        for path, given in params.items()
    }
    with pytest.raises(UserError) as caught:
        SearchSpace.from_dict({"params": described}, "s").check(TrainConfig(data="avdigits"))
    assert str(caught.value).startswith(line)
