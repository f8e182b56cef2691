"""How a sweep is run: every option that a new sweep, a resumed one and a driver share, each declared once.

A declaration is the type, the default and an `Option`: the option's name on the command line, what is checked, and where
its value comes from when a sweep is taken up again. `SweepRequest`, `ResumeRequest`, what `sweep.yaml` and `meta.json` record
and the settings of a driver all follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, get_type_hints

from igmsweep.errors import UserError, nearest
from igmsweep.gate.numbers import finite
from igmsweep.legible import quoted

OnResume = Literal["start", "kept", "session", "machine", "anew"]
"""Where a resumed sweep has an option from, when it is not given anew.

`start`: from `sweep.yaml`. `kept`: likewise, and it cannot be given anew. `session`: from the last driver's entry in `meta.json`,
else from `sweep.yaml`. `machine`: what `sweep.yaml` has under `resources`, as far as the machine here has it. `anew`: the
default, as if the sweep were new.
"""


MOST = 1_000_000_000
"""Of any number: of trials, seeds, seconds."""


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its type and default."""

    flag: str
    """Its name on the command line, which messages use."""
    resume: OnResume | None = None
    """None: it belongs to the start of a sweep alone."""
    least: int | None = None
    above: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()

    def check(self, value: Any) -> None:
        """Raise UserError for a value that cannot work whatever is searched. None is no value, and passes."""
        if value is None:
            return
        if self.choices and value not in self.choices:
            raise UserError(
                f"{self.flag}: found '{value}', expected one of {', '.join(self.choices)}{nearest(value, self.choices)}"
            )
        if self.least is None and self.above is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"{self.flag}: found {quoted(value)}, expected a number")
        if self.least is not None and not value >= self.least:
            raise UserError(f"{self.flag}: found {value}, expected at least {self.least}")
        if self.above is not None and not value > self.above:
            raise UserError(f"{self.flag}: found {value:g}{self.unit}, expected more than {self.above:g}")
        if value > MOST:
            raise UserError(f"{self.flag}: found {quoted(value)}, expected at most {MOST:,}")


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """Times are seconds; None is no limit, or what fits the machine."""

    trials: Annotated[int, Option("--trials", "session", least=1)] = 16
    """Trials in all, those of earlier drivers counted in."""
    time_budget_s: Annotated[float | None, Option("--time-budget", "anew", above=0, unit=" s")] = None
    trial_timeout_s: Annotated[float | None, Option("--trial-timeout", "start", above=0, unit=" s")] = None
    """A trial that takes longer fails as `timeout`."""
    max_concurrent: Annotated[int | None, Option("--max-concurrent", "machine", least=1)] = None
    cpus_per_trial: Annotated[float, Option("--cpus-per-trial", "machine")] = 1.0
    gpus_per_trial: Annotated[float | Literal["auto"] | None, Option("--gpus-per-trial", "machine")] = None
    """None: one where the machine has any, else none. `auto`: a short training's peak memory decides."""
    folds: Annotated[int | None, Option("--folds", "kept", least=2)] = None
    """Cross-validation inside each trial; its score is the mean."""
    seeds: Annotated[int, Option("--seeds", "session", least=1)] = 1
    """Trainings in all, of different seeds, of each of the `repeat_top` best configurations."""
    repeat_top: Annotated[int, Option("--repeat-top", "kept", least=1)] = 3
    retries: Annotated[int, Option("--retries", "start", least=0)] = 2
    """How often a trial whose process or node died goes on from its checkpoint."""
    keep_checkpoints: Annotated[
        Literal["best", "all", "none"], Option("--keep-checkpoints", "kept", choices=("best", "all", "none"))
    ] = "best"
    keep_predictions: Annotated[
        Literal["auto", "all", "none"], Option("--keep-predictions", "start", choices=("auto", "all", "none"))
    ] = "auto"
    """What each finished trial predicts of the validation samples: `auto` where it is small."""
    local: Annotated[bool, Option("--local", "machine")] = False
    """One trial after the other in this process, without Ray."""
    address: Annotated[str | None, Option("--address", "anew")] = None
    """Of a running Ray cluster to join."""
    loggers: Annotated[Mapping[str, str], Option("--log", "anew")] = field(default_factory=dict)
    """Ray's own callbacks by name: `tensorboard`, `wandb` (project), `mlflow` (tracking address)."""
    quiet: Annotated[bool, Option("--quiet", "anew")] = False

    def check(self) -> None:
        """Raise UserError for an option that cannot work whatever is searched."""
        for name, option in declared(type(self)).items():
            option.check(getattr(self, name))
        if self.local and self.loggers:
            raise UserError("--log: Ray's own callbacks need Ray; leave --local out")

    def recorded(self) -> dict[str, Any]:
        """What `sweep.yaml` says of them."""
        return {name: getattr(self, name) for name in recorded()}

    def of_session(self) -> dict[str, Any]:
        """What a driver's entry in `meta.json` says of them."""
        return {name: getattr(self, name) for name in _with("session")}


def declared(kind: type = SweepOptions) -> dict[str, Option]:
    """The options of a request by the names of their fields."""
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    for each in fields(kind):
        for extra in getattr(hints[each.name], "__metadata__", ()):
            if isinstance(extra, Option):
                found[each.name] = extra
    return found


def recorded() -> tuple[str, ...]:
    """The options that `sweep.yaml` holds under their own names; all but `SINCE` must be there for it to be taken up again."""
    return _with("start", "kept", "session")


SINCE = frozenset({"keep_predictions"})
"""Recorded options that a folder of 0.1.0 does not have; it gets their defaults."""


def on_resume() -> tuple[str, ...]:
    """The options that a resumed sweep may be given anew."""
    return _with("start", "session", "machine", "anew")


def lasting() -> tuple[str, ...]:
    """The options that a folder may say of how it is gone on with: numbers and choices, no address and nothing that is called."""
    return _with("start", "machine")


def check_amounts(held: Mapping[str, Any], name: str) -> None:
    """Raise UserError unless what a file says of the resources of trials are numbers.

    Args:
        name: what holds them, for the message.
    """
    for key in ("max_concurrent", "cpus_per_trial", "gpus_per_trial"):
        value = held.get(key)
        if value is not None and finite(value) is None and not (key == "gpus_per_trial" and value == "auto"):
            raise UserError(f"{name}.{key}: found {quoted(value)}, expected a number")


def resumed(spec: Mapping[str, Any], session: Mapping[str, Any], given: Mapping[str, Any]) -> SweepOptions:
    """The options of a sweep that is taken up again.

    Args:
        spec: its `sweep.yaml`.
        session: the last driver's entry in its `meta.json`; empty where there is none.
        given: options given anew, by name.
    """
    before = {name: spec[name] for name in recorded() if name in spec or name not in SINCE}
    before |= {name: session[name] for name in _with("session") if session.get(name)}
    resources = spec.get("resources") or {}
    before |= {"local": resources.get("runner") == "local"}
    if "cpus_per_trial" in resources:
        before["cpus_per_trial"] = resources["cpus_per_trial"]
    return SweepOptions(**{**before, **given})


def _with(*kinds: OnResume) -> tuple[str, ...]:
    return tuple(name for name, option in declared().items() if option.resume in kinds)
