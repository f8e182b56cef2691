"""Ray's own callbacks for TensorBoard, W&B and MLflow, shown a trial's parameters in place of its whole task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from igmsweep.errors import UserError, nearest

LOGGERS = {"tensorboard": "tensorboardX", "wandb": "wandb", "mlflow": "mlflow"}
"""Kinds, and the package that each of them needs."""


def callbacks(loggers: Mapping[str, str], name: str) -> list[Any]:
    """A callback for each kind. Raises UserError for an unknown or uninstalled one.

    Args:
        loggers: kind -> where it logs to: W&B's project, MLflow's address; empty for the default.
        name: of the sweep.
    """
    made: list[Any] = []
    for kind, target in loggers.items():
        if kind not in LOGGERS:
            raise UserError(f"--log: found '{kind}', expected one of {', '.join(LOGGERS)}{nearest(kind, LOGGERS)}")
        if find_spec(LOGGERS[kind]) is None:
            raise UserError(f"--log {kind}: needs the package `{LOGGERS[kind]}`; install it, or leave the option out")
        if kind == "tensorboard":
            from ray.tune.logger import TBXLoggerCallback

            made.append(searched_only(TBXLoggerCallback)())
        elif kind == "wandb":
            from ray.air.integrations.wandb import WandbLoggerCallback

            made.append(searched_only(WandbLoggerCallback)(project=target or "igmsweep", group=name))
        else:
            from ray.air.integrations.mlflow import MLflowLoggerCallback

            made.append(searched_only(MLflowLoggerCallback)(tracking_uri=target or None, experiment_name=name))
    return made


def searched_only(callback: type[Any]) -> type[Any]:
    """A logger's class, to which a trial's configuration is what the sweep searches: paths and values.

    Ray's configuration of a trial is the worker's task, whose folders and defaults would stand among the parameters.
    """

    class SearchedOnly(callback):
        def log_trial_start(self, trial: Any) -> None:
            with _searched(trial):
                super().log_trial_start(trial)

        def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None:
            with _searched(trial):
                super().log_trial_result(iteration, trial, {**result, "config": trial.config})

        def log_trial_end(self, trial: Any, failed: bool = False) -> None:
            with _searched(trial):
                super().log_trial_end(trial, failed)

    return SearchedOnly


@contextmanager
def _searched(trial: Any) -> Iterator[None]:
    before = trial.config, trial.evaluated_params
    trial.config = trial.evaluated_params = dict(trial.config["params"])
    try:
        yield
    finally:
        trial.config, trial.evaluated_params = before
