"""Figure 4: the loss around the trained weights of MLA and of IGM with and without SAM, on the same directions, with its
curvature."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igmsweep.plugin import Trust
from igmsweep.statistics.difference import paired
from igmsweep.studies.base import Arm, Claim, Drawn, Found, Outcome, Setting, Study, Table

LABELS = {"mla": "MLA", "igm-without-sam": "IGM w/o SAM", "igm": "IGM"}
SAMPLES, POINTS, PAIRS, SPAN = 256, 15, 3, 1.0
PROBES = 16


def arms(setting: Setting) -> Sequence[Arm]:
    return [
        Arm("mla", [{"method.projector": "exact"}], method="mla"),
        Arm("igm-without-sam", [{"method.sam": False}]),
        Arm("igm", [{"method.sam": True}]),
    ]


def measure(folder: Path, trust: Trust) -> dict[str, Any]:
    """Landscapes of three pairs of directions; the largest eigenvalue and the trace of the Hessian along filter-normalised
    directions."""
    from igmsweep.diagnostics import filter_norms, landscape_of, largest_eigenvalue, objective_of, read_training, trace

    objective = objective_of(read_training(folder, trust=trust), SAMPLES)
    parameters = objective.parameters()
    weights, scales = list(parameters.values()), list(filter_norms(parameters).values())
    whole = trace(objective.parts(), weights, scales, PROBES)
    return {
        "landscapes": [each.to_dict() for each in landscape_of(objective, SPAN, POINTS, PAIRS)],
        "eigenvalue": largest_eigenvalue(objective.parts(), weights, scales),
        "trace": whole.value,
        "trace_error": whole.error,
    }


def outcome(found: Found) -> Outcome:
    from igmsweep.diagnostics.landscape import Landscape

    every = {
        arm: {
            seed: [Landscape.from_dict(each) for each in told["landscapes"]]
            for seed, told in found.measured(arm).items()
        }
        for arm in LABELS
    }
    rise = {
        arm: {seed: statistics.mean(each.rise() for each in planes) for seed, planes in seeds.items()}
        for arm, seeds in every.items()
    }
    top, whole = (
        {arm: {seed: told[name] for seed, told in found.measured(arm).items()} for arm in LABELS}
        for name in ("eigenvalue", "trace")
    )
    rows = [[LABELS[arm], plain(rise[arm]), plain(top[arm]), plain(whole[arm])] for arm in LABELS]
    note = (
        f"Filter-normalised directions (Li et al. 2018), the same draws for all: {PAIRS} pairs, span {SPAN:g}, {SAMPLES} training "
        "samples, batch-norm statistics of the trained model. Rise: of the loss on the square's edge above its centre. "
        "Eigenvalue and trace: of the Hessian along filter-normalised directions."
    )
    heads = ["method", "rise of the loss", "largest eigenvalue", "trace"]
    claims = [
        Claim(f"The loss of IGM is flatter than that of {LABELS[other]} ({what}).",
              paired(LABELS[other], values[other], "IGM", values["igm"], f"of the {what}"))
        for other in ("mla", "igm-without-sam")
        for what, values in (("rise", rise), ("largest eigenvalue", top))
    ]  # fmt: skip
    drawn = []
    first = {arm: planes[min(seeds)][0] for arm, seeds in every.items() if (planes := seeds)}
    if first:
        most = max(max(map(max, each.loss)) for each in first.values())
        drawn = [
            Drawn(
                arm,
                LABELS[arm],
                "Loss on the first pair of directions, first seed; one scale of colours for all.",
                picture(each, most),
            )
            for arm, each in first.items()
        ]
    return Outcome([Table("fig4", "The loss around the trained weights", heads, rows, note)], drawn, claims)


def plain(scores: Mapping[int, float]) -> str:
    """Mean ± standard deviation of numbers that are no shares."""
    values = list(scores.values())
    if not values:
        return "–"
    return f"{statistics.mean(values):.3g}" + (f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else "")


def picture(plane: Any, most: float) -> Any:
    """A plane as a heat map; pictures that stand side by side have one scale of colours."""
    from igmsweep.analysis.style import figure

    fig = figure("first direction", "second direction")
    fig.add_heatmap(x=plane.steps, y=plane.steps, z=[list(row) for row in zip(*plane.loss, strict=True)], zmin=0,
                    zmax=most, colorscale="Cividis", colorbar={"title": {"text": "loss"}})  # fmt: skip
    return fig


STUDY = Study(
    "fig4",
    "Figure 4: loss landscapes",
    "Is the loss around IGM's weights flatter than around MLA's, and is it SAM that flattens it?",
    arms,
    outcome,
    seeds=3,
    measure=measure,
)
