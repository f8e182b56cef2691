"""Whether every modality takes part in the best trials."""

from __future__ import annotations

import math

import pandas as pd

from igmsweep.analysis.checkup.advice import BEST, Advice, score_words, section, tune_command
from igmsweep.frame import Sweep

CLEAR = 3
"""Standard errors of the validation sample above chance from which a modality has learnt something."""
ALONE = 0.0
"""What fusion must add to the best modality alone, on average over the best trials."""


def chance(sweep: Sweep) -> float | None:
    """The accuracy of guessing among equally frequent classes; None where their number is not known."""
    classes = sweep.data.get("classes")
    count = len(classes) if isinstance(classes, (list, tuple, dict)) else classes
    return 1 / count if isinstance(count, int) and not isinstance(count, bool) and count > 1 else None


def samples(sweep: Sweep) -> int | None:
    """Validation samples of a training; None where that is not known."""
    count = sweep.data.get("val")
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 1 else None


def near_chance(sweep: Sweep) -> float | None:
    """The accuracy up to which a prediction may be a guess; None where chance is not known."""
    guess, count = chance(sweep), samples(sweep)
    return None if guess is None or count is None else guess + CLEAR * math.sqrt(guess * (1 - guess) / count)


def ends_at_chance(sweep: Sweep, frame: pd.DataFrame) -> pd.Series:
    """Which trials of a frame are complete and no better than chance."""
    limit = near_chance(sweep)
    if limit is None or "metrics.val/acc" not in frame.columns:
        return pd.Series(False, index=frame.index)
    return (frame["state"] == "complete") & (frame["metrics.val/acc"] <= limit)


def untouched_modality(sweep: Sweep) -> Advice | None:
    """In most of the best trials a modality's own accuracy is near chance, or a modality alone is as good as the fusion."""
    best, limit = sweep.completed().head(BEST), near_chance(sweep)
    own = {name: f"metrics.val/{name}/acc" for name in sweep.modalities}
    if len(best) < BEST or len(own) < 2 or not {"metrics.val/acc", *own.values()} <= set(best.columns):
        return None
    for name, column in own.items():
        if limit is not None and (best[column] <= limit).sum() > BEST / 2 and best["metrics.val/acc"].median() > limit:
            seen = (
                f"{name} is near chance on its own in the best {len(best)} trials "
                f"({score_words(best[column].median(), 'val/acc')}; chance is {score_words(chance(sweep) or 0, 'val/acc')}): it was not learnt."
            )
            return _help(sweep, name, seen)
    alone = max(own, key=lambda name: float(best[own[name]].mean()))
    gain = best["metrics.val/acc"] - best[own[alone]]
    if gain.mean() > ALONE or (gain <= ALONE).sum() <= BEST / 2:
        return None
    seen = (
        f"{alone} alone is as good as all modalities together in the best {len(best)} trials ({score_words(best[own[alone]].mean(), 'val/acc')} against "
        f"{score_words(best['metrics.val/acc'].mean(), 'val/acc')}): fusion adds nothing."
    )
    weakest = min(own, key=lambda name: float(best[own[name]].mean()))
    return _help(sweep, weakest, seen)


def _help(sweep: Sweep, name: str, seen: str) -> Advice:
    epochs = section(sweep, "stages").get("epochs")
    now = epochs.get(name) if isinstance(epochs, dict) else None
    do = f"Look at its data and encoder, widen the range of optim.lr.{name}, or train it longer than the others:"
    command = tune_command(sweep, ("--set", f"stages.epochs.{name}={2 * now}")) if isinstance(now, int) else ""
    return Advice("modality", seen, do if command else do.rpartition(",")[0] + ".", command)
