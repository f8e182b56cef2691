"""Methods or sweeps side by side on equal footing: what each search chose, and what can be said of their differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from igmsweep.analysis.comparison.expected import expected_best
from igmsweep.analysis.comparison.footing import ended, equal_footing, shown_name, trainings
from igmsweep.analysis.comparison.judged import Judged, judge
from igmsweep.analysis.comparison.ranks import Ranks, mean_ranks
from igmsweep.analysis.comparison.tested import tests
from igmsweep.analysis.facts import cost_text
from igmsweep.analysis.ranking import ranked
from igmsweep.analysis.tables import SE
from igmsweep.errors import NothingCompleted, UserError
from igmsweep.frame import Sweep


@dataclass(frozen=True, eq=False)
class Comparison:
    """`sweeps`: each cut to the common footing. `table`: a row a sweep. `judged`: what is said of each data set. `curves`: the expected
    best, a row a sweep and budget. `ranks`: over several data sets. `warnings`: what was left out, and what keeps it from being fair."""

    sweeps: tuple[Sweep, ...]
    table: pd.DataFrame
    judged: tuple[Judged, ...]
    curves: pd.DataFrame
    ranks: Ranks | None
    warnings: tuple[str, ...]

    @property
    def differences(self) -> pd.DataFrame:
        """A row a data set, metric and pair; see `verdicts.pair_table`."""
        return pd.concat([each.differences for each in self.judged], ignore_index=True)


def compare_sweeps(sweeps: Sequence[Sweep], allow_different: bool = False) -> Comparison:
    """Cut the sweeps of each data set to what they have in common, and compare the methods tuned with that budget.

    The table's columns: `data`, `method`, `sweep`, `metric`, `trials` (the budget), `trainings` (repeats included), `completed`,
    `best_trial`; each validation metric of the best configuration with its standard error `<metric>.se`, and `basis`, what that is over;
    `<metric>.standing`: `best`, `tied` (not told apart from the best, with 5 % of any false claim in a data set and metric), `behind` or
    `unknown`; `held_out` with `.low` and `.high` (95 %), where predictions were kept: the objective of what the search chooses, on samples
    that had no part in the choice; `expected` with `.low` and `.high` (90 %): the expected best score within the budget, without an
    interval where the sampler learns; `median` and `iqr` of all completed trials' objective; `seconds` in all; `data_notes`, what is
    to be known of the samples; `test/<name>` and `test/<name>.sd` where the sweep was evaluated, and `test_train_on`, what those models were trained on.

    Raises:
        UserError: fewer than two sweeps, or (unless `allow_different`) sweeps of one data set that differ in data hash, split, folds or
            metric: the message names the first difference.
        NothingCompleted: a sweep without a completed trial within the budget.
    """
    if len(sweeps) < 2:
        raise UserError(f"compare: found {len(sweeps)} sweep{'s' * (len(sweeps) != 1)}, expected at least two")
    warnings: list[str] = []
    by_data: dict[str, list[Sweep]] = {}
    for sweep in sweeps:
        by_data.setdefault(str(sweep.data.get("name", "unknown")), []).append(sweep)
    cut: list[Sweep] = []
    rows, judged, curves = [], [], []
    for data, group in by_data.items():
        part = equal_footing(data, group, allow_different, warnings)
        for sweep in part:
            if sweep.completed().empty:
                raise NothingCompleted(f"{sweep.dir}: no trial has completed within the first {len(ended(sweep))}")
        judged.append(judge(data, part))
        tested = tests(data, part, allow_different, warnings)
        for sweep, columns, test in zip(part, judged[-1].columns, tested, strict=True):
            found = expected_best(sweep)
            curves.append(found.curve.assign(data=data, sweep=shown_name(sweep, part), one_draw=found.one_draw))
            last = found.curve.iloc[-1]
            expected = {"expected": last["expected"], "expected.low": last["low"], "expected.high": last["high"]}
            rows.append(_row(data, sweep) | columns | expected | test)
        cut += part
    table = pd.DataFrame(rows)
    return Comparison(
        tuple(cut), table, tuple(judged), pd.concat(curves, ignore_index=True), _ranks(cut, table), tuple(warnings)
    )


def _row(data: str, sweep: Sweep) -> dict[str, Any]:
    done = sweep.completed()
    best = ranked(sweep, top=1).iloc[0]
    row: dict[str, Any] = {
        "data": data, "method": sweep.method, "sweep": sweep.name, "metric": sweep.metric, "trials": len(ended(sweep)),
        "trainings": trainings(sweep), "completed": len(done), "best_trial": int(best["trial"]), "basis": best["basis"],
    }  # fmt: skip
    for metric in sweep.shown_metrics:
        own = ranked(sweep, metric, top=1)
        if len(own):
            row[metric], row[metric + SE] = float(own["mean"].iloc[0]), float(own["se"].iloc[0])
    quartiles = np.quantile(done[f"metrics.{sweep.metric}"], [0.25, 0.5, 0.75])
    row |= {"median": float(quartiles[1]), "iqr": float(quartiles[2] - quartiles[0])}
    row |= {"seconds": float(sweep.trials["seconds"].sum()), "cost": cost_text(sweep)}
    return row | {"data_notes": "; ".join(sweep.data_notes)}


def _ranks(sweeps: Sequence[Sweep], table: pd.DataFrame) -> Ranks | None:
    """Of methods that have one sweep on each data set, by what their searches chose: held out where predictions were kept on all sides."""
    if table["data"].nunique() < 2 or table.duplicated(["data", "method"]).any():
        return None
    signs = {True: 1.0, False: -1.0}
    scores = []
    for (_, row), sweep in zip(table.iterrows(), sweeps, strict=True):
        group = table[table["data"] == row["data"]]
        held = "held_out" in table and group["held_out"].notna().all()
        scores.append(signs[sweep.maximise] * float(row["held_out"] if held else row[sweep.metric]))
    wide = table.assign(score=scores).pivot(index="method", columns="data", values="score")
    return mean_ranks(wide.reindex(index=table["method"].unique(), columns=table["data"].unique()))
