"""A sweep's folder as one tidy DataFrame. Only reads text (JSON, JSON lines, YAML); nothing is ever unpickled.

The ledger `trials.jsonl` is the truth: its last line of a trial wins. A trial's own `result.json` fills in what a
driver that died could not write down.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from igmsweep.errors import UserError

COLUMNS = (
    *("trial", "state", "source", "repeat_of", "seed", "attempt", "rung", "folds", "seconds", "gpu_hours", "epochs"),
    *("config_hash", "duplicate_of"),
)
NUMERIC = ("repeat_of", "seed", "attempt", "rung", "folds", "seconds", "gpu_hours", "epochs", "duplicate_of")
FINISHED = ("complete", "failed", "pruned")
DESIGNED = ("grid", "random")
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
    test: dict[str, Any] = field(default_factory=dict)
    """The latest entry of `test_eval.json`: `candidates` with their metrics' `mean` and `sd`, `comparison`."""
    notes: tuple[str, ...] = field(default=())
    """What could not be read, in plain words."""

    @property
    def name(self) -> str:
        return str(self.spec.get("name") or self.dir.name)

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
        """Searched path -> its entry of the search space (`type`, `low`, `high`, `log`, `choices`, `when`)."""
        params = _map(_map(self.spec.get("space")).get("params"))
        space = {str(path): dict(_map(entry)) for path, entry in params.items()}
        for column in self.trials.columns:  # a sweep whose sweep.yaml is lost still shows what was varied
            if str(column).startswith("params."):
                space.setdefault(str(column)[7:], {})
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
        return self._scored("complete")

    def pruned(self) -> pd.DataFrame:
        """Trials that a scheduler stopped early, best first. Their scores are those of their last rung."""
        return self._scored("pruned")

    def repeats(self, trial: int) -> pd.DataFrame:
        """The completed trainings of one configuration: the trial itself, then its repeats with other seeds."""
        frame, column = self.trials, f"metrics.{self.metric}"
        if column not in frame.columns:
            return frame.iloc[:0]
        same = (frame["trial"] == trial) | (frame["repeat_of"] == trial)
        return frame[same & (frame["state"] == "complete") & frame[column].notna()]

    def _scored(self, state: str) -> pd.DataFrame:
        column = f"metrics.{self.metric}"
        frame = self.trials
        if column not in frame.columns:
            return frame.iloc[:0]
        keep = (frame["state"] == state) & frame[column].notna()
        keep &= frame["duplicate_of"].isna() & frame["repeat_of"].isna()
        return frame[keep].sort_values([column, "trial"], ascending=[not self.maximise, True], kind="stable")

    def history(self, trial: int) -> pd.DataFrame:
        """One row an epoch of `trials/N/metrics.jsonl`; empty where there is none."""
        path = trial_dir(self.dir, trial) / "metrics.jsonl"
        return pd.DataFrame(_lines(path)[0] if path.is_file() else [])


def is_sweep(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in ("sweep.yaml", "trials.jsonl"))


def find_sweeps(path: Path | str) -> list[Path]:
    """`path` itself when it is a sweep, else the sweeps directly inside it, by name.

    Raises:
        UserError: no such folder, or neither a sweep nor a folder of sweeps.
    """
    path = Path(path)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; expected a sweep (sweep.yaml, trials.jsonl) or a folder of sweeps")
    if is_sweep(path):
        return [path]
    found = sorted(child for child in path.iterdir() if is_sweep(child))
    if not found:
        raise UserError(f"{path}: no sweep here; expected sweep.yaml or trials.jsonl in it or in a folder inside it")
    return found


def trial_dir(sweep: Path, trial: int) -> Path:
    return sweep / "trials" / f"{trial:05d}"


def read_sweep(path: Path | str) -> Sweep:
    """Read one sweep folder: finished, running, interrupted, damaged or empty.

    Raises:
        UserError: `path` is not a sweep's folder.
    """
    path = Path(path)
    if not is_sweep(path):
        raise UserError(f"{path}: not a sweep; expected a folder with sweep.yaml or trials.jsonl")
    notes: list[str] = []
    spec = _document(path / "sweep.yaml", notes)
    meta = _document(path / "meta.json", notes)
    rows: dict[int, dict[str, Any]] = {}
    ledger = path / "trials.jsonl"
    if ledger.is_file():
        records, damaged = _lines(ledger)
        if damaged:
            notes.append(f"trials.jsonl: {damaged} unreadable line{'s' if damaged > 1 else ''} skipped")
        for record in records:
            trial = _whole(record.get("trial"))
            if trial is not None:  # a later line may say less than an earlier one: keep what it does not mention
                known = rows.setdefault(trial, {"trial": trial})
                known.update({key: value for key, value in record.items() if value is not None and key != "trial"})
                if record.get("state") == "running":  # started again: the old outcome no longer counts
                    for key in ("metrics", "stderr", "folds", "rung", "error", "seconds", "epochs"):
                        if key not in record:
                            known.pop(key, None)
    recovered = _recover(path, rows, notes)
    if recovered:
        notes.append(f"{recovered} trial{'s' if recovered > 1 else ''} taken from result.json, not in the ledger")
    opened = _document(path / "test_eval.json", notes) if (path / "test_eval.json").is_file() else None
    count = None if opened is None else _whole(opened.get("count")) or 1
    entries = (opened or {}).get("evaluations")
    finished = [entry for entry in entries if _map(entry).get("candidates")] if isinstance(entries, list) else []
    sweep = Sweep(
        path,
        spec,
        meta,
        _tidy(rows.values()),
        _folds(rows.values()),
        count,
        finished[-1] if finished else {},
        tuple(notes),
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


def _recover(path: Path, rows: dict[int, dict[str, Any]], notes: list[str]) -> int:
    """Fill in trials whose end the ledger does not know from their own result.json; return how many."""
    recovered = 0
    for folder in sorted((path / "trials").glob("*")) if (path / "trials").is_dir() else ():
        trial = _whole(folder.name)
        if trial is None or rows.get(trial, {}).get("state") in FINISHED or not (folder / "result.json").is_file():
            continue
        result = _document(folder / "result.json", notes)
        if result:
            row = rows.setdefault(trial, {"trial": trial})
            row.update({key: result[key] for key in result if key not in ("config", "spectra", "trial")})
            row.setdefault("params", {})
            recovered += 1
    return recovered


def _tidy(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    flat = []
    for row in sorted(rows, key=lambda row: row["trial"]):
        out = {key: row.get(key) for key in COLUMNS}
        out["state"] = out["state"] or "running"
        out["source"] = out["source"] or ""
        if str(out["source"]).startswith("repeat:"):
            out["repeat_of"] = _whole(str(out["source"]).partition(":")[2])
        folds = row.get("folds")
        out["folds"] = len(folds) if isinstance(folds, list) else folds
        for part in ("params", "metrics", "stderr", "error"):
            out.update({f"{part}.{key}": value for key, value in _map(row.get(part)).items()})
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


def _folds(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Long form of the per-fold metrics that the trials carry."""
    long = [
        {"trial": row["trial"], "fold": fold, **{str(name): _number(value) for name, value in _map(metrics).items()}}
        for row in rows
        if row.get("state") == "complete" and isinstance(row.get("folds"), list)
        for fold, metrics in enumerate(row["folds"])
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
    return number if math.isfinite(number) else math.nan


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The objects of a JSON-lines file, and how many lines were not one (such as a last line cut by a crash)."""
    records, damaged = [], 0
    for line in path.read_text("utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            records.append(record)
        else:
            damaged += 1
    return records, damaged


def _document(path: Path, notes: list[str]) -> dict[str, Any]:
    if not path.is_file():
        notes.append(f"{path.name}: missing")
        return {}
    try:
        text = path.read_text("utf-8", errors="replace")
        value = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        value = None
    if not isinstance(value, dict):
        notes.append(f"{path.name}: unreadable")
        return {}
    return value
