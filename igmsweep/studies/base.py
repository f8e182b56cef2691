"""What a study is: arms that are ordinary sweeps, and what is read off them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igmsweep.plugin import Trust
from igmsweep.statistics.difference import Difference
from igmsweep.statistics.influence import BySeed

if TYPE_CHECKING:
    import plotly.graph_objects as go


FAILED = "failed"
"""What a measurement that could not be made holds: why."""


@dataclass(frozen=True)
class Setting:
    """What a study is made for. `modalities` in training order; `kinds` by modality (`audio`, `image`, ...); `metrics` that
    the data set is judged by; `options`, the names of the data set's own (`data.options`); `methods` or arms that a study
    of many is cut to, none for all."""

    data: str
    modalities: tuple[str, ...]
    kinds: Mapping[str, str]
    metrics: tuple[str, ...] = ("acc", "map")
    methods: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()

    @property
    def second(self) -> tuple[str, str]:
        """The metric that the paper shows beside accuracy, and what it is called there."""
        return ("f1", "macro-F1") if "f1" in self.metrics else ("map", "MAP")

    def wants(self, arm: Arm) -> bool:
        """Whether an arm is among those that the study is cut to."""
        return not self.methods or arm.name in self.methods or arm.method in self.methods


@dataclass(frozen=True)
class Arm:
    """Fixed configurations of one method, each trained with every seed; or, without any, a search whose winner is trained
    again with fresh seeds. A sweep's folder of its own.

    Attributes:
        name: of the folder.
        configurations: values by configuration path, the same paths in all, one path at least; empty: it is a search.
        settings: other values of the configuration.
        content: of a search's space; None: the method's own.
    """

    name: str
    configurations: Sequence[Mapping[str, Any]] = ()
    method: str = "igm"
    settings: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] | None = None

    @property
    def searched(self) -> bool:
        """Whether it is a search."""
        return not self.configurations

    def space(self) -> Mapping[str, Any] | None:
        """The content of its search space's file; of fixed configurations, one in which all of them are enqueued."""
        if self.searched:
            return self.content
        choices: dict[str, list[Any]] = {path: [] for path in self.configurations[0]}
        for values in self.configurations:
            for path, value in values.items():
                if not any(same(value, other) for other in choices[path]):
                    choices[path].append(value)
        params = {path: {"type": "categorical", "choices": values} for path, values in choices.items()}
        return {"version": 2, "params": params, "enqueue": [dict(values) for values in self.configurations]}


def every(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """All combinations of the values of some paths.

    >>> every({"a": [1, 2], "b": [3]})
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 3}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


@dataclass(frozen=True)
class Trained:
    """One finished training of an arm: its configuration's values, seed, validation metrics, and its folder."""

    values: Mapping[str, Any]
    seed: int
    metrics: Mapping[str, float]
    folder: Path
    seconds: float | None = None
    measured: Mapping[str, Any] | None = None
    """What the study's `measure` has found; None: nothing yet."""


@dataclass(frozen=True)
class Searched:
    """What a search has come to: so many finished and failed trials, the winner's trial and values, its validation accuracy,
    and that of the paper's configuration before any search (None where that has not finished)."""

    trials: int
    failed: int
    trial: int
    winner: Mapping[str, Any]
    score: float
    paper: float | None


@dataclass(frozen=True)
class Found:
    """What there is of a study's arms, by arm; trainings in the order of their seeds."""

    setting: Setting
    trainings: Mapping[str, Sequence[Trained]]
    """Of a search, those of the winner with fresh seeds."""
    tests: Mapping[str, Mapping[str, Mapping[int, float]]] = field(default_factory=dict)
    """Arm -> metric -> seed -> test score, of searches whose winners were scored on the test split."""
    searches: Mapping[str, Searched] = field(default_factory=dict)
    """By arm, where a search has a winner."""
    failed: Mapping[str, int] = field(default_factory=dict)
    """By arm, how many trainings have failed, where any has."""
    openings: int = 0
    """How often the study has opened the test set."""
    look: int = 0
    """Which look at it the last one was, an interrupted one and its repetition being one look."""
    data_notes: tuple[str, ...] = ()
    """What is to be known of the samples that the arms trained and were scored on, a line each."""

    def measured(self, arm: str) -> dict[int, Mapping[str, Any]]:
        """Seed -> what was measured of an arm of one configuration, where that could be."""
        return {
            each.seed: each.measured
            for each in self.trainings.get(arm, ())
            if each.measured is not None and FAILED not in each.measured
        }

    def of(self, arm: str, wanted: Mapping[str, Any], metric: str = "val/acc") -> BySeed:
        """Seed -> score of the trainings of an arm that have these values."""
        chosen = [
            each
            for each in self.trainings.get(arm, ())
            if metric in each.metrics and all(same(each.values.get(path), value) for path, value in wanted.items())
        ]
        scores = {each.seed: each.metrics[metric] for each in chosen}
        return BySeed(scores, metric.removeprefix("val/"), {each.seed: each.folder for each in chosen})


def same(one: Any, other: Any) -> bool:
    """Equal and of one kind: 1 is not true."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper beside what was seen. `difference` supports one that something is better where its interval lies
    above 0; one that two things are `equal` it can only contradict."""

    paper: str
    difference: Difference | None
    equal: bool = False

    @property
    def verdict(self) -> str:
        """`seen`, `not told apart`, `the other way round`, or `no data yet`; of equal things `nothing against it` or `not
        so`."""
        if self.difference is None:
            return "no data yet"
        if self.equal:
            return "not so" if self.difference.sign else "nothing against it"
        return {1: "seen", 0: "not told apart", -1: "the other way round"}[self.difference.sign]


@dataclass(frozen=True)
class Table:
    """A table in the paper's layout. Cells are numbers in [0, 1] by seed (shown as mean ± s.d. in per cent), or text."""

    name: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str | Mapping[int, float]]]
    note: str = ""
    paper: Sequence[Sequence[str]] | None = None
    """The paper's own cells, row by row, where the data set is the paper's; "" for none."""
    highest: bool = True
    """Whether the highest mean of a column is the best, and bold in LaTeX."""


@dataclass(frozen=True)
class Drawn:
    """A figure with its caption."""

    name: str
    title: str
    caption: str
    figure: go.Figure


@dataclass(frozen=True)
class Outcome:
    """What a study shows."""

    tables: Sequence[Table] = ()
    figures: Sequence[Drawn] = ()
    claims: Sequence[Claim] = ()
    tested: bool = False
    """Whether its scores are of the test split."""


@dataclass(frozen=True)
class Study:
    """A study: what the paper shows there, its arms, and what is made of them.

    Attributes:
        arms: the arms for a setting. Raises UserError where it cannot be made for that data.
        outcome: of what there is so far, also where nothing has finished.
        seeds: trainings of each configuration where nobody says otherwise.
    """

    name: str
    title: str
    question: str
    arms: Callable[[Setting], Sequence[Arm]]
    outcome: Callable[[Found], Outcome]
    seeds: int = 5
    by_method: bool = False
    """Whether it compares methods, so that `--methods` of a whole paper cuts it."""
    measure: Callable[[Path, Trust], dict[str, Any]] | None = None
    """Plain data from a training's folder, its checkpoint included; kept beside it, so that it is measured once."""
