"""Table 4: how much of the network is modified."""

from __future__ import annotations

from collections.abc import Sequence

from igmsweep.statistics.difference import paired
from igmsweep.studies.base import Arm, Claim, Found, Outcome, Setting, Study, Table, every

SCOPE = "method.scope"
SCOPES = {"100 %": 1.0, "50 %": 0.5, "30 %": 0.3, "head": "head", "0 % (w/o GM)": "none"}
PAPER = {
    "cremad": [
        ["", "75.34", "81.23"],
        ["", "78.97", "85.58"],
        ["", "82.97", "90.15"],
        ["", "81.05", "89.48"],
        ["", "73.42", "81.77"],
    ]
}
"""Test accuracy and MAP in per cent."""


def arms(setting: Setting) -> Sequence[Arm]:
    return [Arm("scope", every({SCOPE: list(SCOPES.values())}))]


def outcome(found: Found) -> Outcome:
    scores = {label: found.of("scope", {SCOPE: value}) for label, value in SCOPES.items()}
    second, called = found.setting.second
    table = Table(
        "table4",
        "Scope of gradient modification",
        ["scope", "accuracy", called],
        [[label, each, found.of("scope", {SCOPE: SCOPES[label]}, f"val/{second}")] for label, each in scores.items()],
        "Validation scores of the fused prediction; the scope is the share of a modality's parameters, from the deepest layer up. "
        "Where 30 % are the head's own layers, its trainings are the head's.",
        PAPER.get(found.setting.data),
    )
    best = "30 %"
    claims = [
        Claim(f"30 % is best: better than {other}.", paired(best, scores[best], other, scores[other]))
        for other in scores
        if other != best
    ]
    return Outcome([table], [], claims)


STUDY = Study(
    "table4",
    "Table 4: scope of gradient modification",
    "How much of the network should be modified?",
    arms,
    outcome,
)
