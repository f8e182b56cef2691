"""Table 4: how much of the network is modified."""

from __future__ import annotations

from collections.abc import Sequence

from igmsweep.studies.base import Arm, Claim, Found, Outcome, Setting, Study, Table, every
from igmsweep.studies.difference import difference

SCOPE = "method.scope"
SCOPES = {"100 %": 1.0, "50 %": 0.5, "30 %": 0.3, "head": "head", "0 % (w/o GM)": "none"}
PAPER = {"cremad": [["75.34"], ["78.97"], ["82.97"], ["81.05"], ["73.42"]]}
"""Test accuracy in per cent."""


def arms(setting: Setting) -> Sequence[Arm]:
    return [Arm("scope", every({SCOPE: list(SCOPES.values())}))]


def outcome(found: Found) -> Outcome:
    scores = {label: found.of("scope", {SCOPE: value}) for label, value in SCOPES.items()}
    paper = PAPER.get(found.setting.data)
    table = Table(
        "table4",
        "Scope of gradient modification",
        ["scope", "fused"],
        [[label, each] for label, each in scores.items()],
        "Validation accuracy; the scope is the share of a modality's parameters, from the deepest layer up.",
        None if paper is None else [["", *row] for row in paper],
    )
    best = "30 %"
    claims = [
        Claim(f"30 % is best: better than {other}.", difference(best, scores[best], other, scores[other]))
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
