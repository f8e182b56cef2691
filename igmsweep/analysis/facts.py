"""What a report says in words and numbers: key figures, findings, what was run, what failed, the test set."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from igmsweep.analysis.expectation import expectation
from igmsweep.analysis.importance import importance_words
from igmsweep.analysis.names import duration, label, metric_label, points_text, value_text
from igmsweep.analysis.ranking import basis_words, ranked
from igmsweep.analysis.sensitivity import flat_ranges
from igmsweep.analysis.tables import is_share, score_text
from igmsweep.analysis.test_set import test_set
from igmsweep.frame import Sweep
from igmsweep.record.failures import UNKNOWN, meaning
from igmsweep.record.states import State


def facts(sweep: Sweep, importance: pd.DataFrame) -> dict[str, Any]:
    """Everything that the report's template asks for besides tables and figures."""
    order = ranked(sweep)
    base = sweep.spec.get("base_config")
    settings = base.get("data", {}) if isinstance(base, dict) and isinstance(base.get("data"), dict) else {}
    versions, data = sweep.meta.get("versions"), sweep.data
    split = data.get("split")
    return {
        "sweep": sweep,
        "numbers": _numbers(sweep, order),
        "findings": _findings(sweep, order, importance),
        "failures": failures(sweep).to_dict("records"),
        "space": [
            (label(path), path, _range(entry), value_text(sweep.paper.get(path))) for path, entry in sweep.space.items()
        ],
        "winner": None if order.empty else int(order["trial"].iloc[0]),
        "errors": basis_words(order.head(10)) if len(order) else "",
        "test": test_set(sweep),
        "data": {
            "name": data.get("name", "unknown"),
            "classes": _count(data.get("classes")),
            "modalities": ", ".join(sweep.modalities) or "–",
            "train": data.get("train", sweep.spec.get("train")),
            "val": data.get("val", sweep.spec.get("val")),
            "split": split if isinstance(split, str) else value_text(split),
            "group": data.get("group") or settings.get("group") or "none",
            "data_hash": data.get("data_hash", "–"),
            "split_hash": data.get("split_hash", "–"),
            "folds": _plain(sweep.spec.get("folds")),
            "seeds": _plain(sweep.spec.get("seeds")),
        },
        "versions": {k: v for k, v in versions.items() if v} if isinstance(versions, dict) else {},
        "hardware": _plain(sweep.meta.get("hardware")),
        "revision": _revision(sweep.meta.get("git")),
        "started": str(sweep.meta.get("started") or sweep.spec.get("created") or "–"),
        "finished": _plain(sweep.meta.get("finished")),
        "ended": _plain(
            ("interrupted" if sweep.meta.get("signal") else sweep.meta.get("exit_state"))
            or sweep.meta.get("exit")
            or sweep.meta.get("state")
        ),
        "scheduler": _plain(sweep.spec.get("scheduler")) or "none",
        "resources": _plain(sweep.spec.get("resources")),
        "metric": metric_label(sweep.metric),
        "sampler": sweep.sampler.upper() if sweep.sampler == "tpe" else sweep.sampler or "unknown",
        "counts": counts_text(sweep),
    }


def counts_text(sweep: Sweep) -> str:
    """`58 complete, 6 failed`; planned but not yet started trials are named too."""
    frame = sweep.trials
    counts = frame.loc[frame["repeat_of"].isna(), "state"].value_counts()
    parts = [f"{count} {'stopped early' if state == 'pruned' else state}" for state, count in counts.items()]
    repeats = int(frame["repeat_of"].notna().sum())
    if repeats:
        parts.append(f"{repeats} repeats with other seeds")
    planned = sweep.spec.get("trials")
    if isinstance(planned, int) and planned > len(frame) - repeats:
        parts.append(f"{planned - len(frame) + repeats} not started")
    return ", ".join(parts) or "no trial has started"


def failures(sweep: Sweep) -> pd.DataFrame:
    """Failed trials by class, most frequent first: `class`, `meaning`, `n`, `trials`, `message` (of the first)."""
    failed = sweep.trials[sweep.trials["state"] == State.FAILED]
    rows = []
    for kind, part in failed.assign(kind=failed["error.class"].fillna(UNKNOWN)).groupby("kind"):
        message = part["error.message"].dropna()
        shown = ", ".join(str(trial) for trial in part["trial"].head(8)) + (", …" if len(part) > 8 else "")
        rows.append(
            {
                "class": str(kind),
                "meaning": meaning(str(kind)),
                "n": len(part),
                "trials": shown,
                "message": str(message.iloc[0]) if len(message) else "",
            }
        )
    columns = ["class", "meaning", "n", "trials", "message"]
    return pd.DataFrame(rows, columns=columns).sort_values("n", ascending=False, kind="stable", ignore_index=True)


def cost_text(sweep: Sweep) -> str:
    """Training time of all trials, and GPU-hours where GPUs were given."""
    spent = duration(float(sweep.trials["seconds"].sum()))
    gpu = float(sweep.trials["gpu_hours"].sum())
    return spent + (f", {gpu:.3g} GPU-hours" if gpu > 0 else "")


def _numbers(sweep: Sweep, order: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Value, name and note of each key figure."""
    out: list[tuple[str, str, str]] = []
    if len(order):
        for metric in sweep.shown_metrics:
            own = ranked(sweep, metric, top=1)
            if len(own) and math.isfinite(own["mean"].iloc[0]):
                row = own.iloc[0]
                shown = score_text(metric, row["mean"]) + (" %" if is_share(metric) else "")
                chosen = expectation(sweep, int(row["trial"]), metric)
                note = f"trial {row['trial']}, the best" + (f"; expect {chosen.brief()}" if chosen else "")
                out.append((shown, metric_label(metric), note))
        out += _against_paper(sweep, order)
    out.append((str(len(sweep.completed())), "trials completed", counts_text(sweep)))
    seconds = sweep.trials["seconds"].dropna()
    if len(seconds):
        note = f"median {duration(float(seconds.median()))} a trial"
        gpu = float(sweep.trials["gpu_hours"].sum())
        out.append((duration(float(seconds.sum())), "training time, all trials", note))
        if gpu > 0:
            out.append((f"{gpu:.3g}", "GPU-hours, all trials", f"{sweep.gpus_per_trial:g} GPU a trial"))
    return out


def _against_paper(sweep: Sweep, order: pd.DataFrame) -> list[tuple[str, str, str]]:
    given = sweep.trials.loc[sweep.trials["source"].astype(str) == "enqueue:paper", "trial"]
    row = order[order["trial"].isin(given)]
    if row.empty:
        return []
    score, best = float(row["mean"].iloc[0]), order.iloc[0]
    shown = score_text(sweep.metric, score) + (" %" if is_share(sweep.metric) else "")
    if row["rank"].iloc[0] == 1:
        note = "it is the best trial"
    else:
        gain = (float(best["mean"]) - score) * (1 if sweep.maximise else -1)
        note = f"the best trial is {points_text(abs(gain), sweep.metric)} {'better' if gain >= 0 else 'worse, of more seeds'}"
        note += ", within noise" if bool(row["tie"].iloc[0]) else ""
    return [(shown, "the paper's setting, same metric", note)]


def _findings(sweep: Sweep, order: pd.DataFrame, importance: pd.DataFrame) -> list[str]:
    """What the sweep means, a sentence each."""
    if order.empty:
        return []
    out = []
    ties, trial = int(order["tie"].sum()), int(order["trial"].iloc[0])
    best = f"Trial {trial} is the best of {len(order)} completed configurations"
    chosen = expectation(sweep, trial, sweep.metric)
    if chosen is not None:
        best += f", with {chosen.words()}"
    if ties:
        out.append(
            f"{best}. {ties} more {'is' if ties == 1 else 'are'} within noise of it (≈), and the truly best one is likely among these: "
            "prefer the cheapest of them, or repeat them with more seeds."
        )
    elif order["chance"].iloc[1:].isna().all() and len(order) > 1:
        out.append(f"{best}. One training each: how much of its lead is luck is not known; repeat the best few.")
    else:
        out.append(f"{best}. No other is within noise of it.")
    ranges = flat_ranges(sweep)
    if ranges["told"].any() or (len(importance) and importance["told"].any()):
        out.append(importance_words(importance).partition(" Not told apart")[0])
    for words, path in ranges.loc[ranges["told"], ["words", "param"]].itertuples(index=False, name=None):
        named = words if label(path) in words else f"{label(path)}: {words[:1].lower()}{words[1:]}"
        out.append(named[:1].upper() + named[1:] if named[:1].isascii() else named)
    rest = [label(path) for path in ranges.loc[~ranges["told"], "param"].tolist()]
    if len(rest) == len(ranges):
        out.append(
            "Whether anything that was searched matters, these trials cannot tell: no parameter's effect is told apart from chance."
        )
    elif rest:
        unsure = ranges[~ranges["told"]]
        known = [label(path) for path in unsure.loc[unsure["most"].notna(), "param"].tolist()]
        if known:
            most = points_text(unsure["most"].max(), sweep.metric)
            out.append(f"Not told apart from chance: {', '.join(known)} (differences up to {most} are possible).")
        silent = [name for name in rest if name not in known]
        if silent:
            out.append(f"Of {', '.join(silent)} these trials say nothing: not varied, or acting in too few of them.")
    return out


def _range(entry: dict[str, Any]) -> str:
    if isinstance(entry.get("choices"), list):
        shown = ", ".join(value_text(choice) for choice in entry["choices"])
    elif "low" in entry and "high" in entry:
        shown = f"{value_text(entry['low'])} to {value_text(entry['high'])}" + (", log" if entry.get("log") else "")
    else:
        return "unknown"
    when = entry.get("when")
    if isinstance(when, dict) and when:
        parts = []
        for path, rule in when.items():
            if isinstance(rule, dict):
                words = {"not": "is not", "in": "in", "gt": ">", "lt": "<"}
                parts += [f"{label(str(path))} {words.get(str(k), str(k))} {value_text(v)}" for k, v in rule.items()]
            else:
                parts.append(f"{label(str(path))} = {value_text(rule)}")
        shown += f"; when {' and '.join(parts)}"
    return shown


def _count(value: Any) -> str:
    return str(len(value)) if isinstance(value, (list, tuple, dict)) else str(value or "–")


def _revision(git: Any) -> str:
    if not isinstance(git, dict) or not git.get("revision"):
        return ""
    return f"{git['revision']}{', with uncommitted changes' if git.get('changed') else ''}"


def _plain(value: Any) -> str:
    """Nested metadata as one readable line."""
    if isinstance(value, dict):
        return ", ".join(
            f"{key.replace('_', ' ')} {_plain(item)}" for key, item in value.items() if item not in (None, "", [], {})
        )
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    return "" if value is None else str(value)
