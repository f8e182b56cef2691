"""What a report says of the test set: the latest look, whether the choice was worth it, and every look there was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from igmsweep.analysis.names import metric_label, points_text
from igmsweep.analysis.tables import score_text
from igmsweep.frame import Sweep
from igmsweep.record.bad_samples import read_bad

GREW = "trained on validation data too"


def test_set(sweep: Sweep) -> dict[str, Any] | None:
    """Rows and sentences for the page; None where no evaluation has finished."""
    if not sweep.tests:
        return None
    latest = sweep.test
    candidates = [_map(each) for each in latest["candidates"]]
    metrics = [name for name in ("acc", "map", "f1") if any(name in _map(each.get("mean")) for each in candidates)]
    own = sweep.metric.rsplit("/", 1)[-1]
    looks = [_look(test, own) for test in sweep.tests]
    lost = (sweep.test_opened or 0) - len(looks)
    return {
        "metrics": [metric_label(f"test/{name}") for name in metrics],
        "rows": [
            (str(each.get("name", "")), len(each.get("seeds") or []), [_cell(each, name) for name in metrics])
            for each in candidates
        ],
        "grew": latest.get("train_on", "all") == "all",
        "level": f"{100 * (1 - float(latest['level'])):.6g} %" if "level" in latest else "",
        "over": "seeds and samples"
        if min(len(each.get("seeds") or []) for each in candidates) > 1
        else "samples alone",
        "words": [words for words in (_words(latest), *worth(latest, own, sweep.maximise), _bad(latest)) if words],
        "time": str(latest.get("time", "")),
        "looks": looks if len(looks) > 1 or lost > 0 else [],
        "lost": max(lost, 0),
    }


def worth(test: Mapping[str, Any], metric: str, maximise: bool = True) -> list[str]:
    """What the search had promised beside what came of it, a sentence each: of the winner, and of its lead over the default.

    Args:
        test: an evaluation.
        metric: the sweep's own, without its split.
    """
    candidates = [_map(each) for each in test["candidates"]]
    scores = [(each.get("promised"), _map(each.get("mean")).get(metric)) for each in candidates]
    promised, got = scores[0]
    if promised is None or got is None:
        return []
    name = f"test/{metric}"
    grew = test.get("train_on", "all") == "all"
    interval = _interval(candidates[0], metric)
    out = [
        f"Promised {score_text(name, promised)} on validation, got {score_text(name, got)}{interval and f' {interval}'} on test"
        + (f", {GREW}" if grew else "")
        + ": "
    ]
    lost = (promised - got) * (1 if maximise else -1)
    gap = points_text(abs(lost), name)
    if lost > 0 and grew:
        out[0] += (
            f"{gap} less, although there was more to learn from: luck of the choice and the change to the test set."
        )
    elif lost > 0:
        out[0] += f"{gap} were luck of the choice and the change to the test set."
    else:
        out[0] += f"the promise was kept{', but there was more to learn from' if grew else ''}."
    if len(scores) > 1 and None not in scores[1]:
        before, after = scores[1]
        lead, kept = ((one - two) * (1 if maximise else -1) for one, two in ((promised, before), (got, after)))
        out.append(f"Its lead over {candidates[1].get('name', 'the default')} was {points_text(lead, name)} on validation and is "
                   f"{points_text(kept, name)} on test{_verdict(test, maximise)}.")  # fmt: skip
    return out


def _verdict(test: Mapping[str, Any], maximise: bool) -> str:
    """Whether the choice was worth it, as far as the interval of the difference tells."""
    comparison = _map(test.get("comparison"))
    ends = comparison.get("interval")
    if not isinstance(ends, list) or comparison.get("n", 0) < 2:
        return ""
    low, high = sorted(end if maximise else -end for end in ends)
    if low > 0:
        return ": the choice was worth it"
    return ": the choice did harm" if high < 0 else ": not shown to have been worth it"


def _look(test: Mapping[str, Any], metric: str) -> tuple[str, str, str, str]:
    """Date, seeds, training data and result of one evaluation."""
    candidates = [_map(each) for each in test["candidates"]]
    seeds = max(len(each.get("seeds") or []) for each in candidates)
    shown = _words(test) or "; ".join(f"{each.get('name', '')} {_cell(each, metric)}" for each in candidates)
    trained = "train + validation" if test.get("train_on", "all") == "all" else "train"
    return str(test.get("time", "–")), str(seeds), trained, shown


def _words(test: Mapping[str, Any]) -> str:
    return str(_map(test.get("comparison")).get("words", ""))


def _bad(test: Mapping[str, Any]) -> str:
    """How many samples of the split were left out or filled."""
    bad = read_bad(test.get("bad"))
    return f"{bad.words()}." if bad is not None and bad.count else ""


def _cell(candidate: Mapping[str, Any], metric: str) -> str:
    """Mean, standard deviation over seeds and interval, where they are known."""
    name = f"test/{metric}"
    spread = _map(candidate.get("sd")).get(metric)
    shown = score_text(name, _map(candidate.get("mean")).get(metric))
    shown += "" if spread is None else f" ± {score_text(name, spread)}"
    return f"{shown} {_interval(candidate, metric)}".strip()


def _interval(candidate: Mapping[str, Any], metric: str) -> str:
    ends = _map(candidate.get("interval")).get(metric)
    return f"[{', '.join(score_text(f'test/{metric}', end) for end in ends)}]" if ends else ""


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
