"""What the learning curves of the best trials say: trained long enough, too long, or by chance at a good epoch."""

from __future__ import annotations

import numpy as np

from igmsweep.analysis.checkup.advice import (
    BEST,
    Advice,
    clearly_above_zero,
    gain_words,
    resume_command,
    score_words,
    section,
    tune_command,
    worth,
)
from igmsweep.analysis.checkup.curves import Curves, curves
from igmsweep.analysis.ranking import winner
from igmsweep.frame import Sweep

LEVEL = 0.01
"""Of each one-sided t-test over the best trials: few curves, and selected ones."""
JUMP = 5
"""Times what is worth a sentence: a last epoch that moves a score by five points decides a ranking."""
UNUSUAL = 3
"""Robust standard deviations: the winner's last step must stand out from what the other good trials do at that epoch."""
ALONE = 1.0
"""A swing counts where it is larger than the standard deviation of the best trials' final scores: then the epoch at which
training ends decides which of them wins."""
SWINGING = 0.05
"""Of the t-test that swings are above what is worth a sentence: falls are skewed, so that 1 % would miss a swing of three points."""
FEWEST_STEPS = 10
"""Steps inside stages, of all curves together, from which a swing is estimated."""
FALL = 1 / np.sqrt(np.pi)
"""Mean fall from one value to the next, rises counted as 0, of independent normal values with standard deviation 1."""


def still_improving(sweep: Sweep) -> Advice | None:
    """The mean score of the last cycle is above that of the one before, paired over the best trials, and one more cycle is
    expected to bring more than is worth a sentence: the last gain, shrunk as it shrank from the gain before."""
    found = curves(sweep)
    if found is None:
        return None
    means = found.means(found.score)[:BEST]
    gains = np.diff(means, axis=1)
    last = gains[:, -1]
    shrinks = 1.0
    if gains.shape[1] > 1 and gains[:, -2].mean() > 0:
        shrinks = float(np.clip(last.mean() / gains[:, -2].mean(), 0, 1))
    if not clearly_above_zero(last, LEVEL) or shrinks * last.mean() < worth(sweep):
        return None
    before = f", after {gain_words(gains[:, -2].mean(), sweep.metric)} in the one before" if gains.shape[1] > 1 else ""
    seen = (
        f"The best {len(means)} trials were still improving when training ended: their mean score over the last {found.word} is "
        f"{gain_words(last.mean(), sweep.metric)} above the one before{before}."
    )
    command = tune_command(sweep, ("--set", f"stages.cycles={2 * _cycles(sweep, found)}"))
    return Advice("still improving", seen, "Train longer:", command)


def last_epoch(sweep: Sweep) -> Advice | None:
    """The winner's score jumps in its last epoch as those of the other good trials do not, and no other seed confirms it."""
    found = curves(sweep)
    if found is None or winner(sweep) != found.trials[0] or len(sweep.repeats(found.trials[0])) > 1:
        return None
    steps = found.score[:, -1] - found.score[:, -2]
    usual = float(np.median(steps[1:]))
    spread = 1.4826 * float(np.median(np.abs(steps[1:] - usual)))
    if abs(steps[0] - usual) < max(JUMP * worth(sweep), UNUSUAL * spread):
        return None
    sign = 1 if sweep.maximise else -1
    before, after = (score_words(sign * score, sweep.metric) for score in found.score[0, -2:])
    seen = (
        f"The score of the best trial, {found.trials[0]}, stands or falls with one epoch: from {before} to {after} in its last, "
        f"where the other good trials change by {gain_words(usual, sweep.metric)}."
    )
    return Advice("last epoch", seen, "Train it again with other seeds:", resume_command(sweep, "--seeds", 3))


def overfitting(sweep: Sweep) -> Advice | None:
    """Over the last third of the training the training loss falls while the validation loss rises, both paired over the best
    trials, and the score gains nothing for it. Without a validation loss: the score falls."""
    found = curves(sweep)
    if found is None or found.train_loss is None:
        return None
    start = found.pieces - 1 - max(1, found.pieces // 3)
    train = found.means(found.train_loss)[:BEST]
    score = found.means(found.score)[:BEST]
    falls = train[:, start] - train[:, -1]
    gain = score[:, -1] - score[:, start]
    worse = -gain
    told = f"the validation score by {gain_words(float(-gain.mean()), sweep.metric)}"
    if found.val_loss is not None:
        loss = found.means(found.val_loss)[:BEST]
        worse = loss[:, -1] - loss[:, start]
        told = f"validation loss rose from {loss[:, start].mean():.3g} to {loss[:, -1].mean():.3g}"
    if not (clearly_above_zero(falls, LEVEL) and clearly_above_zero(worse, LEVEL)) or gain.mean() > worth(sweep):
        return None
    told = told if found.val_loss is not None else told + " fell"
    seen = (
        f"The best {len(train)} trials overfit at the end: training loss fell from {train[:, start].mean():.3g} to "
        f"{train[:, -1].mean():.3g} while {told} (means over a {found.word})."
    )
    fewer = max(1, _cycles(sweep, found) * (start + 1) // found.pieces)
    return Advice(
        "overfitting", seen, "Train shorter, keep the best epoch, or search more weight decay:",
        tune_command(sweep, ("--set", f"stages.cycles={fewer}"), ("--set", "stages.handover=best_val")),
    )  # fmt: skip


def swings(sweep: Sweep) -> Advice | None:
    """Inside the stages of the last cycle scores fall back from epoch to epoch, clearly by more than is worth a sentence and by more
    than the best trials differ. Only falls
    are looked at, so that a curve that still rises does not count as one that swings."""
    found = curves(sweep)
    if found is None:
        return None
    inside = (np.diff(found.stage) == 0) & (found.piece[1:] == found.pieces - 1)
    steps = np.diff(found.score, axis=1)[:, inside]
    if steps.size < FEWEST_STEPS:
        return None
    each = np.maximum(-steps, 0).mean(axis=1) / FALL
    swing, spread = float(each.mean()), float(found.score[:BEST, -1].std(ddof=1))
    if not clearly_above_zero(each - worth(sweep), SWINGING) or swing < ALONE * spread:
        return None
    seen = (
        f"Scores of the best {len(each)} trials swing by {gain_words(swing, sweep.metric)} from epoch to epoch at the end of training "
        f"(standard deviation), while the final scores of the best {BEST} differ by {gain_words(spread, sweep.metric)}: the last epoch "
        "decides which of them wins."
    )
    stages, optim = (section(sweep, name) for name in ("stages", "optim"))
    if stages.get("handover") in ("best_val", "best_fused"):
        falling = optim.get("schedule") in ("step", "step_early")
        options = (
            [("--set", "optim.factor=0.03")]
            if falling
            else [("--set", "optim.schedule=step"), ("--set", "optim.step_size=2")]
        )
        return Advice(
            "swings", seen, "Let the learning rate fall further within a stage:", tune_command(sweep, *options)
        )
    return Advice(
        "swings", seen, "Hand over the best epoch:", tune_command(sweep, ("--set", "stages.handover=best_val"))
    )


def _cycles(sweep: Sweep, found: Curves) -> int:
    cycles = section(sweep, "stages").get("cycles")
    return cycles if isinstance(cycles, int) else found.pieces if found.cycles else 1
