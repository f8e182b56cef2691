"""Samplers, early stopping, reshuffled validation and priors: regret against what was trained, on the table of real trainings.

    python -m benchmarks.tabulated.judged --seeds 100 --out judged.json      # goes on where it stopped
    python -m benchmarks.tabulated.judged --out judged.json --show
    python -m benchmarks.tabulated.judged --on mixed --seeds 100 --out mixed.json        # a response of benchmarks/simulated_sweeps

A search is asked for configurations as `igmsweep tune` asks (the same samplers, seeds by number, rules of early stopping) and
told what the table says. After every trial stands what has been trained so far, in full trainings, and the regret: by how many
points of unseen accuracy the configuration that validation prefers lies below the best there is.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import optuna

from benchmarks import outcomes
from benchmarks.simulated_sweeps.design import RESPONSES
from benchmarks.simulated_sweeps.searched import Response
from benchmarks.tabulated.prior import Believing, Prior
from benchmarks.tabulated.table import Table
from igmsweep.spaces.design import sobol_design
from igmsweep.spaces.space import SearchSpace
from igmsweep.sweep.search import make_sampler, startup_trials
from igmsweep.sweep.stopping import make_stopping

BUDGETS = (10, 20, 40, 80)
"""In full trainings."""
EXCERPT = 180
"""Validation samples where nothing else is said."""


@dataclass(frozen=True)
class Arm:
    """How a search goes. `prior`: where its prior lies, `default` (the method's defaults) or `wrong` (the other end of every range)."""

    sampler: str
    scheduler: str = "none"
    samples: int = EXCERPT
    reshuffled: bool = False
    prior: str | None = None
    default_first: bool = False


ARMS = {
    "random": Arm("random"),
    "sobol": Arm("sobol"),
    "tpe": Arm("tpe"),
    "sobol+tpe": Arm("sobol+tpe"),
    "random, ASHA": Arm("random", "asha"),
    "tpe, ASHA": Arm("tpe", "asha"),
    "random, median": Arm("random", "median"),
    "tpe, default first": Arm("tpe", default_first=True),
    "tpe, default first, prior there": Arm("tpe", prior="default", default_first=True),
    "tpe, prior at the wrong end": Arm("tpe", prior="wrong"),
    "tpe, prior at the default": Arm("tpe", prior="default"),
    "random, reshuffled": Arm("random", reshuffled=True),
    "tpe, reshuffled": Arm("tpe", reshuffled=True),
    "random, 60 samples": Arm("random", samples=60),
    "random, 60 samples, reshuffled": Arm("random", samples=60, reshuffled=True),
    "tpe, 60 samples": Arm("tpe", samples=60),
    "tpe, 60 samples, reshuffled": Arm("tpe", samples=60, reshuffled=True),
    "cmaes": Arm("cmaes"),
    "gp": Arm("gp"),
}


class Drawn(Protocol):
    """One drawing of a problem's samples and noise."""

    best: float

    def train(self, params: dict[str, Any]) -> tuple[list[float], float]:
        """Validation accuracy at the end of each cycle, and the configuration's true accuracy."""


class Problem(Protocol):
    """What is searched: the table, or a response of the simulated sweeps."""

    space: SearchSpace

    def default(self) -> dict[str, Any]:
        """The configuration that a user would begin with."""

    def drawn(self, size: int, reshuffled: bool, generator: np.random.Generator) -> Drawn:
        """One drawing."""


def search(problem: Problem, arm: Arm, seed: int, budget: int = max(BUDGETS)) -> list[tuple[float, float]]:
    """One search: (full trainings spent, regret in points) after every trial, until the budget is spent."""
    drawn = problem.drawn(arm.samples, arm.reshuffled, np.random.default_rng([seed, arm.samples]))
    stopping = make_stopping(arm.scheduler, 3, "max")
    trials = budget if arm.scheduler == "none" else 2 * budget
    spent, told, score, truth = 0.0, [], -np.inf, float("nan")
    for number, (params, tell) in enumerate(proposals(problem, arm, seed, trials)):
        heard, true = drawn.train(params)
        cycles = next((at for at, each in enumerate(heard, 1) if stopping.report(number, at, each)), len(heard))
        whole = cycles == len(heard)
        spent += cycles / len(heard)
        tell(heard[:cycles], whole)
        if whole and heard[-1] > score:
            score, truth = heard[-1], true
        told.append((spent, 100 * (drawn.best - truth)))
        if spent >= budget:
            break
    return told


Tell = Callable[[list[float], bool], None]


def proposals(problem: Problem, arm: Arm, seed: int, trials: int) -> Iterator[tuple[dict[str, Any], Tell]]:
    """Configurations without an end, and whom to tell the scores of the cycles and whether the training was whole."""
    startup = startup_trials(arm.sampler, trials)
    study = optuna.create_study(direction="maximize")
    planned: Iterator[dict[str, Any]] = iter([problem.default()] if arm.default_first else [])
    if arm.sampler.startswith("sobol"):
        design = sobol_design(problem.space, seed)
        planned = itertools.islice(design, startup) if arm.sampler == "sobol+tpe" else design
    name = "tpe" if arm.sampler == "sobol+tpe" else arm.sampler
    prior = None if arm.prior is None else Prior.at(problem.space, problem.default(), arm.prior == "wrong")
    for number in itertools.count():
        own = 1000 * seed + number
        study.sampler = make_sampler(name, seed if name == "cmaes" else own, startup)
        first = next(planned, None)
        if first is not None:
            study.enqueue_trial(first)
        elif prior is not None:
            study.sampler = Believing(lambda each: make_sampler(name, each, startup), prior, own, number)
        trial = study.ask()

        def tell(scores: list[float], whole: bool, trial: optuna.Trial = trial) -> None:
            for cycle, score in enumerate(scores, 1):
                trial.report(score, cycle)
            if whole:
                study.tell(trial, scores[-1])
            else:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)

        yield problem.space(trial), tell


def at_budget(told: Sequence[tuple[float, float]], budget: float) -> float:
    """Regret when the budget was spent; NaN where no training had ended."""
    reached = [regret for spent, regret in told if spent <= budget + 1e-9 and not np.isnan(regret)]
    return float(reached[-1]) if reached else float("nan")


def shown(found: dict[str, list[list[tuple[float, float]]]]) -> str:
    """A Markdown table: mean regret with a 95 % interval over seeds, at each budget."""
    lines = ["| search | seeds | " + " | ".join(f"{budget} trainings" for budget in BUDGETS) + " |"]
    lines.append("|---" * (len(BUDGETS) + 2) + "|")
    for name, runs in found.items():
        cells = []
        for budget in BUDGETS:
            values = np.array([at_budget(told, budget) for told in runs])
            values = values[np.isfinite(values)]
            cells.append(
                f"{values.mean():.2f} ± {1.96 * values.std(ddof=1) / np.sqrt(len(values)):.2f}"
                if len(values) > 1
                else "–"
            )
        lines.append(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what the file does not hold yet, all arms in turn; print."""
    parser = outcomes.arguments(__doc__, "seeds", 100, "judged.json")
    parser.add_argument("--arm", choices=list(ARMS), action="append")
    parser.add_argument("--on", choices=["table", *RESPONSES], default="table")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    found = outcomes.read(given.out)
    if not given.show:
        problem: Problem = Table.read() if given.on == "table" else Response(given.on)
        saved = time.monotonic()
        arms = [name for name, arm in ARMS.items() if given.on == "table" or arm.scheduler == "none"]
        for seed, name in itertools.product(range(given.seeds), given.arm or arms):
            runs = found.setdefault(name, [])
            if len(runs) > seed:
                continue
            runs.append(search(problem, ARMS[name], seed))
            if time.monotonic() - saved > 20 or seed == given.seeds - 1:
                outcomes.write(given.out, found)
                saved = time.monotonic()
    print(shown(found))


if __name__ == "__main__":
    main()
