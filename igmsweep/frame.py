"""A sweep's folder as one tidy DataFrame: a view of what `igmsweep.record.folder` reads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from igmsweep.gate.numbers import GREATEST, whole
from igmsweep.legible import VALUE, clean, shortened
from igmsweep.record.bad_samples import told_of_data
from igmsweep.record.folder import SweepFolder, find_sweeps
from igmsweep.record.json_files import read_lines
from igmsweep.record.paths import METRICS, SPEC, trial_folder
from igmsweep.record.predictions import Predictions, joined, read_predictions
from igmsweep.record.rows import TrialRow
from igmsweep.record.states import State
from igmsweep.record.wording import said

COLUMNS = (
    *("trial", "state", "source", "repeat_of", "seed", "attempt", "rung", "folds", "seconds", "gpu_hours", "epochs"),
    *("config_hash", "duplicate_of"),
)
NUMERIC = ("repeat_of", "seed", "attempt", "rung", "folds", "seconds", "gpu_hours", "epochs", "duplicate_of")
NAME = 255
"""Characters of a sweep's name, which names folders."""
MOST = 256
"""Searched parameters, and choices of one, that are looked at: the work grows with the square of them."""
DESIGNED = ("grid", "random", "sobol")
"""Samplers that choose points without looking at scores: their medians are those of the space itself."""


@dataclass(frozen=True, eq=False)  # one object, one sweep: what is derived from it may be kept
class Sweep:
    """One sweep as its folder tells it. `trials` has a row a trial: `trial`, `state`, `source`, `repeat_of` (the trial
    whose configuration it repeats with another `seed`), `attempt`, `rung` (cycles trained, of a trial stopped early),
    `folds` (how many), `seconds` (s), `gpu_hours`, `epochs`, `params.<path>`, `metrics.<name>` (over folds: the mean),
    `stderr.<name>`, `error.class`, `error.message`. `folds` has a row a trial and fold: `trial`, `fold`, `<name>`."""

    dir: Path
    spec: dict[str, Any]
    meta: dict[str, Any]
    trials: pd.DataFrame
    folds: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["trial", "fold"]))
    test_opened: int | None = None
    """How often `igmsweep evaluate` opened the test set; None: never."""
    tests: tuple[dict[str, Any], ...] = ()
    """The finished evaluations of `test_eval.json`, the latest last: `candidates` with their metrics' `mean` and `sd`,
    `comparison`, and in `train_on` what the models were trained on."""
    notes: tuple[str, ...] = field(default=())
    """What could not be read, in plain words."""
    said: tuple[str, ...] = ()
    """What methods noted in trainings, such as that they could not act; see `record.wording.said`."""
    rungs: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    """Trial -> cycle, from 1 -> the score at its end, of the trials that reported any."""
    negligible: float | None = None
    """A difference of scores that the reader calls next to nothing; None: one standard error of a difference of two trainings."""

    @property
    def test(self) -> dict[str, Any]:
        """The latest of `tests`; empty where there is none."""
        return self.tests[-1] if self.tests else {}

    @property
    def name(self) -> str:
        return clean(shortened(str(self.spec.get("name") or self.dir.name), NAME))

    @property
    def metric(self) -> str:
        """Name of the validation score that the search maximised or minimised, such as `val/acc`."""
        return str(_map(self.spec.get("metric")).get("name") or "val/acc")

    @property
    def maximise(self) -> bool:
        return str(_map(self.spec.get("metric")).get("mode") or "max") != "min"

    @property
    def data(self) -> dict[str, Any]:
        data = self.spec.get("data")
        return dict(data) if isinstance(data, Mapping) else {"name": data} if data else {}

    @property
    def data_notes(self) -> list[str]:
        """What is to be known of the samples, a line each: how many were left out or filled, and where the parts are not official."""
        return told_of_data(self.data)

    @property
    def method(self) -> str:
        method = self.spec.get("method")
        return str(_map(method).get("name", "")) if isinstance(method, Mapping) else str(method or "")

    @property
    def modalities(self) -> list[str]:
        named = self.data.get("modalities")
        if isinstance(named, (list, tuple, Mapping)) and named:
            return [str(each) for each in named]
        parts = [column.split("/") for column in self.trials.columns if str(column).startswith("metrics.val/")]
        return sorted({part[1] for part in parts if len(part) == 3})

    @property
    def sampler(self) -> str:
        sampler = self.spec.get("sampler")
        return str(_map(sampler).get("name") or "") if isinstance(sampler, Mapping) else str(sampler or "")

    @property
    def space(self) -> dict[str, dict[str, Any]]:
        """Searched path -> its entry of the search space (`type`, `low`, `high`, `log`, `choices`, `when`); the first `MOST`, and of each
        the first `MOST` choices."""
        params = _map(_map(self.spec.get("space")).get("params"))
        space = {str(path): dict(_map(entry)) for path, entry in islice(params.items(), MOST)}
        for column in self.trials.columns:  # a sweep whose sweep.yaml is lost still shows what was varied
            if str(column).startswith("params.") and len(space) < MOST:
                space.setdefault(str(column)[7:], {})
        for entry in space.values():
            if isinstance(entry.get("choices"), list):
                entry["choices"] = entry["choices"][:MOST]
        return space

    @property
    def paper(self) -> dict[str, Any]:
        """The paper's value of each searched path, where it has one."""
        return dict(_map(self.spec.get("paper")))

    @property
    def shown_metrics(self) -> list[str]:
        """The fused validation metrics to draw, the objective first: accuracy and MAP, or what the data set reports."""
        named = self.data.get("metrics") or ["acc", "map"]
        names = [self.metric, *(name if "/" in str(name) else f"val/{name}" for name in named)]
        present = [name for name in dict.fromkeys(names) if f"metrics.{name}" in self.trials.columns]
        return present[:3] or [self.metric]

    @property
    def gpus_per_trial(self) -> float:
        return _number(_map(self.spec.get("resources")).get("gpus_per_trial") or 0)

    def completed(self) -> pd.DataFrame:
        """Trials that were trained to their end, with a finite score, best first; copies of an earlier trial and
        repeats of one with another seed are left out."""
        return self._scored(State.COMPLETE)

    def pruned(self) -> pd.DataFrame:
        """Trials that a scheduler stopped early, best first. Their scores are those of their last rung."""
        return self._scored(State.PRUNED)

    def repeats(self, trial: int) -> pd.DataFrame:
        """The completed trainings of one configuration: the trial itself, then its repeats with other seeds."""
        frame, column = self.trials, f"metrics.{self.metric}"
        if column not in frame.columns:
            return frame.iloc[:0]
        same = (frame["trial"] == trial) | (frame["repeat_of"] == trial)
        return frame[same & (frame["state"] == State.COMPLETE) & frame[column].notna()]

    def _scored(self, state: State) -> pd.DataFrame:
        column = f"metrics.{self.metric}"
        frame = self.trials
        if column not in frame.columns:
            return frame.iloc[:0]
        keep = (frame["state"] == state) & frame[column].notna()
        keep &= frame["duplicate_of"].isna() & frame["repeat_of"].isna()
        equals = {"metrics.val/loss": True, "metrics.val/map": False}  # as `record.ranking.among_equals`
        order = {column: not self.maximise} | {name: up for name, up in equals.items() if name in frame.columns}
        order["trial"] = True
        return frame[keep].sort_values(list(order), ascending=list(order.values()), kind="stable")

    def history(self, trial: int) -> pd.DataFrame:
        """One row an epoch of `trials/N/metrics.jsonl`; empty where there is none."""
        return pd.DataFrame(read_lines(trial_folder(self.dir, trial) / METRICS)[0])

    def predictions(self, trial: int) -> Predictions | None:
        """What a trial's final weights predict of each validation sample, with folds those of one after the other; None where that was
        not kept."""
        place, folds = trial_folder(self.dir, trial), self.trials.loc[self.trials["trial"] == trial, "folds"]
        if not len(folds) or not folds.iloc[0] > 1:
            return read_predictions(place)
        parts = [read_predictions(place, fold) for fold in range(int(folds.iloc[0]))]
        there = [part for part in parts if part is not None]
        return joined(there) if len(there) == len(parts) else None


def read_sweep(path: Path | str) -> Sweep:
    """Read one sweep folder: finished, running, interrupted, damaged or empty.

    Raises:
        UserError: `path` is not a sweep's folder.
    """
    folder = SweepFolder.read(path)
    opened = folder.test_eval
    count = None if opened is None else whole(opened.get("count")) or 1
    entries = (opened or {}).get("evaluations")
    finished = [entry for entry in entries if _map(entry).get("candidates")] if isinstance(entries, list) else []
    sweep = Sweep(
        folder.path,
        dict(folder.spec),
        dict(folder.meta),
        _tidy(folder.rows.values()),
        _folds(folder.rows.values()),
        count,
        tuple(finished),
        (*folder.notes, *_beyond(folder.spec)),
        tuple(said(folder.rows.values())),
        {number: row.rungs for number, row in folder.rows.items() if row.rungs},
    )
    if sweep.gpus_per_trial > 0:
        sweep.trials["gpu_hours"] = sweep.trials["seconds"] * sweep.gpus_per_trial / 3600
    return sweep


def load(*paths: Path | str) -> pd.DataFrame:
    """Every trial of the given sweeps (or folders of sweeps) as one tidy DataFrame: `sweep`, `method`, `data`,
    `sampler`, then the columns of `Sweep.trials`.

    Raises:
        UserError: a path that is neither a sweep nor a folder of sweeps.
    """
    frames = []
    for folder in dict.fromkeys(found for path in paths for found in find_sweeps(path)):
        sweep = read_sweep(folder)
        frame = sweep.trials.copy()
        for place, (name, value) in enumerate(
            {
                "sweep": sweep.name,
                "method": sweep.method,
                "data": sweep.data.get("name"),
                "sampler": sweep.sampler,
            }.items()
        ):
            frame.insert(place, name, value)
        frames.append(frame)
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat(filled, ignore_index=True)


def _beyond(spec: Mapping[str, Any]) -> list[str]:
    """What of a search space is more than `MOST`, a remark each."""
    params = _map(_map(spec.get("space")).get("params"))
    found = [(len(params), "parameters")] + [
        (len(choices), f"choices of {shortened(str(path), VALUE)}")
        for path, entry in islice(params.items(), MOST)
        if isinstance(choices := _map(entry).get("choices"), list)
    ]
    return [
        f"{SPEC}: {count:,} {what}, of which the first {MOST} are analyzed" for count, what in found if count > MOST
    ][:3]


def _tidy(rows: Iterable[TrialRow]) -> pd.DataFrame:
    flat = []
    for row in rows:
        out: dict[str, Any] = {
            "trial": row.trial, "state": str(row.state), "source": row.source, "repeat_of": row.repeat_of,
            "seed": row.seed, "attempt": None if row.is_duplicate else row.attempt, "rung": row.rung,
            "folds": len(row.folds) or None, "seconds": row.seconds, "gpu_hours": None, "epochs": row.epochs,
            "config_hash": row.config_hash, "duplicate_of": row.duplicate_of,
        }  # fmt: skip
        parts = {"params": row.params, "metrics": row.metrics, "stderr": row.stderr}
        for part, told in (parts | {"error": row.error.plain() if row.error else {}}).items():
            out.update({f"{part}.{key}": value for key, value in told.items()})
        flat.append(out)
    names = dict.fromkeys([*COLUMNS, "error.class", "error.message", *(key for row in flat for key in row)])
    columns = {}
    for name in names:
        values = [row.get(name) for row in flat]
        if name == "trial":
            columns[name] = pd.Series(values, dtype="int64")
        elif name in NUMERIC or name.startswith(("metrics.", "stderr.")) or _all_numbers(values):
            columns[name] = pd.Series([_number(value) for value in values], dtype="float64")
        else:
            columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def _folds(rows: Iterable[TrialRow]) -> pd.DataFrame:
    """Long form of the per-fold metrics that the trials carry."""
    long = [
        {"trial": row.trial, "fold": fold, **{name: _number(value) for name, value in metrics.items()}}
        for row in rows
        if row.complete
        for fold, metrics in enumerate(row.folds)
    ]
    return pd.DataFrame(long) if long else pd.DataFrame(columns=["trial", "fold"])


def _all_numbers(values: list[Any]) -> bool:
    given = [value for value in values if value is not None]
    return bool(given) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given)


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if abs(number) <= GREATEST else math.nan


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
