"""Figure 5a: singular values of layer inputs, with SAM and without."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igmsweep.plugin import Trust
from igmsweep.studies.base import Arm, Claim, Drawn, Found, Outcome, Setting, Study, Table
from igmsweep.studies.difference import difference

LABELS = {"igm": "IGM", "igm-without-sam": "IGM w/o SAM"}


def arms(setting: Setting) -> Sequence[Arm]:
    return [Arm("igm", [{"method.sam": True}]), Arm("igm-without-sam", [{"method.sam": False}])]


def measure(folder: Path, trust: Trust) -> dict[str, Any]:
    """By modality and layer, shallow to deep: the mean singular value of its inputs, and their effective rank."""
    from igmsweep.diagnostics import input_spectra, read_training

    training = read_training(folder, trust=trust)
    found = {}
    for modality in training.model.modalities:
        spectra = input_spectra(training, modality)
        found[modality] = {
            name: {"mean": each.mean, "rank": each.effective_rank, "size": each.size}
            for name, each in reversed(spectra.items())
        }
    return {"layers": found}


def outcome(found: Found) -> Outcome:
    told = {arm: found.measured(arm) for arm in LABELS}
    logs = {arm: {seed: mean_log(each) for seed, each in seeds.items()} for arm, seeds in told.items()}
    some = next((each for seeds in told.values() for each in seeds.values()), None)
    rows: list[list[str]] = []
    figures = []
    for modality, layers in (some or {"layers": {}})["layers"].items():
        for layer, known in layers.items():
            cells = [f"{modality} {layer}", str(known["size"])]
            for key in ("mean", "rank"):
                cells += [
                    number([each["layers"][modality][layer][key] for each in told[arm].values()]) for arm in LABELS
                ]
            rows.append(cells)
        figures.append(
            Drawn(f"fig5a-{modality}", modality, "Mean singular value of each layer's inputs, shallow to deep; mean over "
                  "seeds.", curves(modality, list(layers), told))
        )  # fmt: skip
    heads = [
        "layer",
        "inputs",
        *(f"{label}, {what}" for what in ("mean value", "effective rank") for label in LABELS.values()),
    ]
    claim = Claim(
        "Singular values of IGM are smaller than without SAM.",
        difference("w/o SAM", logs["igm-without-sam"], "IGM", logs["igm"], "of the mean log"),
    )
    note = (
        "Of the mean outer product of a layer's inputs (samples or patches) over the training set, in evaluation mode."
    )
    return Outcome([Table("fig5a", "Spectra of layer inputs", heads, rows, note)], figures, [claim])


def mean_log(measured: Mapping[str, Any]) -> float:
    """Mean over all layers of the logarithm of their mean singular value."""
    values = [each["mean"] for layers in measured["layers"].values() for each in layers.values()]
    return statistics.mean(math.log(max(value, 1e-30)) for value in values)


def number(values: Sequence[float]) -> str:
    """The mean, in three digits."""
    return f"{statistics.mean(values):.3g}" if values else "–"


def curves(modality: str, layers: Sequence[str], told: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> Any:
    """A line for each method over the layers, on a logarithmic axis."""
    from igmsweep.analysis.style import figure, lines

    n = max(len(seeds) for seeds in told.values())
    fig = figure("layer, shallow to deep", "mean singular value", f"n = {n} seeds")
    for (arm, seeds), look in zip(told.items(), lines(len(told)), strict=True):
        if seeds:
            means = [
                statistics.mean(each["layers"][modality][layer]["mean"] for each in seeds.values()) for layer in layers
            ]
            fig.add_scatter(x=list(range(1, len(layers) + 1)), y=means, mode="lines+markers", name=LABELS[arm],
                            line={**look, "width": 2}, marker={"color": look["color"], "size": 5})  # fmt: skip
    fig.update_layout(showlegend=True, yaxis={"type": "log", "exponentformat": "power"})
    return fig


STUDY = Study(
    "fig5a",
    "Figure 5a: singular values of layer inputs",
    "Does SAM make the singular values of layer inputs smaller?",
    arms,
    outcome,
    seeds=3,
    measure=measure,
)
