"""`igmsweep evaluate`: the one place where the test split is opened, and every opening is counted.

The winner by validation and the paper's default are trained again with fresh seeds, on train and validation data together
or on train alone, and scored on the test split. Each training is a plain task with its own folder: a finished one is not run again.
"""

from igmsweep.evaluate.chosen import candidates, first_fresh_seed, paper_default
from igmsweep.evaluate.opening import FREE, TrainOn, evaluate
from igmsweep.evaluate.training import everything
from igmsweep.evaluate.workers import connected

__all__ = ["FREE", "TrainOn", "candidates", "connected", "evaluate", "everything", "first_fresh_seed", "paper_default"]
