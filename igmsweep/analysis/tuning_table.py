"""What tuning brings, as readers see it: cells, Markdown, LaTeX, and the sentences under the table."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from igmsweep.analysis.names import (
    escape_latex,
    hopeless_text,
    label,
    latex_label,
    metric_label,
    short_metric,
    unit,
    value_text,
)
from igmsweep.analysis.surrogate import surrogate
from igmsweep.analysis.tables import booktabs, markdown
from igmsweep.analysis.tuning import ALL, GAMES, MOST, contradicted, untold
from igmsweep.frame import Sweep

TITLE = "What tuning each parameter brings, and what a bad value costs"
HEADS = [
    "parameter",
    "default → winner",
    "the winner's value brings",
    "the best value brings",
    "a bad value costs at least",
]

UNTOLD = "–"


def cells(data: pd.DataFrame, sweep: Sweep) -> list[list[tuple[str, bool]]]:
    """Of each row of `tuning_data` the cells of `HEADS`: text, and whether it says something; what is not told apart from nothing is a dash."""
    rows = [
        [_name(row["param"]), _step(row), *(_number(row, game, sweep) for game in GAMES)]
        for row in data.to_dict("records")
    ]
    return [[(text, not text.startswith(UNTOLD)) for text in row] for row in rows]


def caption(data: pd.DataFrame, sweep: Sweep) -> str:
    """What the numbers are."""
    parts = [
        f"What the model of the trials expects, in {_unit(sweep.metric)} with 95 % intervals, shared out by exact Shapley values: averaged over all "
        "orders in which parameters may leave the default. Of costs the lower end: what trials have not met is likely worse. "
        "A dash: not told apart from nothing. A parameter that comes to act without a value of its own has the default's."
    ]
    found = surrogate(sweep, sweep.metric)
    parts += filter(None, [hopeless_text(found.worst, sweep.metric) if found is not None else ""])
    if data["param"].str.contains(", ").any():
        parts.append(
            f"Of more than {MOST} parameters, the {MOST - 1} most important stand alone and the others together."
        )
    if contradicted(sweep):
        parts.append("The winner's repeats contradict the model, so what brought it is not told.")
    return " ".join(parts)


def shown(data: pd.DataFrame, sweep: Sweep) -> dict[str, Any]:
    """What the page's template asks for; where nothing is told, the sentence that says why."""
    told = len(data) > 0
    return {
        "title": TITLE,
        "heads": HEADS,
        "rows": cells(data, sweep),
        "unit": f"{_unit(sweep.metric)}, 95 %" if told else "",
        "caption": caption(data, sweep) if told else untold(sweep),
    }


def to_markdown(data: pd.DataFrame, sweep: Sweep) -> str:
    """The table, and what its numbers are."""
    rows = [[text for text, _ in row] for row in cells(data, sweep)]
    return markdown([HEADS, *rows]) + f"\n{caption(data, sweep)}\n"


def to_latex(data: pd.DataFrame, sweep: Sweep) -> str:
    """The same as a booktabs table."""
    names = [
        latex_label(path) if ", " not in path and path != ALL else escape_latex(_name(path)) for path in data["param"]
    ]
    rows = [[escape_latex(text) for text, _ in row[1:]] for row in cells(data, sweep)]
    heads = [escape_latex(head) for head in HEADS]
    said = (
        f"{TITLE}: sweep {sweep.name} ({sweep.method} on {sweep.data.get('name', '')}), {metric_label(sweep.metric)}. "
    )
    body = [[name, *row] for name, row in zip(names, rows, strict=True)]
    return booktabs(escape_latex(said + caption(data, sweep)), "l" + "r" * (len(HEADS) - 1), [heads, *body])


def _name(param: str) -> str:
    if param == ALL:
        return "all together"
    return label(param) if ", " not in param else f"{param.count(', ') + 1} others together"


def _step(row: dict[Any, Any]) -> str:
    if row["param"] == ALL or ", " in str(row["param"]):
        return ""
    first, last = value_text(row["default"]), value_text(row["winner"])
    return first if first == last else f"{first} → {last}"


def _number(row: dict[Any, Any], game: str, sweep: Sweep) -> str:
    mean, low, high = (row[f"{game}{part}"] for part in ("", ".low", ".high"))
    if math.isnan(mean) or low == high:
        return UNTOLD
    first, last = (_points(sweep.metric, each) for each in (low, high))
    if game == "mistunability":
        return first if row[f"{game}.told"] and low > 0 else UNTOLD
    return f"{_points(sweep.metric, mean) if row[f'{game}.told'] else UNTOLD} [{first}, {last}]"


def _points(metric: str, value: float) -> str:
    scale, suffix = unit(metric)
    shown = f"{scale * value:.1f}" if suffix else f"{value:.2g}"
    return ("0.0" if shown == "-0.0" else shown).replace("-", "−")


def _unit(metric: str) -> str:
    return "points" if unit(metric)[1] else short_metric(metric)
