"""How paths and metrics are written for readers: plain text, LaTeX, and the three-digit numbers of the tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from igmsweep.legible import shortened

METRICS = {"acc": "accuracy", "map": "MAP", "f1": "macro-F1", "loss": "loss"}
LEAVES = {"tau": "τ", "rho": "ρ", "lr": "learning rate", "sam": "SAM", "gm": "GM", "mixup_alpha": "mixup α"}
LATEX_LEAVES = {
    "tau": r"$\tau$",
    "rho": r"$\rho$",
    "lr": "LR",
    "sam": "SAM",
    "gm": "GM",
    "mixup_alpha": r"mixup $\alpha$",
}
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "−": "$-$", "–": "--", "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "η": r"$\eta$",
    "μ": r"$\mu$", "ρ": r"$\rho$", "τ": r"$\tau$", "→": r"$\to$",
}  # fmt: skip
PER_MODALITY = ("rho", "lr", "epochs", "encoder")


def label(path: str) -> str:
    """`method.rho.audio` -> `ρ audio`; an unknown path keeps its last part."""
    leaf, modality = _split(path)
    return f"{LEAVES.get(leaf, leaf.replace('_', ' '))} {modality}".strip()


def latex_label(path: str) -> str:
    """The same as a LaTeX table head, such as `$\\rho$ audio`."""
    leaf, modality = _split(path)
    return f"{LATEX_LEAVES.get(leaf) or escape_latex(leaf.replace('_', ' '))} {escape_latex(modality)}".strip()


def metric_label(metric: str) -> str:
    """`val/acc` -> `validation accuracy`; `val/audio/acc` -> `validation accuracy, audio`."""
    parts = metric.split("/")
    name = METRICS.get(parts[-1], parts[-1])
    part = {"val": "validation ", "train": "training ", "test": "test "}.get(parts[0], "") if len(parts) > 1 else ""
    return f"{part}{name}" + (f", {'/'.join(parts[1:-1])}" if len(parts) > 2 else "")


def short_metric(metric: str) -> str:
    return METRICS.get(metric.split("/")[-1], metric.split("/")[-1])


def unit(metric: str) -> tuple[float, str]:
    """Factor and suffix that turn a metric into what is shown: shares as per cent, losses as they are."""
    return (100.0, " (%)") if metric.split("/")[-1] in ("acc", "map", "f1") else (1.0, "")


def points_text(difference: float, metric: str) -> str:
    """A difference of two scores: shares in percentage points, losses as they are."""
    factor, suffix = unit(metric)
    return f"{factor * difference:.2g}{' points' if suffix else ''}"


def hopeless_text(worst: float, metric: str) -> str:
    """What became of hopeless trials, in a sentence; empty where there are none (NaN)."""
    factor, suffix = unit(metric)
    cut = f"{factor * worst:.3g}{' %' if suffix else ''}"
    return f"Hopeless trials (worse than {cut}) are taken to score that." if math.isfinite(worst) else ""


LONGEST = 60
"""Characters of a value in a figure or table."""


def value_text(value: Any) -> str:
    """Numbers with three significant digits, switches as on/off, a missing (inactive) value as a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.3g}" if isinstance(value, (int, float)) else shortened(str(value), LONGEST)


def choice_texts(entry: Mapping[str, Any], values: Iterable[Any]) -> tuple[str, ...]:
    """A parameter's choices as `value_text` writes them: those of its space in their order, then any other that was tried."""
    given = entry.get("choices")
    named = [value_text(value) for value in given] if isinstance(given, (list, tuple)) else []
    return tuple(dict.fromkeys([*named, *sorted({value_text(value) for value in values})]))


def duration(seconds: float) -> str:
    """`75` -> `1 min 15 s`."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is; letters that its standard fonts lack become question marks."""
    plain = " ".join(str(text).split())
    known = (letter if letter in LATEX or (" " <= letter <= "ſ" and letter != "\x7f") else "?" for letter in plain)
    return "".join(LATEX.get(letter, letter) for letter in known)


def no_formula(cell: Any) -> Any:
    """A cell of a CSV as it is, but a text that begins like a formula after an apostrophe, as spreadsheets show it.

    >>> no_formula("=1+1"), no_formula("-0.5"), no_formula(-0.5), no_formula("@x")
    ("'=1+1", '-0.5', -0.5, "'@x")
    """
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _split(path: str) -> tuple[str, str]:
    parts = path.split(".")
    if len(parts) >= 2 and parts[-2] in PER_MODALITY:
        return parts[-2], parts[-1]
    return parts[-1], ""
