"""One training of an evaluation: a task that stands for itself, with a folder in which it is found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from igmsweep import data as datasets
from igmsweep.config import TrainConfig
from igmsweep.data.base import SearchData
from igmsweep.record.failures import classify, one_line
from igmsweep.record.json_files import read_object
from igmsweep.record.paths import RESULT, SCHEMA
from igmsweep.record.predictions import kept, write_predictions
from igmsweep.record.results import write_result
from igmsweep.record.stamps import now
from igmsweep.record.states import State
from igmsweep.record.training import output_to, write_config
from igmsweep.sweep.trial import prepare_process


def run_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """Train one candidate with one seed, score it on the test split and write `result.json`; a failure is a result."""
    from igmsweep.train import train

    folder = Path(task["folder"])
    config = TrainConfig(**task["config"])
    write_config(folder, config.to_yaml())
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "candidate": task["candidate"],
        "seed": task["seed"],
        "key": task["key"],
    }
    with output_to(folder):
        try:
            prepare_process(int(task["threads"]), float(task["gpus"]))
            found = datasets.load_search(config.data)
            trained = train(config, data=everything(found) if task["train_on"] == "all" else found)
            test, predictions = trained.predict(datasets.load_test(config.data))
            if kept("auto", *predictions.probabilities.shape):
                write_predictions(folder, predictions)
            result |= {
                "state": State.COMPLETE,
                "test": {name: float(value) for name, value in test.items()},
                "seconds": trained.seconds,
                "config_hash": trained.config.hash(),
                "config": trained.config.to_dict(),
            }
        except Exception as error:
            result |= {"state": State.FAILED, "error": {"class": classify(error), "message": one_line(error)}}
    result["finished"] = now()
    write_result(folder, result)
    return result


def everything(found: SearchData) -> SearchData:
    """Train and validation as one training partition. What the loop still calls validation is seen in training, so its
    scores mean nothing and are not kept."""
    return replace(found, train=found.train.joined(found.val), split="train + validation")


def finished(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of a task that has completed before, else None."""
    result = read_object(Path(task["folder"]) / RESULT)
    complete = result is not None and result.get("state") == State.COMPLETE and result.get("key") == task["key"]
    return result if complete else None
