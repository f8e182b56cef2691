"""Figure 5c: what a training costs against how good it is."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from igmsweep.statistics.difference import unpaired
from igmsweep.studies.base import Arm, Claim, Drawn, Found, Outcome, Setting, Study, Table

ARMS: dict[str, tuple[str, dict[str, Any]]] = {
    "joint": ("joint training", {"method.fusion": "sum"}),
    "agm": ("AGM", {"method.fusion": "concat"}),
    "pmr": ("PMR", {"method.fusion": "concat"}),
    "mla": ("MLA", {"method.projector": "exact"}),
    "reconboost": ("ReconBoost", {"method.residual": "full"}),
    "igm": ("IGM", {"method.sam": True}),
}
"""By method: what it is called, and its paper's configuration, of which one value is named."""


def arms(setting: Setting) -> Sequence[Arm]:
    return [Arm(name, [values], method=name) for name, (_, values) in ARMS.items()]


def outcome(found: Found) -> Outcome:
    accuracy = {name: found.of(name, {}) for name in ARMS}
    seconds = {
        name: [each.seconds for each in found.trainings.get(name, ()) if each.seconds is not None] for name in ARMS
    }
    base = statistics.median(seconds["joint"]) if seconds["joint"] else None
    cost = {name: statistics.median(each) / base for name, each in seconds.items() if each and base}
    rows: list[list[str | Mapping[int, float]]] = [
        [label, accuracy[name], f"{cost[name]:.2f}" if name in cost else "–"] for name, (label, _) in ARMS.items()
    ]
    note = (
        "Validation accuracy of each paper's configuration; cost: median seconds of a training over those of joint training, "
        "as they took turns here."
    )
    claims = [
        Claim(f"IGM is better than {label}.", unpaired("IGM", accuracy["igm"], label, accuracy[name]))
        for name, (label, _) in ARMS.items()
        if name != "igm"
    ]
    drawn = [Drawn("fig5c", "Cost and accuracy", note, picture(accuracy, cost))] if cost else []
    table = Table("fig5c", "Cost of a training and its accuracy", ["method", "accuracy", "cost"], rows, note)
    return Outcome([table], drawn, claims)


def picture(accuracy: Mapping[str, Mapping[int, float]], cost: Mapping[str, float]) -> Any:
    """A point a method with the standard deviation over seeds."""
    from igmsweep.analysis.style import figure, lines

    n = max(len(each) for each in accuracy.values())
    fig = figure("time of a training (joint training = 1)", "validation accuracy (%)", f"n = {n} seeds")
    for (name, value), look in zip(cost.items(), lines(len(cost)), strict=True):
        scores = [100 * score for score in accuracy[name].values()]
        fig.add_scatter(
            x=[value], y=[statistics.mean(scores)], mode="markers", name=ARMS[name][0],
            marker={"color": look["color"], "size": 9, "symbol": "circle" if look["dash"] == "solid" else "diamond"},
            error_y={"array": [statistics.stdev(scores) if len(scores) > 1 else 0.0], "color": look["color"]},
        )  # fmt: skip
    fig.update_layout(showlegend=True)
    fig.update_xaxes(rangemode="tozero")
    return fig


STUDY = Study(
    "fig5c",
    "Figure 5c: cost and accuracy",
    "What does a training cost, and how good is it?",
    arms,
    outcome,
    by_method=True,
    seeds=3,
)
