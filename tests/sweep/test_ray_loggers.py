"""What TensorBoard, W&B and MLflow are shown of a trial."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from igmsweep.sweep.ray_loggers import searched_only

PARAMS = {"method.tau": 0.4, "optim.lr.image": 0.025}


class Logger:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def log_trial_start(self, trial):
        self.seen.append((trial.config, trial.evaluated_params))

    def log_trial_result(self, iteration, trial, result):
        self.seen.append((trial.config, result["config"]))

    def log_trial_end(self, trial, failed=False):
        self.seen.append((trial.config, trial.evaluated_params))


def test_a_logger_sees_the_searched_parameters_and_not_the_workers_task():
    task = {"handle": 3, "folder": "results/s/trials/00003", "params": PARAMS, "config": {"seed": 0}}
    trial = SimpleNamespace(config=task, evaluated_params={"handle": 3})
    logger = searched_only(Logger)()
    result = {"val/acc": 0.5, "config": task}
    logger.log_trial_start(trial)
    logger.log_trial_result(1, trial, result)
    logger.log_trial_end(trial, failed=False)
    assert logger.seen == [(PARAMS, PARAMS)] * 3
    assert (trial.config, trial.evaluated_params) == (task, {"handle": 3})
    assert result["config"] is task
