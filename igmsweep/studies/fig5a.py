"""Figure 5a: singular values of layer inputs, with SAM and without."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igmsweep.plugin import Trust
from igmsweep.record.json_files import read_object
from igmsweep.record.paths import DIAGNOSTICS
from igmsweep.statistics.difference import paired
from igmsweep.studies.base import Arm, Claim, Drawn, Found, Outcome, Setting, Study, Table

LABELS = {"igm": "IGM", "igm-without-sam": "IGM w/o SAM"}


def arms(setting: Setting) -> Sequence[Arm]:
    return [Arm("igm", [{"method.sam": True}]), Arm("igm-without-sam", [{"method.sam": False}])]


def measure(folder: Path, trust: Trust) -> dict[str, Any]:
    """By modality and layer, shallow to deep: the mean singular value of its inputs, and their effective rank; and by stage,
    as the training recorded them, the mean singular value and the participation ratio over the layers that T is for."""
    from igmsweep.diagnostics import input_spectra, read_training

    training = read_training(folder, trust=trust)
    found = {}
    for modality in training.model.modalities:
        spectra = input_spectra(training, modality)
        found[modality] = {
            name: {"mean": each.mean, "rank": each.effective_rank, "size": each.size}
            for name, each in reversed(spectra.items())
        }
    told = (read_object(folder / DIAGNOSTICS) or {}).get("spectra") or {}
    return {
        "layers": found,
        "stages": {modality: [by_stage(each) for each in stages] for modality, stages in told.items()},
    }


def by_stage(told: Mapping[str, Any]) -> dict[str, float]:
    """What a training recorded after a stage, over its layers: geometric means of values that span decades."""
    return {
        "stage": told["stage"] + 1,
        **{key: geometric([value for value in told[key].values() if value > 0]) for key in ("mean", "participation")},
    }


def geometric(values: Sequence[float]) -> float:
    """The geometric mean; 0 of nothing."""
    return math.exp(statistics.mean(map(math.log, values))) if values else 0.0


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
    if some is not None and any(some["stages"].values()):
        figures.append(
            Drawn("fig5a-stages", "By stage", "Participation ratio of the inputs of the layers that T is for, after each stage "
                  "of that modality: geometric mean over layers, mean over seeds.", over_stages(told))
        )  # fmt: skip
    heads = [
        "layer",
        "inputs",
        *(f"{label}, {what}" for what in ("mean value", "effective rank") for label in LABELS.values()),
    ]
    claim = Claim(
        "Singular values of IGM are smaller than without SAM.",
        paired("w/o SAM", logs["igm-without-sam"], "IGM", logs["igm"], "of the mean log"),
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
    from igmsweep.analysis.style import figure, lines, log_axis

    n = max(len(seeds) for seeds in told.values())
    fig = figure("layer, shallow to deep", "mean singular value", f"n = {n} seeds")
    for (arm, seeds), look in zip(told.items(), lines(len(told)), strict=True):
        if seeds:
            means = [
                statistics.mean(each["layers"][modality][layer]["mean"] for each in seeds.values()) for layer in layers
            ]
            fig.add_scatter(x=list(range(1, len(layers) + 1)), y=means, mode="lines+markers", name=LABELS[arm],
                            line={**look, "width": 2}, marker={"color": look["color"], "size": 5})  # fmt: skip
    every = [float(value) for trace in fig.data for value in trace.y if value > 0]
    if every:
        log_axis(fig, min(every), max(every), "y")
    fig.update_layout(showlegend=True)
    fig.update_xaxes(dtick=1)
    return fig


def over_stages(told: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> Any:
    """A line for each method and modality over the stages."""
    from igmsweep.analysis.style import figure, lines

    n = max(len(seeds) for seeds in told.values())
    fig = figure("stage", "participation ratio", f"n = {n} seeds")
    named = [
        (arm, modality)
        for arm, seeds in told.items()
        for modality in next(iter(seeds.values()), {"stages": {}})["stages"]
    ]
    for (arm, modality), look in zip(named, lines(len(named)), strict=True):
        every = [each["stages"][modality] for each in told[arm].values()]
        points = [
            (at[0]["stage"], statistics.mean(each["participation"] for each in at)) for at in zip(*every, strict=False)
        ]
        fig.add_scatter(x=[x for x, _ in points], y=[y for _, y in points], mode="lines+markers", name=f"{LABELS[arm]}, {modality}",
                        line={**look, "width": 2}, marker={"color": look["color"], "size": 5})  # fmt: skip
    fig.update_layout(showlegend=True)
    fig.update_xaxes(dtick=1)
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
