"""Table 2: SAM and gradient modification, each with and without the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from igmsweep.statistics.difference import paired
from igmsweep.studies.base import Arm, Claim, Found, Outcome, Setting, Study, Table, every

SAM, GM = "method.sam", "method.gm"
ROWS = (("–", "–", False, False), ("✓", "–", True, False), ("–", "✓", False, True), ("✓", "✓", True, True))
PAPER = {
    "cremad": [
        ["", "", "45.83", "63.17", "64.52"],
        ["", "", "58.60", "64.79", "73.42"],
        ["", "", "60.13", "65.06", "80.26"],
        ["", "", "61.16", "67.82", "81.05"],
    ]
}
"""Test accuracy in per cent."""


def arms(setting: Setting) -> Sequence[Arm]:
    return [Arm("sam-gm", every({SAM: [True, False], GM: [True, False]}))]


def outcome(found: Found) -> Outcome:
    def scores(sam: bool, gm: bool, metric: str = "val/acc") -> dict[int, float]:
        return found.of("sam-gm", {SAM: sam, GM: gm}, metric)

    metrics = [f"val/{name}/acc" for name in found.setting.modalities] + ["val/acc"]
    rows: list[list[str | Mapping[int, float]]] = [
        [one, other, *(scores(sam, gm, metric) for metric in metrics)] for one, other, sam, gm in ROWS
    ]
    both, plain = scores(True, True), scores(False, False)
    claims = [
        Claim("Gradient modification helps, without SAM.", paired("GM", scores(False, True), "neither", plain)),
        Claim("SAM helps, without gradient modification.", paired("SAM", scores(True, False), "neither", plain)),
        Claim("Both help more than GM alone.", paired("both", both, "GM", scores(False, True))),
        Claim("Both help more than SAM alone.", paired("both", both, "SAM", scores(True, False))),
    ]
    heads = ["SAM", "GM", *found.setting.modalities, "fused"]
    note = (
        "Validation accuracy; at the paper's rho SAM moves next to no weight in float32 (sam/moved in metrics.jsonl)."
    )
    table = Table("table2", "SAM and gradient modification", heads, rows, note, PAPER.get(found.setting.data))
    return Outcome([table], [], claims)


STUDY = Study(
    "table2",
    "Table 2: ablation of SAM and gradient modification",
    "What do SAM and gradient modification add, alone and together?",
    arms,
    outcome,
)
