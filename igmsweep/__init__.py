"""igmsweep: hyper-parameter sweeps for alternating multimodal training (IGM) on Ray Tune and Optuna."""

__version__ = "0.2.0.dev0"
