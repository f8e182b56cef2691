"""What a rule of the check-up says, and the words and measures that rules share."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from igmsweep.analysis.names import unit
from igmsweep.analysis.tables import is_share, score_text
from igmsweep.frame import Sweep

POINT = 0.01
"""Of a share: a reader changes nothing for less than a point."""
PART = 0.02
"""The same of a metric that is no share, such as a loss, as a part of the best score."""
BEST = 5
"""Trials that stand for the best, where there are not more than fifty: one alone may be luck."""


@dataclass(frozen=True)
class Advice:
    """`seen`: what was seen, with numbers, a sentence. `do`: what to do about it, a sentence. `command`: one that does it."""

    rule: str
    seen: str
    do: str
    command: str = ""

    @property
    def text(self) -> str:
        """All of it on one line."""
        return f"{self.seen} {self.do}" + (f" `{self.command}`" if self.command else "")


def worth(sweep: Sweep) -> float:
    """The least difference of the sweep's metric that is worth a sentence, in the metric's own unit."""
    if is_share(sweep.metric):
        return POINT
    done = sweep.completed()
    return PART * abs(float(done[f"metrics.{sweep.metric}"].iloc[0])) if len(done) else 0.0


def best_trials(sweep: Sweep) -> pd.DataFrame:
    """The best tenth of the completed trials, at least `BEST`; empty where that is over a quarter of them."""
    done = sweep.completed()
    count = max(BEST, len(done) // 10)
    return done.head(count if 4 * count <= len(done) else 0)


def clearly_above_zero(values: np.ndarray, level: float) -> bool:
    """Whether the mean of a few paired differences is above 0 by a one-sided t-test."""
    values = values[np.isfinite(values)]
    if len(values) < 3 or values.mean() <= 0:
        return False
    return bool(values.std() == 0 or stats.ttest_1samp(values, 0, alternative="greater").pvalue < level)


def score_words(score: float, metric: str) -> str:
    """`94.26 %`, or a loss as it is."""
    return score_text(metric, score) + (" %" if is_share(metric) else "")


def gain_words(difference: float, metric: str) -> str:
    """`1.3 points`, or a difference of losses as it is."""
    factor, suffix = unit(metric)
    return f"{factor * difference:.2g} {'points' if suffix else 'of ' + metric}"


def tune_command(sweep: Sweep, *options: tuple[str, str]) -> str:
    """The command of this sweep with other options, such as `("--set", "stages.cycles=6")`, and a folder of its own."""
    given = sweep.meta.get("command")
    words = [str(word) for word in given] if isinstance(given, list) else []
    if words[1:2] == ["tune"]:
        words[0] = "igmsweep"  # it may have been called as a module
    else:
        words = ["igmsweep", "tune", str(sweep.data.get("name", "DATASET"))]
        words += ["--method", sweep.method] if sweep.method else []
    parts: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            parts.append(word.split("=", 1))
        elif len(parts[-1]) == 1 and parts[-1][0].startswith("--"):
            parts[-1].append(word)
        else:
            parts.append([word])
    changed = {"--out", "--name", *(_key(option) for option in options)}
    kept = [word for part in parts if part and _key(part) not in changed for word in part]
    return shlex.join([*kept, *(word for option in options for word in option)])


def resume_command(sweep: Sweep, option: str, value: int) -> str:
    """This sweep taken up again, with another option."""
    return shlex.join(["igmsweep", "resume", str(sweep.dir), option, str(value)])


def section(sweep: Sweep, name: str) -> dict[str, Any]:
    """A section of the configuration that trials share, such as `stages`; empty where it is not known."""
    base = sweep.spec.get("base_config")
    found = base.get(name) if isinstance(base, dict) else None
    return found if isinstance(found, dict) else {}


def proposed(sweep: Sweep) -> int:
    """Trials of the search, repeats with other seeds left out."""
    return int(sweep.trials["repeat_of"].isna().sum())


def _key(option: Sequence[str]) -> str:
    """What an option is about: `--set` is about its path."""
    return " ".join([option[0], option[1].partition("=")[0]]) if option[0] == "--set" and len(option) > 1 else option[0]
