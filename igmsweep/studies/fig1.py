"""Figure 1, right: how far MLA, IGM without SAM and IGM turn a gradient, as a histogram of cosines."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igmsweep.plugin import Trust
from igmsweep.statistics.difference import paired
from igmsweep.studies.base import Arm, Claim, Drawn, Found, Outcome, Setting, Study, Table

BATCHES = 32
LABELS = {"mla": "MLA", "igm-without-sam": "IGM w/o SAM", "igm": "IGM"}
BINS = 40


def arms(setting: Setting) -> Sequence[Arm]:
    return [
        Arm("mla", [{"method.projector": "exact"}], method="mla"),
        Arm("igm-without-sam", [{"method.sam": False}]),
        Arm("igm", [{"method.sam": True}]),
    ]


def measure(folder: Path, trust: Trust) -> dict[str, Any]:
    """By modality and layer, the cosine between the gradient of each of some batches before and after the method."""
    from igmsweep.diagnostics import gradient_change, read_training

    found = {}
    for modality in read_training(folder, trust=trust).model.modalities:
        training = read_training(folder, trust=trust)  # anew, since looking moves the method's state on
        found[modality] = gradient_change(training, modality, BATCHES).cosines
    return {"cosines": found}


def outcome(found: Found) -> Outcome:
    by_seed = {
        arm: {
            seed: [cosine for layers in told["cosines"].values() for each in layers.values() for cosine in each]
            for seed, told in found.measured(arm).items()
        }
        for arm in LABELS
    }
    means = {
        arm: {seed: statistics.mean(each) for seed, each in seeds.items() if each} for arm, seeds in by_seed.items()
    }
    rows: list[list[str | Mapping[int, float]]] = [[LABELS[arm], means[arm]] for arm in LABELS]
    note = (
        f"Cosines of the layers that a method changes, over {BATCHES} batches a modality, at the end of the training."
    )
    table = Table("fig1", "Mean cosine between a gradient and what the method makes of it, in per cent",
                  ["method", "cosine"], rows, note, highest=False)  # fmt: skip
    claims = [
        Claim(f"Flat modification changes a gradient's direction less than MLA's projection ({LABELS[arm]}).",
              paired(LABELS[arm], means[arm], "MLA", means["mla"], "of the cosine"))
        for arm in ("igm-without-sam", "igm")
    ]  # fmt: skip
    drawn = [Drawn("fig1", "Cosine of old and new gradients", note, histogram(by_seed))] if any(means.values()) else []
    return Outcome([table], drawn, claims)


def histogram(by_seed: dict[str, dict[int, list[float]]]) -> Any:
    """Shares of cosines in equal bins, a line a method."""
    import numpy as np

    from igmsweep.analysis.style import figure, lines

    pooled = {arm: [cosine for each in seeds.values() for cosine in each] for arm, seeds in by_seed.items()}
    low = min(min(each) for each in pooled.values() if each)
    edges = np.linspace(min(low, 0.9), 1.0, BINS + 1)
    fig = figure("cosine", "share of gradients (%)", f"n = {sum(map(len, pooled.values()))}")
    for (arm, each), look in zip(pooled.items(), lines(len(pooled)), strict=True):
        if each:
            shares = np.histogram(np.clip(each, edges[0], 1.0), edges)[0] / len(each)
            fig.add_scatter(x=((edges[1:] + edges[:-1]) / 2).tolist(), y=(100 * shares).tolist(), mode="lines",
                            name=LABELS[arm], line={**look, "width": 2.5})  # fmt: skip
    fig.update_layout(showlegend=True)
    return fig


STUDY = Study(
    "fig1",
    "Figure 1: how far a method turns gradients",
    "Does flat gradient modification leave gradients closer to what they were than MLA's projection?",
    arms,
    outcome,
    seeds=3,
    measure=measure,
)
