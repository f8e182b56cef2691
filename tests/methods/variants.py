"""The methods that the contract is tested on: all that ship, as they come and in further settings, and throw-away ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from igmsweep import methods

HERE = Path(__file__).parent

SETTINGS: dict[str, dict[str, Any]] = {
    "igm-all-layers": {"name": "igm", "scope": 1.0, "rho": 0.05, "covariance": "samples"},
    "igm-released": {"name": "igm", "preset": "released", "rho": 0.01},
    "igm-mixup": {"name": "igm", "mixup_alpha": 0.4, "sam_mix": 0.5, "rho": 0.05},
    "igm-inert-1e-9": {"name": "igm", "rho": 1e-9, "sam_skip_inert": True},
    "igm-inert-3e-9": {"name": "igm", "rho": 3e-9, "sam_skip_inert": True},
    "mla-off": {"name": "mla", "projector": "off"},
    "ogr_gb-online": {"name": "ogr_gb", "mode": "online", "super_epoch": 2},
    "ogm-sum": {"name": "ogm", "fusion": "sum"},
    "ogm-rate": {"name": "ogm", "acts_on": "rate", "ratio": "weakest"},
    "domfn-penalise": {"name": "domfn", "divergence": "penalise", "threshold": 0.02, "pretrain": 0.5},
    "mses-stops": {"name": "mses", "patience": 1, "smoothing": 0.0},
    "mslr-smooth": {"name": "mslr", "strategy": "smooth"},
    "mslr-window-1": {"name": "mslr", "window": 1, "pretrain": 0.0},
    "pmr-sum": {"name": "pmr", "fusion": "sum", "coefficients": "hard"},
    "agm-features": {"name": "agm", "blank": "features", "fusion": "sum", "acts_on": "rate"},
    "mmpareto-tensor": {"name": "mmpareto", "rescale": "tensor"},
    "smv-at-once": {"name": "smv", "warmup": 0.0},
    "smv-modality": {"name": "smv", "level": "modality", "warmup": 0.0, "part": 0.3, "alpha": 3.0},
    "reconboost-released": {"name": "reconboost", "preset": "released"},
    "reconboost-pretrained": {"name": "reconboost", "pretrain": True},
    "joint-concat": {"name": "joint", "fusion": "concat"},
    "joint-separate": {"name": "joint", "fusion": "separate"},
    "unimodal-second": {"name": "unimodal", "modality": "m1"},
    "masking": {"name": f"{HERE / 'masking_method.py'}:Masking"},
    **{
        name.lower(): {"name": f"{HERE / 'needs.py'}:{name}"}
        for name in ("Boosting", "Valuing", "Blending", "Stopping")
    },
}

VARIANTS: dict[str, dict[str, Any]] = {name: {"name": name} for name in methods.names()} | SETTINGS
"""By a test's name; a method that is registered is among them without a line here."""
