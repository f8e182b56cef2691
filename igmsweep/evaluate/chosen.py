"""What is trained again: the winner by validation and the paper's default, and with which seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from igmsweep.analysis.ranking import ranked, winner
from igmsweep.analysis.tables import best_config
from igmsweep.config import TrainConfig
from igmsweep.frame import Sweep
from igmsweep.gate.numbers import whole
from igmsweep.gate.paths import full
from igmsweep.plugin import Trust
from igmsweep.schema.paths import refuse_places


def candidates(
    sweep: Sweep, root: Path | str | None = None, trust: Trust | None = None, trial: int | None = None
) -> list[dict[str, Any]]:
    """The winner by validation, or a `trial` in its place, and the paper's default with the same data and fixed settings, where it is another
    configuration: `name`, `slug`, `trial` (None: never run), `config`, and in `promised` the validation score that the search shows
    for it, by the sweep's own metric (None: never run).

    Raises:
        UserError: a configuration names a Python file that is not trusted.
    """
    trust = trust or Trust()
    trust.check_links(sweep.dir)
    trial = winner(sweep) if trial is None else trial
    found = best_config(sweep, trial)
    best = TrainConfig.of_folder(found, sweep.dir, trust)
    default = paper_default(sweep, trust)
    out: list[dict[str, Any]] = [
        {"name": f"best trial, {trial}", "slug": f"trial{trial}", "trial": trial, "config": best}
    ]
    if default is not None and default.override({"seed": best.seed}).hash() != best.hash():
        chosen = default.method.preset
        given = sweep.trials.loc[sweep.trials["source"].astype(str) == f"enqueue:{chosen}", "trial"]
        out.append(
            {
                "name": "paper's default" if chosen == "paper" else f"preset {chosen}",
                "slug": "paper",
                "trial": int(given.iloc[0]) if len(given) else None,
                "config": default,
            }
        )
    changes = {} if root is None else {"data.root": str(full(root, "--root"))}
    table = ranked(sweep)
    shown = dict(zip(table["trial"].tolist(), table["mean"].tolist(), strict=True))
    return [
        candidate | {"config": candidate["config"].override(changes), "promised": shown.get(candidate["trial"])}
        for candidate in out
    ]


def paper_default(sweep: Sweep, trust: Trust | None = None) -> TrainConfig | None:
    """The paper's values (or those of the preset that was chosen) over what a sweep left fixed; a searched parameter for which there
    is none stays as the sweep's base configuration has it. None where the sweep knows no such values.

    Raises:
        UserError: the configuration names a Python file that is not trusted.
    """
    base, paper = sweep.spec.get("base_config"), sweep.paper
    if not isinstance(base, dict) or not paper:
        return None
    default = TrainConfig.of_folder(base, sweep.dir / "sweep.yaml", trust or Trust())
    known = default.paths()
    refuse_places(paper)
    return default.override({path: value for path, value in paper.items() if path in known})


def first_fresh_seed(sweep: Sweep) -> int:
    """The first seed that a sweep has not trained with: the search has trained with its own seed, and with the following ones where it repeated the best."""
    base = (sweep.spec.get("base_config") or {}).get("seed")
    used = max(whole(seed) or 0 for seed in (sweep.spec.get("seed"), base))
    sessions = sweep.meta.get("sessions") or []
    repeats = [session.get("seeds") for session in sessions if isinstance(session, dict)]
    return used + max(whole(seeds) or 1 for seeds in (*repeats, sweep.spec.get("seeds"), 1))
