"""Figure 5b: CLIP's encoders fine-tuned alone, with MLA and with IGM."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from igmsweep.errors import UserError
from igmsweep.statistics.difference import unpaired
from igmsweep.studies.base import Arm, Claim, Drawn, Found, Outcome, Setting, Study, Table

OPTIONS = {"tokenizer": "openai/clip-vit-base-patch32", "tokens": 77, "normalise": "clip"}
"""What CLIP's towers need of a data set that reads texts and pictures itself."""
ARMS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "clip": ("CLIP", "joint", {"method.fusion": "concat"}),
    "clip-mla": ("CLIP + MLA", "mla", {"method.projector": "exact"}),
    "clip-igm": ("CLIP + IGM", "igm", {"method.sam": True}),
}
"""By arm: what it is called, its method, and its paper's configuration, of which one value is named."""


def arms(setting: Setting) -> Sequence[Arm]:
    """Joint fine-tuning, MLA and IGM, from CLIP's published weights; what `--set` says of weights and tokenizer wins.

    Raises:
        UserError: the data are not one text and one picture a sample.
    """
    kinds = dict(setting.kinds)
    if sorted(kinds.values()) != ["image", "text"]:
        told = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        raise UserError(f"study fig5b: found {told} in {setting.data}, expected one text and one image modality")
    settings = {f"data.options.{name}": value for name, value in OPTIONS.items() if name in setting.options}
    for name, kind in kinds.items():
        settings |= {f"model.encoder.{name}": f"clip_{kind}", f"model.weights.{name}": "pretrained"}
    return [Arm(name, [values], method, settings) for name, (_, method, values) in ARMS.items()]


def outcome(found: Found) -> Outcome:
    second, called = found.setting.second
    metrics = ["acc", second, *(f"{name}/acc" for name in found.setting.modalities)]
    scores = {arm: {metric: found.of(arm, {}, f"val/{metric}") for metric in metrics} for arm in ARMS}
    rows: list[list[str | Mapping[int, float]]] = [
        [label, *(scores[arm][metric] for metric in metrics)] for arm, (label, *_) in ARMS.items()
    ]
    accuracy = {arm: each["acc"] for arm, each in scores.items()}
    claims = [
        Claim(f"{ARMS[one][0]} is better than {ARMS[other][0]}.",
              unpaired(ARMS[one][0], accuracy[one], ARMS[other][0], accuracy[other]))
        for one, other in (("clip-mla", "clip"), ("clip-igm", "clip"), ("clip-igm", "clip-mla"))
    ]  # fmt: skip
    note = (
        "Validation scores of CLIP's encoders, fine-tuned jointly (CLIP), by MLA and by IGM, under the paper's heads."
    )
    heads = ["method", "accuracy", called, *found.setting.modalities]
    drawn = [Drawn("fig5b", "Fine-tuning CLIP", note, bars(accuracy))] if any(accuracy.values()) else []
    return Outcome([Table("fig5b", "Fine-tuning CLIP", heads, rows, note)], drawn, claims)


def bars(accuracy: Mapping[str, Mapping[int, float]]) -> Any:
    """A point an arm with its standard deviation, and every seed beside it: a bar from 0 would hide the differences."""
    from igmsweep.analysis.style import figure, lines

    n = max(len(each) for each in accuracy.values())
    fig = figure("", "validation accuracy (%)", f"n = {n} seeds")
    for (arm, scores), look in zip(accuracy.items(), lines(len(accuracy)), strict=True):
        values = [100 * score for score in scores.values()]
        if values:
            name, color = ARMS[arm][0], look["color"]
            fig.add_scatter(x=[name] * len(values), y=values, mode="markers", showlegend=False, name=name,
                            marker={"color": color, "size": 5, "opacity": 0.5})  # fmt: skip
            fig.add_scatter(
                x=[name], y=[statistics.mean(values)], mode="markers", showlegend=False, name=name,
                marker={"color": color, "size": 10, "symbol": "diamond"},
                error_y={"array": [statistics.stdev(values) if len(values) > 1 else 0.0], "color": color},
            )  # fmt: skip
    return fig


STUDY = Study(
    "fig5b",
    "Figure 5b: fine-tuning CLIP",
    "Does IGM help a pretrained vision-language model more than MLA?",
    arms,
    outcome,
)
