"""A belief about where the optimum lies, laid over a sampler's proposals as piBO does (Hvarfner et al. 2022, Eq. 6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution

from benchmarks.tabulated.table import place
from igmsweep.spaces.conditions import holds
from igmsweep.spaces.space import SearchSpace

CANDIDATES = 12
"""Proposals of the sampler among which the prior chooses."""
WIDTH = 0.2
"""Standard deviation of the belief, of a parameter's range."""
BETA = 10.0
"""After n trials the prior counts with the power BETA / n."""
ELSEWHERE = 0.1
"""How believable another choice is, the believed one being 1."""


@dataclass(frozen=True)
class Prior:
    """`centre`: each parameter's most believable value."""

    space: SearchSpace
    centre: Mapping[str, Any]

    @classmethod
    def at(cls, space: SearchSpace, values: Mapping[str, Any], mirrored: bool) -> Prior:
        """Around a configuration; `mirrored`: at the other end of every range, and another choice."""
        if not mirrored:
            return cls(space, values)
        centre: dict[str, Any] = {}
        for param in space.params:
            if param.type == "categorical":
                centre[param.path] = next(choice for choice in param.choices if choice != values.get(param.path))
            elif param.path in values:
                centre[param.path] = param.at(0.999 if place(param, values[param.path]) < 0.5 else 0.0)
        return cls(space, centre)

    def log(self, params: Mapping[str, Any]) -> float:
        """Logarithm of the belief in a configuration, up to a constant."""
        total = 0.0
        for param in self.space.params:
            value, centre = params.get(param.path), self.centre.get(param.path)
            if value is None or centre is None:
                continue
            if param.type == "categorical":
                total += 0.0 if value == centre else np.log(ELSEWHERE)
            else:
                total -= 0.5 * ((place(param, value) - place(param, centre)) / WIDTH) ** 2
        return float(total)


class Believing(optuna.samplers.BaseSampler):
    """Draws several proposals of a sampler and keeps one with probability proportional to belief ** (BETA / told).

    Args:
        make: a sampler from its seed.
        told: trials before this one.
    """

    def __init__(self, make: Callable[[int], optuna.samplers.BaseSampler], prior: Prior, seed: int, told: int) -> None:
        self.make, self.prior, self.seed, self.told = make, prior, seed, told
        self.inner = make(seed)
        self.chosen: dict[str, Any] = {}

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        found = []
        for each in range(CANDIDATES):
            sampler = self.make(self.seed + 10_000_019 * (each + 1))
            own = sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))
            found.append(_whole(self.prior.space, own, sampler, study, trial))
        power = BETA / max(1, self.told)
        weight = np.array([power * self.prior.log(params) for params in found])
        share = np.exp(weight - weight.max())
        pick = np.random.default_rng(self.seed).choice(len(found), p=share / share.sum())
        self.chosen = found[pick]
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution) -> Any:
        if param_name in self.chosen:
            return self.chosen[param_name]
        return self.inner.sample_independent(study, trial, param_name, param_distribution)


def _whole(space: SearchSpace, relative: Mapping[str, Any], sampler: Any, study: Any, trial: Any) -> dict[str, Any]:
    """A configuration from what a sampler proposes together, and each parameter that it leaves out by itself."""
    values: dict[str, Any] = {}
    for param in space.params:
        if holds(param.when, values):
            distribution = param.distribution()
            value = relative.get(param.path)
            if value is None or not distribution._contains(distribution.to_internal_repr(value)):
                value = sampler.sample_independent(study, trial, param.path, distribution)
            values[param.path] = value
    return values
