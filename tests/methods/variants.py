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
