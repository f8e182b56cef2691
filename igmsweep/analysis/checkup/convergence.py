"""What more trials are expected to bring."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

from igmsweep.analysis.checkup.advice import Advice, gain_words, proposed, resume_command, worth
from igmsweep.frame import DESIGNED, Sweep

MORE = 20
"""Trials more that the estimate is for."""
FEWEST = 20
"""With fewer completed trials neither estimate means anything."""


def expected_best(scores: np.ndarray, count: int) -> float:
    """The mean of the best of `count` scores drawn without replacement from (n,) `scores`, more being better: the U-statistic of
    Dodge et al. 2019's expected validation performance."""
    ordered = np.sort(scores)
    n = len(ordered)
    rank = np.arange(
        count, n + 1
    )  # the best of the draw is the rank-th smallest: C(rank-1, count-1) of C(n, count) draws
    log = _log_choose(rank - 1, count - 1) - _log_choose(np.array(n), count)
    return float(np.exp(log) @ ordered[count - 1 :])


def expected_gain(sweep: Sweep, more: int = MORE) -> float | None:
    """By how much `more` trials are expected to raise the best score (lower it, where it is minimised), in the metric's unit;
    None with fewer than 20 completed trials, and for a grid, which has an end.

    The expected best of n trials less that of n/2 is what the last doubling brought; the next trials bring its share
    log2((n + more) / n), as if every doubling brought as much. Of a sampler that looks at scores only the last two thirds of the
    trials count, in which it has settled: on simulated TPE sweeps of 24 to 64 trials this has a third of the error of
    going on at the pace of the best so far. Scores are those that trials are chosen by, so their luck is in it.
    """
    done = sweep.completed()
    done = done[~done["source"].astype(str).str.startswith("enqueue")].sort_values("trial")
    if len(done) < FEWEST or sweep.sampler == "grid":
        return None
    scores = done[f"metrics.{sweep.metric}"].to_numpy() * (1 if sweep.maximise else -1)
    if sweep.sampler not in DESIGNED:
        scores = scores[len(scores) // 3 :]
    n = len(scores)
    doubling = float(scores.max()) - expected_best(scores, n // 2)
    return doubling * math.log2((n + more) / n) / math.log2(n / (n // 2))


def not_converged(sweep: Sweep) -> Advice | None:
    """More trials are expected to bring more than is worth a sentence."""
    gain = expected_gain(sweep)
    if gain is None or gain < worth(sweep):
        return None
    seen = f"The search has not converged: {MORE} more trials are expected to bring about {gain_words(gain, sweep.metric)}."
    return Advice("convergence", seen, "Extend it:", resume_command(sweep, "--trials", proposed(sweep) + MORE))


def outlook(sweep: Sweep) -> str:
    """What to expect of more trials, as a sentence where the search has converged; else an empty string."""
    gain = expected_gain(sweep)
    if gain is None or gain >= worth(sweep):
        return ""
    return f"{MORE} more trials are expected to bring about {gain_words(gain, sweep.metric)}: the search may stop here."


def _log_choose(n: np.ndarray, k: int) -> np.ndarray:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
