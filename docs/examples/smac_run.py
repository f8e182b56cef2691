"""A sweep as a run of SMAC's, which DeepCAVE shows: `python smac_run.py results/mysweep` writes `smac3_output/mysweep/0`.

It needs SMAC (`pip install smac`) beside igmsweep.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ConfigSpace import Configuration, ConfigurationSpace
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory import TrialInfo, TrialValue

from igmsweep.record.folder import SweepFolder


def smac_run(folder: Path, output: Path = Path("smac3_output")) -> HyperparameterOptimizationFacade:
    """SMAC, told of a sweep's completed trials; `ask()` proposes the next one. It minimises the score, or the score's negative."""
    space = ConfigurationSpace.from_json(folder / "configspace.json")
    sweep = SweepFolder.read(folder)
    scenario = Scenario(
        space, name=sweep.path.name, output_directory=output, deterministic=True, n_trials=len(sweep.rows) + 100
    )
    design = HyperparameterOptimizationFacade.get_initial_design(scenario, n_configs=1)
    facade = HyperparameterOptimizationFacade(scenario, _none, initial_design=design, overwrite=True)
    for row in sweep.rows.values():
        score = row.score(sweep.metric)
        if not row.complete or row.is_repeat or score is None:
            continue
        # ConfigSpace has no value below 1e-13; a logarithmic range from further down begins there
        values = {path: max(value, getattr(space[path], "lower", value)) for path, value in row.params.items()}
        told = TrialValue(cost=score if sweep.mode == "min" else -score, time=row.seconds or 0.0)
        facade.tell(TrialInfo(Configuration(space, values=values), seed=0), told, save=False)
    facade.optimizer.save()
    return facade


def _none(config: Configuration, seed: int = 0) -> float:
    """SMAC asks for a function to train with; igmsweep trains."""
    raise NotImplementedError


if __name__ == "__main__":
    print(smac_run(Path(sys.argv[1])).scenario.output_directory)
