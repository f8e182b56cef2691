"""What the folders of a study's arms hold, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from igmsweep.record.bad_samples import read_bad, told_of_data
from igmsweep.record.folder import SweepFolder, is_sweep
from igmsweep.record.json_files import read_object
from igmsweep.record.openings import look_of, read_openings
from igmsweep.record.paths import EVALUATION, trial_folder
from igmsweep.record.ranking import scored, to_repeat
from igmsweep.record.rows import TrialRow
from igmsweep.record.states import FINISHED, State
from igmsweep.record.status import status as sweep_status
from igmsweep.statistics.influence import BySeed
from igmsweep.studies.base import Found, Searched, Setting, Study, Trained
from igmsweep.studies.request import PAPER, STUDY_FILE, remembered

METRIC = "val/acc"
"""What searches go by."""


def read_found(folder: Path, study: Study, setting: Setting) -> Found:
    """What the folders of a study's arms hold."""
    trainings: dict[str, list[Trained]] = {}
    searches: dict[str, Searched] = {}
    tests = {}
    failed: dict[str, int] = {}
    notes: list[str] = []
    for arm in study.arms(setting):
        place = folder / arm.name
        sweep = SweepFolder.read(place) if is_sweep(place) else None
        rows = [] if sweep is None else list(sweep.rows.values())
        notes += [] if sweep is None else told_of_data(sweep.spec.get("data"))
        failures = sum(row.failed for row in rows)
        if failures:
            failed[arm.name] = failures
        if arm.searched:
            search = searched_of(rows)
            if search is not None:
                searches[arm.name] = search
                tests[arm.name] = scored_on_test(place, search.trial)
                bad = [read_bad(each.get("bad")) for each in read_openings(place)["evaluations"]]
                notes += [each.words() for each in bad if each is not None and each.count]
            rows = fresh(rows)
        trainings[arm.name] = sorted(
            (
                Trained(
                    row.params,
                    row.seed,
                    row.metrics,
                    trial_folder(place, row.trial),
                    row.seconds,
                    read_object(trial_folder(place, row.trial) / f"{study.name}.json") if study.measure else None,
                )
                for row in rows
                if row.complete and row.seed is not None
            ),
            key=lambda each: each.seed,
        )
    told = read_openings(folder)
    data_notes = tuple(dict.fromkeys(notes))
    return Found(setting, trainings, tests, searches, failed, told["count"], look_of(told), data_notes)


def searched_of(rows: Sequence[TrialRow]) -> Searched | None:
    """What a search has come to; None where it has no winner."""
    every = {row.trial: row for row in rows}
    scores = scored(every, METRIC)
    winner = to_repeat(every, METRIC, "max", 1)
    if not winner:
        return None
    failed = sum(row.state is State.FAILED for row in rows if not row.is_repeat)
    paper = next((scores[row.trial] for row in rows if row.source == "enqueue:paper" and row.trial in scores), None)
    return Searched(len(scores), failed, winner[0], every[winner[0]].params, scores[winner[0]], paper)


def fresh(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """Of a search, the winner's trainings with other seeds than that it won with."""
    winner = to_repeat({row.trial: row for row in rows}, METRIC, "max", 1)
    return [row for row in rows if winner and row.repeat_of == winner[0]]


def scored_on_test(place: Path, trial: int) -> dict[str, BySeed]:
    """Metric -> seed -> test score of a trial's configuration, by the latest evaluation of it that trained on the training
    split alone, as all that are compared must; empty where there is none."""
    for evaluation in reversed(read_openings(place)["evaluations"]):
        winner = evaluation["candidates"][0]
        if winner["trial"] == trial and evaluation["train_on"] == "train":
            seeds, names = winner["seeds"], winner.get("folders", winner["seeds"])
            folders = {seed: place / EVALUATION / str(name) for seed, name in zip(seeds, names, strict=True)}
            return {
                name: BySeed(dict(zip(seeds, scores, strict=True)), name, folders)
                for name, scores in winner["per_seed"].items()
            }
    return {}


def ended(told: Mapping[str, Any]) -> int:
    """How many trainings of a sweep have ended, by its status."""
    return sum(count for state, count in told["counts"].items() if state in FINISHED)


def unfinished(places: Sequence[Path]) -> list[str]:
    """The names of sweeps that have trainings left."""
    every = {place.name: sweep_status(place) for place in places}
    return [name for name, told in every.items() if ended(told) < told["wanted"]]


def status(folder: Path) -> list[str]:
    """How a study's arms stand, a line each and a last one for all; of the whole paper, a line a study.

    Raises:
        UserError: no study there.
    """
    place = Path(folder)
    name = str(remembered(place)["study"])
    lines, done, wanted = [], 0, 0
    if name == PAPER:
        for study in sorted(path for path in place.iterdir() if (path / STUDY_FILE).is_file()):
            *_, last = status(study)
            lines.append(last)
        if lines and all(line.endswith("have ended") for line in lines):
            return [*lines, f"{name}: all trainings of the {len(lines)} studies begun have ended"]
        return [*lines, f"{name}: `igmsweep study resume {place}` goes on"]
    for arm in sorted(path for path in place.iterdir() if is_sweep(path)):
        found = sweep_status(arm)
        finished = ended(found)
        done, wanted = done + finished, wanted + found["wanted"]
        failed = found["counts"].get("failed", 0)
        lines.append(
            f"{arm.name}: {found['state']}, {finished} of {found['wanted']} trainings"
            + (f", {failed} failed" if failed else "")
        )
    last = f"{name}: {done} of {wanted} trainings; `igmsweep study resume {place}` goes on"
    return [*lines, last if done < wanted or not lines else f"{name}: all {wanted} trainings have ended"]
