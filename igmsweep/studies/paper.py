"""All studies, one after the other, and all claims in one table."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from igmsweep.disk import write_atomically
from igmsweep.errors import UserError
from igmsweep.lines import CLOSING
from igmsweep.studies import get, names
from igmsweep.studies.base import Arm, Claim, Outcome
from igmsweep.studies.found import read_found
from igmsweep.studies.render import write_paper
from igmsweep.studies.request import StudyRequest, check_remembered, remember, setting_of
from igmsweep.studies.run import Made, check_methods, check_overrides, has, run_study, words_of

logger = logging.getLogger(__name__)

BUDGET = "time_budget_s"


def run_paper(request: StudyRequest) -> Made:
    """Every study in `<out>/paper-<data>`, and all claims in one table, `study.html` and `claims.md`.

    A study that cannot be made here, such as CLIP's on data without texts, is left out, which is said. `--methods` cuts the
    studies that compare methods; a time budget is that of all together.

    Raises:
        UserError, ResourceError: none of them could be made; the reason of the first.
    """
    parts, left_out = divided(request)
    check_remembered(request)
    remember(request)
    started, outcomes, interrupted = time.monotonic(), dict[str, Outcome](), 0
    budget = request.options.get(BUDGET)
    first: UserError | None = None
    for part in parts:
        options = dict(request.options)
        if budget is not None:
            options[BUDGET] = budget - (time.monotonic() - started)
            if options[BUDGET] <= 0:
                left_out[part.name] = "the time budget is over"
                continue
        try:
            made = run_study(replace(part, options=options))
        except UserError as error:
            first = first or error
            left_out[part.name] = str(error)
            logger.warning("%s: left out: %s", part.name, error)
            continue
        outcomes[part.name] = made.outcome
        interrupted = made.interrupted
        if interrupted:
            break
    for part in parts:  # what an earlier call has made, where this one did not get there
        if part.name not in outcomes:
            study = get(part.name)
            found = read_found(part.folder, study, setting_of(part.data, part.methods))
            if any(found.trainings.values()):
                outcomes[part.name] = study.outcome(found)
    if first is not None and not outcomes:
        raise first
    write_atomically(request.folder / "claims.md", "\n".join(claims_of(outcomes, left_out)) + "\n")
    pages = {part.name: f"{part.folder.name}/study.html" for part in parts if part.name in outcomes}
    page = write_paper(request.folder, request.data, outcomes, pages, left_out)
    logger.log(CLOSING, f"paper: {page}")
    return Made(page, Outcome(claims=[claim for each in outcomes.values() for claim in each.claims]), interrupted)


def divided(request: StudyRequest) -> tuple[list[StudyRequest], dict[str, str]]:
    """A request for each study that can be made for this data, and why not, by the others' names.

    Raises:
        UserError: none can be, or a setting is for no study.
    """
    setting = setting_of(request.data)
    arms: dict[str, list[Arm]] = {}
    left_out = {}
    for name in names():
        try:
            arms[name] = list(get(name).arms(setting))
        except UserError as error:
            left_out[name] = str(error)
            logger.warning("%s: left out: %s", name, error)
    check_overrides(request, [arm for every in arms.values() for arm in every])
    compared = {name: words_of(every) for name, every in arms.items() if get(name).by_method}
    check_methods(request.methods, [word for every in compared.values() for word in every])
    parts = []
    for name, every in arms.items():
        overrides: Mapping[str, Any] = {
            path: value for path, value in request.overrides.items() if any(has(arm.method, path) for arm in every)
        }
        methods = tuple(each for each in request.methods if each in compared.get(name, ()))
        if name in compared and request.methods and not methods:
            left_out[name] = f"compares none of {', '.join(request.methods)}"
            continue
        parts.append(replace(request, name=name, out=request.folder, overrides=overrides, methods=methods))
    return parts, left_out


def claims_of(outcomes: Mapping[str, Outcome], left_out: Mapping[str, str]) -> list[str]:
    """All claims as a Markdown table, and below it what was left out."""
    lines = ["| study | claim | seen? | by |", "|---|---|---|---|"]
    for name, outcome in outcomes.items():
        lines += [f"| {name} | {claim.paper} | {claim.verdict} | {words(claim)} |" for claim in outcome.claims]
    return [*lines, *(f"\n{name}: left out: {why}" for name, why in left_out.items())]


def words(claim: Claim) -> str:
    """The difference that a claim is judged by."""
    return "–" if claim.difference is None else claim.difference.words
