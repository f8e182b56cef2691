"""A sweep that has not begun, in words: what is searched, what differs from the paper, what is left as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from igmsweep.config import TrainConfig, reading
from igmsweep.record.wording import duration, number, shown_params
from igmsweep.spaces.catalogue import searched
from igmsweep.spaces.conditions import in_words
from igmsweep.spaces.space import overlap
from igmsweep.sweep.plan import Plan
from igmsweep.sweep.request import SweepRequest
from igmsweep.sweep.resources import Allotment, amount
from igmsweep.sweep.search import Enqueued

PLACES = ("data.root", "data.cache", "device")
"""Where things lie here, which makes no other training."""
TELLING = ("model.encoder", "optim.name", "optim.batch_size", "stages.cycles", "stages.epochs")
"""Of what is left as it is, the settings that are told in any case."""


def preview(plan: Plan, request: SweepRequest, allotment: Allotment) -> list[str]:
    """The plan, line by line, as wide as the terminal; every setting with `request.verbose`."""
    here, paper = plan.base.paths(), _paper(plan)
    varied = {param.path for param in plan.space.params}
    rest = {path: value for path, value in here.items() if path not in varied}
    changed = {path: value for path, value in rest.items() if path not in PLACES and value != paper.get(path)}
    derived = reading(plan.base)
    sections = [
        [
            f"{request.trials} trials of {request.method} on {request.data}{_budget(request)}",
            f"{allotment.concurrent} at a time with {amount(allotment.cpus, allotment.gpus)} each",
            f"space {plan.space.source}, sampler {request.sampler}, for the "
            f"{'highest' if plan.space.mode == 'max' else 'lowest'} {plan.space.metric}",
        ],
        [] if derived is None else [derived],
        _table(
            ("searched", "range", "paper"),
            [
                (param.path, _range(param.described()), _value(paper[param.path]) if param.path in paper else "-")
                for param in plan.space.params
            ],
        ),
        _table((), [("runs first:", _first(entry)) for entry in plan.enqueued]),
        _changes(changed, paper, plan, request),
        _left({path: value for path, value in rest.items() if path not in changed}, request.verbose),
    ]
    return [line for section in sections if section for line in (*section, "")]


def _paper(plan: Plan) -> dict[str, Any]:
    """The configuration of the paper's preset on the plan's data set."""
    data = plan.base.data
    return TrainConfig(data={"name": data.name, "root": data.root}, method=plan.base.method.name).paths()


def _budget(request: SweepRequest) -> str:
    """What stands behind the number of trials: folds, a time, early stopping, seeds."""
    parts = [
        (request.folds is not None, f", each in {request.folds} folds"),
        (request.scheduler != "none", f", hopeless ones stopped by {request.scheduler}"),
        (request.time_budget_s is not None, f", for at most {duration(request.time_budget_s or 0)}"),
        (request.seeds > 1, f", then the best {request.repeat_top} with {request.seeds} seeds in all"),
    ]
    return "".join(words for holds, words in parts if holds)


def _range(entry: Mapping[str, Any]) -> str:
    """A parameter's range or choices, and when there is such a parameter at all."""
    return ", ".join(part for part in (searched(entry), in_words(entry.get("when"))) if part)


def _first(entry: Enqueued) -> str:
    """A configuration that runs before the sampler's own, with what it sets besides."""
    beside = f", with {shown_params(entry.extra)}" if entry.extra else ""
    return f"{entry.source.removeprefix('enqueue:')}: {shown_params(entry.params)}{beside}"


def _changes(changed: Mapping[str, Any], paper: Mapping[str, Any], plan: Plan, request: SweepRequest) -> list[str]:
    if not changed:
        return ["all else is as in the paper"]
    rows = [
        (path, _value(value), _value(paper[path]) if path in paper else "-", _reason(path, plan, request))
        for path, value in changed.items()
    ]
    return _table(("differs from the paper", "here", "paper", "by"), rows)


def _reason(path: str, plan: Plan, request: SweepRequest) -> str:
    """Who has asked for another value than the paper's."""
    options = {"seed": "--seed", "data.group": "--folds", "method.preset": "--preset"}
    if any(overlap(path, other) for other in request.overrides):
        return options.get(path, "--set")
    if any(overlap(path, other) for other in plan.space.fixed):
        return f"fixed in {plan.space.source}"
    if path in options:
        return options[path]
    if plan.base.method.preset == "paper":
        return "the metric" if path == "stages.handover_by" else "data.options"  # which decide about it on a CSV file
    return f"preset {plan.base.method.preset}"


def _left(rest: Mapping[str, Any], verbose: bool) -> list[str]:
    if verbose:
        return _table(("left as it is", "value"), [(path, _value(value)) for path, value in rest.items()])
    told = {path: value for path, value in rest.items() if any(overlap(path, telling) for telling in TELLING)}
    settings = ", ".join(f"{path} {_value(value)}" for path, value in told.items())
    return _table((), [("left as it is:", f"{settings}, and {len(rest) - len(told)} more (--verbose lists them)")])


def _value(value: Any) -> str:
    """A value as a space file or `--set` has it."""
    return ", ".join(map(number, value)) if isinstance(value, list) else number(value)


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows below a heading, or two columns without one, wrapped to the width that there is but for the first column."""
    rows = list(rows)
    if not rows:
        return []
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=bool(heading), pad_edge=False, padding=(0, 2, 0, 0))
    for place, title in enumerate(heading or ("", "")):
        table.add_column(title, no_wrap=place == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=StringIO(), width=Console(stderr=True).width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]
