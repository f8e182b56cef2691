"""A trial as its ledger tells it, and the one rule by which a later line changes what the earlier ones said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from igmsweep.gate.numbers import finite, whole
from igmsweep.legible import quoted
from igmsweep.record.failures import Failure
from igmsweep.record.states import FINISHED, UNDER_WAY, State

OUTCOME = ("metrics", "stderr", "folds", "error", "seconds", "epochs", "rung", "notes")
"""How an attempt ended. A trial that runs again, or waits for it, has none of them but what that line itself says."""

REPEAT = "repeat:"

MOST = 10**9
"""The largest number of a trial."""


def repeat_source(trial: int) -> str:
    """The source of a training that repeats a trial's configuration with another seed."""
    return f"{REPEAT}{trial}"


def repeated_trial(source: str) -> int | None:
    """The trial that a training with this source repeats; None for a proposal of its own."""
    return whole(source.removeprefix(REPEAT)) if source.startswith(REPEAT) else None


@dataclass(frozen=True, slots=True)
class Report:
    """A score at the end of a cycle, recorded before early stopping decided on it. Cycles count from 1."""

    cycle: int
    score: float
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, found: Any) -> Report | None:
        """Of a line's `report`; None when it is none."""
        if not isinstance(found, Mapping):
            return None
        cycle, score = whole(found.get("cycle")), finite(found.get("score"))
        return None if cycle is None or score is None else cls(cycle, score, _mapping(found.get("metrics")) or {})

    def plain(self) -> dict[str, Any]:
        """As the ledger has it."""
        return {"cycle": self.cycle, "score": self.score, "metrics": dict(self.metrics)}


@dataclass(frozen=True, slots=True)
class TrialRow(Mapping[str, Any]):
    """What the ledger's lines of one trial say together.

    It is also a read-only mapping of the ledger's own fields, as a person at a prompt wants it: `row["params"]`.
    """

    trial: int
    state: State = State.RUNNING
    source: str = ""
    """`tpe`, `enqueue:paper`, `repeat:17`: who proposed it."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Searched path -> value."""
    fixed_overrides: Mapping[str, Any] = field(default_factory=dict)
    """Other configuration values: what a preset brings along, or the seed of a repeated training."""
    config_hash: str | None = None
    seed: int | None = None
    attempt: int = 0
    """How often it has been started again."""
    retried: int = 0
    """Reruns that a lost worker or node has cost; others do not count against `--retries`."""
    alone: bool = False
    """Whether it runs with no other trial beside it, since it ran out of memory."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """Over folds: the means. A value that was not finite may be missing, null or NaN; see `score`."""
    stderr: Mapping[str, Any] = field(default_factory=dict)
    folds: tuple[Mapping[str, Any], ...] = ()
    error: Failure | None = None
    seconds: float | None = None
    epochs: int | None = None
    rung: int | None = None
    """The cycle at whose end it was stopped early."""
    rungs: Mapping[int, float] = field(default_factory=dict)
    """Cycle -> score at its end."""
    duplicate_of: int | None = None
    notes: tuple[str, ...] = ()
    """What its method said of the training, such as that it could not act."""
    report: Report | None = None
    """The last one."""
    time: str = ""
    """Of the last line."""
    started: str = ""
    """When the last attempt began."""
    other: Mapping[str, Any] = field(default_factory=dict)
    """Fields that this version does not know."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in FINISHED

    @property
    def complete(self) -> bool:
        return self.state is State.COMPLETE

    @property
    def failed(self) -> bool:
        return self.state is State.FAILED

    @property
    def repeat_of(self) -> int | None:
        """The trial whose configuration this one repeats with another seed."""
        return repeated_trial(self.source)

    @property
    def is_repeat(self) -> bool:
        return self.source.startswith(REPEAT)

    @property
    def is_duplicate(self) -> bool:
        """Whether it was answered from an equal trial, and not trained."""
        return self.duplicate_of is not None

    def score(self, metric: str) -> float | None:
        """A metric's value, when it is a finite number."""
        return finite(self.metrics.get(metric))

    def plain(self) -> dict[str, Any]:
        """The fields as the ledger has them, without those of which nothing is known."""
        found: dict[str, Any] = {"trial": self.trial, "state": str(self.state), "source": self.source}
        found |= {"params": dict(self.params), "attempt": self.attempt}
        for name in _OPTIONAL:
            value = getattr(self, name)
            if value is not None and value != _EMPTY[name]:
                found[name] = _written(value)
        return {**self.other, **found}

    def __getitem__(self, key: str) -> Any:
        return self.plain()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain())

    def __len__(self) -> int:
        return len(self.plain())


def merged(row: TrialRow | None, line: Mapping[str, Any]) -> TrialRow:
    """A trial after one more line of the ledger; `row` is None before its first.

    A field that the line does not mention, or says null of, stays as it was, but that a running or waiting trial has no
    outcome (`OUTCOME`) except what the line itself tells, such as the error for which it waits. A value of the wrong type
    says nothing.
    """
    if row is None:
        return _row(_add({}, line))
    return _row(_add({name: getattr(row, name) for name in _FIELDS}, line))


def folded(lines: Iterable[Mapping[str, Any]]) -> dict[int, TrialRow]:
    """Trial number -> row, of a ledger's lines in the order written: `merged`, without a row for every line."""
    told: dict[int, dict[str, Any]] = {}
    for line in lines:
        _add(told.setdefault(int(line["trial"]), {}), line)
    return {number: _row(known) for number, known in told.items()}


def _add(known: dict[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    """The rule of `merged`, on the fields of a row."""
    known.setdefault("trial", int(line["trial"]))
    state = _state(line.get("state"))
    if state in UNDER_WAY:
        for name in OUTCOME:
            known.pop(name, None)
    for key, value in line.items():
        read = _READ.get(key)
        if read is not None:
            found = None if value is None else read(value)
            if found is not None:
                known[key] = found
        elif value is not None and key not in ("trial", "other"):
            known["other"] = {**known.get("other", {}), key: value}
    if state is State.RUNNING and line.get("report") is None:
        known["started"] = known.get("time", "")
    return known


def _row(known: Mapping[str, Any]) -> TrialRow:
    return TrialRow(**known)


def fault(line: Mapping[str, Any]) -> str | None:
    """Why a line is none of a ledger's; None where it is one: it names a trial, and a state that is known if it names one."""
    trial, state = whole(line.get("trial")), line.get("state")
    if trial is None or not 0 <= trial <= MOST:
        return f"trial: found {quoted(line.get('trial'))}, expected a number from 0 to {MOST}"
    if state is not None and _state(state) is None:
        return f"state: found {quoted(state)}, expected {', '.join(_STATES)}"
    return None


def _state(value: Any) -> State | None:
    return _STATES.get(value) if isinstance(value, str) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else dict(value) if isinstance(value, Mapping) else None


def _folds(value: Any) -> tuple[dict[str, Any], ...] | None:
    if not isinstance(value, list | tuple):
        return None
    return tuple(_mapping(item) or {} for item in value)


def _texts(value: Any) -> tuple[str, ...] | None:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else None


def _rungs(value: Any) -> dict[int, float] | None:
    if not isinstance(value, Mapping):
        return None
    pairs = ((whole(cycle), finite(score)) for cycle, score in value.items())
    return {cycle: score for cycle, score in pairs if cycle is not None and score is not None}


def _written(value: Any) -> Any:
    """A field's value as the ledger has it."""
    if isinstance(value, Failure | Report):
        return value.plain()
    if isinstance(value, tuple):
        return [item if isinstance(item, str) else dict(item) for item in value]
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else value


_STATES = {str(state): state for state in State}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "state": _state,
    "source": _text,
    "params": _mapping,
    "fixed_overrides": _mapping,
    "config_hash": _text,
    "seed": whole,
    "attempt": whole,
    "retried": whole,
    "alone": bool,
    "metrics": _mapping,
    "stderr": _mapping,
    "folds": _folds,
    "error": Failure.read,
    "seconds": finite,
    "epochs": whole,
    "rung": whole,
    "rungs": _rungs,
    "duplicate_of": whole,
    "notes": _texts,
    "report": Report.read,
    "time": _text,
    "started": _text,
}
_FIELDS = (*_READ, "trial", "other")
_EMPTY: Mapping[str, Any] = {name: getattr(TrialRow(0), name) for name in _READ}
_OPTIONAL = tuple(name for name in _READ if name not in ("state", "source", "params", "attempt"))
