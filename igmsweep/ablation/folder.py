"""An ablation's folder: an ordinary sweep of fixed configurations, to which each step appends its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from igmsweep.ablation.changes import ASIDE, Ends, Made
from igmsweep.errors import UserError
from igmsweep.plugin import Trust
from igmsweep.record.folder import SweepFolder
from igmsweep.record.paths import SPEC
from igmsweep.record.stamps import now
from igmsweep.spaces.space import SearchSpace, canonical
from igmsweep.sweep.folder import create, held, write
from igmsweep.sweep.plan import read_plan
from igmsweep.sweep.search import Enqueued


class AblationFolder:
    """The trainings of one path, on disk.

    Args:
        path: the folder; it need not be there.
        ends: of the path.
        described: the `sweep.yaml` of the sweep that the path explains.
        seed: the first of every configuration; one that has begun keeps its own.
        trust: which Python files the folder may name.

    Raises:
        UserError: the folder holds another path, or what changes is no plain value.
    """

    def __init__(self, path: Path, ends: Ends, described: Mapping[str, Any], seed: int, trust: Trust) -> None:
        self.path, self._ends, self._described = path, ends, described
        self._params = [path for path, pair in _pairs(ends).items() if _plain(pair)]
        if not self._params:
            raise UserError(f"{path}: cannot be made: {', '.join(_pairs(ends))} is no single value")
        self._enqueued: list[Enqueued] = []
        self.seed, self._created = seed, now()
        if (path / SPEC).is_file():
            before = read_plan(path, trust)
            self.seed, self._created = before.spec["seed"], before.spec["created"]
            self._enqueued = list(before.enqueued)
            self._same(before.base.paths(), before.spec["space"]["params"])

    def append(self, wanted: Sequence[Made], seeds: int) -> int:
        """Write the plan down with these configurations in it, those that are there already as they are; return how many it has.

        Raises:
            UserError: another driver has the folder.
        """
        known = {_key(entry.params, entry.extra) for entry in self._enqueued}
        for made in dict.fromkeys(wanted):
            params, extra = self._split(made)
            if _key(params, extra) not in known:
                self._enqueued.append(Enqueued(params, "enqueue", extra))
        create(self.path)
        with held(self.path):
            write(self.path / SPEC, yaml.safe_dump(self._spec(seeds), sort_keys=False))
        return len(self._enqueued)

    def scores(self, metric: str) -> dict[str, dict[int, float | None]]:
        """By `key`: seed -> score of every finished training; None of one that has failed."""
        if not self.path.is_dir() or not (self.path / SPEC).is_file():
            return {}
        rows = SweepFolder.read(self.path).rows
        found: dict[str, dict[int, float | None]] = {}
        for row in rows.values():
            first = row if row.repeat_of is None else rows.get(row.repeat_of)
            if first is None or not row.finished:
                continue
            seed = self.seed if row.seed is None else row.seed
            key = _key(first.params, first.fixed_overrides)
            found.setdefault(key, {})[seed] = row.score(metric) if row.complete else None
        return found

    @property
    def known(self) -> list[Made]:
        """The configurations that it has, trained or to be."""
        ends = self._ends.changes
        found = [{**entry.extra, **entry.params} for entry in self._enqueued]
        return [
            frozenset(
                place
                for place, change in enumerate(ends)
                if all(values[path] == pair[1] for path, pair in change.values.items())
            )
            for values in found
        ]

    def key(self, made: Made) -> str:
        """What a configuration is called in `scores`."""
        return _key(*self._split(made))

    def _split(self, made: Made) -> tuple[dict[str, Any], dict[str, Any]]:
        """A configuration's values as parameters of the sweep, and those that no parameter can hold."""
        values = self._ends.values(made)
        params = {path: values[path] for path in self._params}
        return params, {path: value for path, value in values.items() if path not in params}

    def _spec(self, seeds: int) -> dict[str, Any]:
        return {
            **self._described,
            "name": self.path.name,
            "created": self._created,
            "space": {**self._space, "metric": self._described["metric"]},
            "enqueued": [
                {"params": dict(entry.params), "source": entry.source, "extra": dict(entry.extra)}
                for entry in self._enqueued
            ],
            "sampler": "random",
            "scheduler": "none",
            "trials": len(self._enqueued),
            "seeds": seeds,
            "repeat_top": 2 ** len(self._ends.changes),
            "keep_checkpoints": "none",
            "seed": self.seed,
            "base_config": self._ends.start.override({"seed": self.seed}).to_dict(),
            "paper": {path: _pairs(self._ends)[path][0] for path in self._params},
        }

    @property
    def _space(self) -> dict[str, Any]:
        """Of every parameter the values at the two ends."""
        return {
            "version": SearchSpace.VERSION,
            "source": f"ablation of {self._described['name']}",
            "params": {
                path: {"type": "categorical", "choices": list(_pairs(self._ends)[path])} for path in self._params
            },
        }

    def _same(self, base: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        """Raise UserError unless a plan found here is of the same path."""
        start, pairs = self._ends.start.paths(), _pairs(self._ends)
        told = [(path, base.get(path), start.get(path)) for path in (*base, *start) if path not in ASIDE]
        told += [(path, params[path]["choices"], list(pairs.get(path, ()))) for path in params]
        told += [(path, None, list(pairs[path])) for path in self._params if path not in params]
        for path, old, new in told:
            if old != new:
                raise UserError(
                    f"{self.path}: was made with {path} {old}, now {new}: another path; move that folder away to begin anew"
                )


def _pairs(ends: Ends) -> dict[str, tuple[Any, Any]]:
    return {path: pair for change in ends.changes for path, pair in change.values.items()}


def _plain(pair: tuple[Any, Any]) -> bool:
    """Whether a parameter can have both as choices."""
    flags = [isinstance(value, bool) for value in pair]
    return all(isinstance(value, str | int | float) for value in pair) and flags[0] == flags[1]


def _key(params: Mapping[str, Any], extra: Mapping[str, Any]) -> str:
    return canonical({**extra, **params})
