"""A Gaussian process over a sweep's configurations whose own uncertain settings are averaged over, not guessed.

One Matérn-5/2 kernel with a length scale a parameter (Rasmussen and Williams 2006, Sec. 4.2 and 5.1). The noise is that of one
training: of its seed and of how this configuration meets these validation samples. With a few dozen trials, the likelihood alone
cannot tell a smooth response with much noise from a rough one with little; so length scales, signal and noise are drawn from their
posterior (a random walk that begins at its mode), and every answer is the mixture over these draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from igmsweep.statistics.scale import PLAIN, Scale

DRAWS = 24
"""Draws of length scales, signal and noise that are kept."""
BURN_IN = 60
THIN = 8
LENGTH = (1.5, 1.2)
"""Mean and standard deviation of the prior of a length scale's logarithm, in units of a parameter's whole range: at 4.5, a parameter
has next to no say; at 0.4, two deviations below, it bends the response several times. Few of many parameters matter."""
SIGNAL = (0.0, 1.0)
"""Of the logarithm of the signal's standard deviation, in units of the scores' own."""
NOISE = (-0.5, 1.0)
"""Of the logarithm of the noise's standard deviation, likewise."""
LEVEL = 10.0
"""Standard deviation of the constant mean, likewise: as good as unknown."""
JITTER = 1e-8
LEAST_AND_MOST = (0.25, 25.0)
"""Bounds of `unrest`."""
TAILS = 4
MOST = 200
"""Length scales, signal and noise are drawn from a random part of more scores; the answers are from all of them."""
EACH = 20
"""Draws for each of these settings, where a mean is asked."""
GOOD = 0.9
"""Of all scores: where a good configuration stands."""
PIECE = 512
"""Points whose means are computed at a time, so that memory does not grow with their number."""
BOUND = 6.0
"""Of all logarithms, while the mode is looked for."""


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """Fitted by `fit`. `x`: (n, d) in [0, 1]; `theta`: (draws, d + 2) the logarithms of length scales, signal and noise; the last
    two, as all scores inside, on `scale`, in units of `spread` around `centre`. `counts`: (n,) trainings behind each score, over `unrest`."""

    x: np.ndarray
    z: np.ndarray
    counts: np.ndarray
    categorical: np.ndarray
    theta: np.ndarray
    centre: float
    spread: float
    scale: Scale = PLAIN

    @property
    def scores(self) -> np.ndarray:
        """(n,) what it was fitted to."""
        return self.scale.back(self.centre + self.spread * self.z)

    @property
    def noise(self) -> float:
        """Standard deviation of one training of a good configuration, which a tenth of the scores exceed, around its expected score."""
        own = np.sqrt(np.mean(np.exp(2 * self.theta[:, -1]))) * self.spread
        return float(own / self.scale.slope(np.quantile(self.scores, GOOD)))

    @cached_property
    def _solved(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Of each draw: the Cholesky factor of the scores' covariance, and its inverse times the scores."""
        apart = squared(self.x, self.x, self.categorical)
        found = []
        for theta in self.theta:
            factor = cholesky(_covariance(apart, theta, self.counts), lower=True)
            found.append((factor, cho_solve((factor, True), self.z)))
        return found

    def left_out(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) what is expected of each training from all others, on `scale`, and the square of its distance from that in units of what
        is expected of the distance; means over the draws (Rasmussen and Williams 2006, Eq. 5.10 to 5.12)."""
        means, squares = [], []
        for factor, alpha in self._solved:
            precision = np.diag(cho_solve((factor, True), np.eye(len(self.z))))
            means.append(self.z - alpha / precision)
            squares.append(alpha**2 / precision)
        return self.centre + self.spread * np.mean(means, axis=0), np.mean(squares, axis=0)

    @cached_property
    def _levels(self) -> list[np.ndarray]:
        """Of each parameter: the choices that were tried; of a number none."""
        return [
            np.unique(column) if kind else np.array([]) for column, kind in zip(self.x.T, self.categorical, strict=True)
        ]

    def _coded(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (k, d) as coordinates (k, c), in which distances are as `squared` has them: a coordinate a number, and one a choice, with one
        for all that were not tried; and (c,) the parameter that each coordinate is of."""
        parts, owners = [], []
        for place, levels in enumerate(self._levels):
            part = at[:, [place]]
            if len(levels):
                part = part == levels
                part = np.column_stack([part, ~part.any(axis=1)]) / np.sqrt(2)
            parts.append(part)
            owners += [place] * part.shape[1]
        return np.column_stack(parts), np.array(owners)

    def posterior(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means (draws, k) and covariances (draws, k, k) of what is expected at `at` (k, d) in [0, 1], on `scale`."""
        (own, owners), (asked, _) = self._coded(self.x), self._coded(at)
        means, covariances = [], []
        for theta, (factor, alpha) in zip(self.theta, self._solved, strict=True):
            width = np.exp(-theta[owners])
            inner = _matern(cdist(own * width, asked * width), theta)
            half = solve_triangular(factor, inner, lower=True, check_finite=False)
            means.append(alpha @ inner)
            covariances.append(_matern(cdist(asked * width, asked * width), theta) - half.T @ half)
        return self.centre + self.spread * np.array(means), self.spread**2 * np.array(covariances)

    def mean(self, at: np.ndarray) -> np.ndarray:
        """(k,) the mean over the draws of what is expected at each of many points (k, d), on `scale`."""
        (own, owners), (asked, _) = self._coded(self.x), self._coded(at)
        found = np.zeros(len(at))
        for theta, (_, alpha) in zip(self.theta, self._solved, strict=True):
            width = np.exp(-theta[owners])
            for start in range(0, len(at), PIECE):
                piece = slice(start, start + PIECE)
                found[piece] += alpha @ _matern(cdist(own * width, asked[piece] * width), theta)
        return self.centre + self.spread * found / len(self.theta)

    def draws(self, at: np.ndarray, each: int, generator: np.random.Generator) -> np.ndarray:
        """(draws * each, k) joint draws of the expected scores at `at` (k, d)."""
        means, covariances = self.posterior(at)
        found = []
        for mean, covariance in zip(means, covariances, strict=True):
            found.append(mean + generator.standard_normal((each, len(mean))) @ _root(covariance).T)
        return self.scale.back(np.concatenate(found))

    def expected(self, at: np.ndarray) -> np.ndarray:
        """(k,) means of such draws."""
        return np.asarray(self.draws(at, EACH, np.random.default_rng(0)).mean(axis=0))


def fit(
    x: np.ndarray,
    y: np.ndarray,
    categorical: np.ndarray,
    counts: np.ndarray | None = None,
    scales: Sequence[Scale] = (PLAIN,),
    seed: int = 0,
    weigh: bool = True,
) -> GaussianProcess:
    """Fit to scores.

    Args:
        x: (n, d) configurations; numbers scaled to [0, 1], choices as whole numbers.
        y: (n,) finite scores.
        categorical: (d,) bool: two values of such a parameter are equally far apart, whichever they are.
        counts: (n,) trainings whose mean each score is; one by default.
        scales: on which the scores may be modelled; the one under which they are likeliest is taken.
        weigh: let scores that are noisier than the best count less (`unrest`).
    """
    counts = np.ones(len(y)) if counts is None else counts.astype(float)
    some = np.arange(len(y))
    if len(y) > MOST:
        some = np.sort(np.random.default_rng(seed).choice(some, MOST, replace=False))
    apart = squared(x[some], x[some], categorical)
    start = np.concatenate([np.full(x.shape[1], LENGTH[0]), [SIGNAL[0], NOISE[0]]])
    restless = np.concatenate([start[:-1], [0.0]])
    best, likeliest = None, -np.inf
    for scale in scales:
        there = scale.there(y)
        centre, spread = float(np.mean(there)), float(np.std(there)) or 1.0
        z = (there - centre) / spread
        loss, mode, shape = _mode([start, restless], apart, z[some], counts[some])
        likelihood = float(np.log(scale.slope(y[some]) / spread).sum()) - loss
        if likelihood > likeliest:
            likeliest, best = likelihood, GaussianProcess(x, z, counts, categorical, mode[None], centre, spread, scale)
    assert best is not None
    if weigh:
        best = replace(best, counts=counts / unrest(best))
        _, mode, shape = _mode([best.theta[0]], apart, best.z[some], best.counts[some])
    theta = _walk(mode, shape, apart, best.z[some], best.counts[some], np.random.default_rng(seed))
    return replace(best, theta=theta)


def unrest(process: GaussianProcess) -> np.ndarray:
    """(n,) variance of each training's noise as a multiple of that of the best. Bad configurations scatter more, and some trainings fail in
    part; a process that does not know it takes that for effects.

    The logarithm of the variance is a line in the expected score, whose slope is drawn towards 0 as far as it is uncertain. A training far from what
    all others let expect counts less, as under a t distribution of `TAILS` degrees of freedom (Lange et al. 1989).
    """
    expected, square = process.left_out()
    x, y = expected - expected.mean(), np.log(square + 0.1)
    slope = float(x @ y / max(float(x @ x), 1e-300))
    rest = y - y.mean() - slope * x
    error = float(np.sqrt((rest @ rest) / (len(x) - 2) / max(float(x @ x), 1e-300)))
    slope *= max(0.0, 1 - (error / slope) ** 2) if slope else 0.0
    level = np.exp(slope * (expected - np.quantile(expected, GOOD)))
    alone = process.counts <= 1  # several trainings that agree are no accident
    return np.clip(level * np.where(alone, np.maximum(1.0, (TAILS + square) / (TAILS + 1)), 1.0), *LEAST_AND_MOST)


def _mode(
    starts: list[np.ndarray], apart: np.ndarray, z: np.ndarray, counts: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss where the posterior is highest, that place (d + 2,), and (d + 2, d + 2) about how wide it is there."""
    bounds = [(-BOUND, BOUND)] * len(starts[0])
    options = {"maxiter": 80}
    found = [
        minimize(_loss, start, (apart, z, counts), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        for start in starts
    ]
    best = min(found, key=lambda each: float(each.fun))
    return float(best.fun), best.x, best.hess_inv.todense()


def squared(one: np.ndarray, other: np.ndarray, categorical: np.ndarray) -> np.ndarray:
    """(d, n, m) squared distances along each parameter."""
    difference = one.T[:, :, None] - other.T[:, None, :]
    return np.where(categorical[:, None, None], difference != 0, difference**2)


def _distance(apart: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """In units of the length scales, from `squared`."""
    return np.asarray(np.sqrt(np.tensordot(np.exp(-2 * theta[:-2]), apart, axes=1)))


def _matern(distance: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The kernel, of distances in units of the length scales."""
    radius = np.sqrt(5) * distance
    return np.asarray(np.exp(2 * theta[-2]) * (1 + radius + radius**2 / 3) * np.exp(-radius) + LEVEL**2)


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix whose product with its transpose is the covariance, which is singular where points are near or equal."""
    try:
        slack = JITTER * float(np.trace(covariance)) / len(covariance)
        return np.asarray(np.linalg.cholesky(covariance + slack * np.eye(len(covariance))))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.clip(values, 0, None)))


def _covariance(apart: np.ndarray, theta: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return _matern(_distance(apart, theta), theta) + np.diag(np.exp(2 * theta[-1]) / counts + JITTER)


def _prior(theta: np.ndarray) -> tuple[float, np.ndarray]:
    """Negative logarithm of the prior's density, and its gradient."""
    mean = np.concatenate([np.full(len(theta) - 2, LENGTH[0]), [SIGNAL[0], NOISE[0]]])
    spread = np.concatenate([np.full(len(theta) - 2, LENGTH[1]), [SIGNAL[1], NOISE[1]]])
    off = (theta - mean) / spread
    return 0.5 * float(off @ off), off / spread


def _loss(theta: np.ndarray, apart: np.ndarray, z: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Negative logarithm of the posterior's density, and its gradient (Rasmussen and Williams 2006, Eq. 5.8 and 5.9)."""
    radius = np.sqrt(5) * _distance(apart, theta)
    signal, decay = np.exp(2 * theta[-2]), np.exp(-radius)
    bare = signal * (1 + radius + radius**2 / 3) * decay
    covariance = bare + LEVEL**2 + np.diag(np.exp(2 * theta[-1]) / counts + JITTER)
    factor = cho_factor(covariance, lower=True)
    alpha = cho_solve(factor, z)
    prior, slope = _prior(theta)
    value = 0.5 * float(z @ alpha) + float(np.log(np.diag(factor[0])).sum()) + prior
    outer = cho_solve(factor, np.eye(len(z))) - np.outer(alpha, alpha)
    bent = outer * signal * (1 + radius) * decay * (5 / 3)
    lengths = 0.5 * np.exp(-2 * theta[:-2]) * np.tensordot(apart, bent, axes=2)
    rest = [float((outer * bare).sum()), float((np.diag(outer) * np.exp(2 * theta[-1]) / counts).sum())]
    return value, np.concatenate([lengths, rest]) + slope


def _value(theta: np.ndarray, apart: np.ndarray, z: np.ndarray, counts: np.ndarray) -> float:
    """The loss alone; infinite where the covariance is none."""
    try:
        factor = cho_factor(_covariance(apart, theta, counts), lower=True)
    except np.linalg.LinAlgError:
        return np.inf
    return 0.5 * float(z @ cho_solve(factor, z)) + float(np.log(np.diag(factor[0])).sum()) + _prior(theta)[0]


def _walk(
    mode: np.ndarray,
    shape: np.ndarray,
    apart: np.ndarray,
    z: np.ndarray,
    counts: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """(DRAWS, d + 2) draws from the posterior: a Metropolis walk whose step is tuned as it burns in."""
    size = len(mode)
    values, vectors = np.linalg.eigh((shape + shape.T) / 2)
    root = vectors * np.sqrt(np.clip(values, 0.01, 1.0))
    step = 2.4 / np.sqrt(size)
    here, value = mode, _value(mode, apart, z, counts)
    kept = []
    for number in range(BURN_IN + DRAWS * THIN):
        there = here + step * root @ generator.standard_normal(size)
        new = _value(there, apart, z, counts)
        taken = np.log(generator.random()) < value - new
        if taken:
            here, value = there, new
        if number < BURN_IN:
            step *= np.exp((float(taken) - 0.3) / np.sqrt(number + 1))
        elif (number - BURN_IN) % THIN == THIN - 1:
            kept.append(here)
    return np.array(kept)
