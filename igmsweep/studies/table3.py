"""Table 3: accuracy after each stage, with the modification by one modality left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from igmsweep.errors import UserError
from igmsweep.record.json_files import read_lines
from igmsweep.record.paths import METRICS
from igmsweep.studies.base import Arm, Claim, Found, Outcome, Setting, Study, Table
from igmsweep.studies.difference import difference


def arms(setting: Setting) -> Sequence[Arm]:
    """IGM, and for each modality the training in which its T modifies nobody: the modality after it is no target."""
    names = setting.modalities
    if len(names) < 2:
        raise UserError(f"study table3: found one modality in {setting.data}, expected two or more")
    found = [Arm("igm", [{"method.gm": True}])]
    for place, name in enumerate(names):
        follower = names[(place + 1) % len(names)]
        targets = [each for each in names if each != follower]
        found.append(Arm(f"without-{name}", [{"method.gm": True}], settings={"method.gm_targets": targets}))
    return found


def outcome(found: Found) -> Outcome:
    stages = {
        arm.name: [after_stages(each.folder) for each in found.trainings.get(arm.name, ())]
        for arm in arms(found.setting)
    }
    count = max((len(rows) for every in stages.values() for rows in every), default=0)
    table = []
    for arm in arms(found.setting):
        trained = found.trainings.get(arm.name, ())
        cells: list[str | Mapping[int, float]] = [label(arm)]
        for number in range(count):
            cells.append(
                {
                    each.seed: rows[number]
                    for each, rows in zip(trained, stages[arm.name], strict=True)
                    if number < len(rows)
                }
            )
        table.append(cells)
    whole = found.of("igm", {})
    claims = [
        Claim(
            f"Modifying in both directions is better than without that of {name}.",
            difference("IGM", whole, f"w/o {name}-GM", found.of(f"without-{name}", {})),
        )
        for name in found.setting.modalities
    ]
    heads = ["", *(f"stage {number + 1}" for number in range(count))]
    note = "Fused validation accuracy after each stage; the paper's column of an untrained model is left out."
    return Outcome([Table("table3", "Accuracy after each stage", heads, table, note)], [], claims)


def label(arm: Arm) -> str:
    """As the paper calls it."""
    return "IGM" if arm.name == "igm" else f"w/o {arm.name.removeprefix('without-')}-GM"


def after_stages(folder: Path) -> list[float]:
    """Fused accuracy at the end of every stage of a training."""
    rows, _ = read_lines(folder / METRICS)
    return [float(row["val/acc"]) for row in rows if row.get("stage_end") and "val/acc" in row]


STUDY = Study(
    "table3",
    "Table 3: one direction of the modification left out",
    "Does each modality's T help the one that follows it?",
    arms,
    outcome,
)
