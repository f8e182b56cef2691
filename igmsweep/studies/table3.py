"""Table 3: accuracy after each stage, with the modification by one modality left out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from igmsweep.errors import UserError
from igmsweep.record.json_files import read_lines
from igmsweep.record.paths import METRICS
from igmsweep.statistics.difference import paired
from igmsweep.studies.base import Arm, Claim, Found, Outcome, Setting, Study, Table

PAPER = {
    "cremad": [
        ["53.12", "70.23", "75.57", "81.05"],
        ["53.12", "68.03", "72.31", "74.82"],
        ["53.12", "70.23", "74.72", "76.46"],
    ]
}
"""Test accuracy in per cent after each of two cycles' stages: IGM, without the audio's T, without the video's."""


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
    names = found.setting.modalities
    whole = found.of("igm", {})
    claims = [
        Claim(
            f"Modifying in both directions is better than without that of {name}.",
            paired("IGM", whole, f"w/o {name}-GM", found.of(f"without-{name}", {})),
        )
        for name in names
    ]
    heads_alone = {name: found.of("igm", {}, f"val/{name}/acc") for name in names}
    if all(heads_alone.values()):
        strong, weak = (
            pick(names, key=lambda name: statistics.mean(heads_alone[name].values())) for pick in (max, min)
        )
        claims.append(
            Claim(
                f"The T of the dominant modality ({strong}) matters more: without the other's, less is lost.",
                paired(
                    f"w/o {weak}-GM",
                    found.of(f"without-{weak}", {}),
                    f"w/o {strong}-GM",
                    found.of(f"without-{strong}", {}),
                ),
            )
        )
    heads = ["", *(f"{number // len(names) + 1}: {names[number % len(names)]}" for number in range(count))]
    note = "Fused validation accuracy after each stage (cycle: modality); the paper's column of an untrained model is left out."
    known = PAPER.get(found.setting.data)
    paper = [["", *row, *[""] * (count - len(row))] for row in known] if known and count >= len(known[0]) else None
    return Outcome([Table("table3", "Accuracy after each stage", heads, table, note, paper)], [], claims)


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
