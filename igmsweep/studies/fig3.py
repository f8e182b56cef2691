"""Figure 3: accuracy against tau and against rho, one varied and the other at the paper's value, with seeds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from igmsweep.statistics.difference import paired
from igmsweep.studies.base import Arm, Claim, Drawn, Found, Outcome, Setting, Study, Table

TAU = "method.tau"
TAUS = (1e-3, 1e-2, 0.1, 0.4, 1.0, 10.0, 100.0)
RHOS = (1e-15, 1e-10, 1e-6, 1e-4, 1e-2, 0.05, 0.5)
PAPER_END = 1e-4
"""Of the paper's range, where float32 weights have hardly begun to move; SAM is known to act up to 0.5."""
PAPER_TAU = 0.4


def arms(setting: Setting) -> Sequence[Arm]:
    rhos = [{f"method.rho.{name}": rho for name in setting.modalities} for rho in RHOS]
    return [Arm("tau", [{TAU: tau} for tau in TAUS]), Arm("rho", rhos)]


def outcome(found: Found) -> Outcome:
    first = f"method.rho.{found.setting.modalities[0]}"
    tau = {value: found.of("tau", {TAU: value}) for value in TAUS}
    rho = {value: found.of("rho", {first: value}) for value in RHOS}
    moved = {value: found.of("rho", {first: value}, "sam/moved") for value in RHOS}
    figures = []
    if any(tau.values()):
        figures.append(Drawn("tau", "τ", "Validation accuracy and MAP over seeds, mean ± s.d.; rho as in the paper.",
                             curve("tau", {"accuracy": tau, "MAP": {v: found.of("tau", {TAU: v}, "val/map") for v in TAUS}})))  # fmt: skip
    if any(rho.values()):
        figures.append(Drawn("rho", "ρ", "The same against rho, for all modalities alike; below, the share of weights that "
                             "a first step of SAM moves in float32.",
                             curve("rho", {"accuracy": rho, "MAP": {v: found.of("rho", {first: v}, "val/map") for v in RHOS}},
                                   moved)))  # fmt: skip
    claims = [
        Claim(
            f"Not sensitive to tau: {PAPER_TAU:g} and {other:g} are alike.",
            paired(f"τ = {PAPER_TAU:g}", tau[PAPER_TAU], f"τ = {other:g}", tau[other]),
            equal=True,
        )
        for other in (TAUS[0], TAUS[-1])
    ]
    for other in (RHOS[0], 1e-4, RHOS[-1]):
        where = "" if other <= PAPER_END else "Beyond the paper's range: "
        claims.append(
            Claim(
                f"{where}Not sensitive to rho: {RHOS[1]:g} and {other:g} are alike.",
                paired(f"ρ = {RHOS[1]:g}", rho[RHOS[1]], f"ρ = {other:g}", rho[other]),
                equal=True,
            )
        )
    tables = [
        Table(name, f"Accuracy against {name}", [name, "fused", *(["weights moved"] if name == "rho" else [])],
              [[f"{value:g}", each, *([moved[value]] if name == "rho" else [])] for value, each in scores.items()], highest=False)
        for name, scores in (("tau", tau), ("rho", rho))
    ]  # fmt: skip
    return Outcome(tables, figures, claims)


def curve(
    name: str,
    series: Mapping[str, Mapping[float, Mapping[int, float]]],
    moved: Mapping[float, Mapping[int, float]] | None = None,
) -> Any:
    """Means with error bars over a logarithmic axis."""
    from igmsweep.analysis.style import GREY, figure, lines, log_axis

    values = list(next(iter(series.values())))
    n = max(len(scores) for each in series.values() for scores in each.values())
    fig = figure({"tau": "τ", "rho": "ρ"}[name], "validation score (%)", f"n = {n} seeds")
    for (label, scores), look in zip(series.items(), lines(len(series)), strict=True):
        at = [value for value in values if scores[value]]
        means = [100 * statistics.mean(scores[value].values()) for value in at]
        spread = [100 * statistics.stdev(scores[v].values()) if len(scores[v]) > 1 else 0.0 for v in at]
        fig.add_scatter(x=at, y=means, mode="lines+markers", name=label, line={**look, "width": 2},
                        marker={"color": look["color"], "size": 6},
                        error_y={"array": spread, "color": look["color"], "thickness": 1.5})  # fmt: skip
    log_axis(fig, min(values), max(values))
    shares = {value: each for value, each in (moved or {}).items() if each}
    if shares:
        fig.update_layout(yaxis={"domain": [0.3, 1]}, height=420)
        fig.update_xaxes(anchor="y2")
        fig.update_layout(yaxis2={"domain": [0, 0.2], "title": {"text": "moved (%)"}, "range": [-4, 104]})
        fig.add_scatter(x=list(shares), y=[100 * statistics.mean(each.values()) for each in shares.values()], yaxis="y2",
                        mode="lines+markers", name="weights moved", line={"color": GREY, "width": 2},
                        marker={"color": GREY, "size": 5})  # fmt: skip
    fig.update_layout(showlegend=True)
    return fig


STUDY = Study(
    "fig3",
    "Figure 3: sensitivity to τ and ρ",
    "In what range do τ and ρ matter?",
    arms,
    outcome,
    seeds=3,
)
