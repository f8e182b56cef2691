"""Who is best: the same answer for the driver, `status`, the report and a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from ledger_lines import ended, scored

from igmsweep.analysis import ranked, read_sweep
from igmsweep.record.folder import SweepFolder
from igmsweep.record.ranking import best, ordered, ranking, to_repeat
from igmsweep.record.rows import TrialRow, folded, repeat_source
from igmsweep.record.states import State
from igmsweep.record.status import status
from igmsweep.sweep import SweepResult


def row(trial: int, score: float | None, source: str = "tpe", duplicate_of: int | None = None) -> TrialRow:
    metrics = {} if score is None else {"val/acc": score}
    state = State.FAILED if score is None else State.COMPLETE
    return TrialRow(trial, state, source, metrics=metrics, duplicate_of=duplicate_of)


def trials(rows: list[TrialRow], mode: str = "max") -> list[int]:
    return [place.trial for place in ranking({each.trial: each for each in rows}, "val/acc", mode)]


def test_repeated_configurations_stand_first_by_their_mean() -> None:
    rows = [row(0, 0.9), row(1, 0.8), row(2, 0.85), row(3, 0.1, "repeat:0"), row(4, 0.7, "repeat:1")]
    assert trials(rows) == [1, 0, 2]
    winner = best({each.trial: each for each in rows}, "val/acc", "max")
    assert winner is not None and winner.repeated and winner.scores == (0.8, 0.7) and winner.mean == 0.75


def test_a_failed_repeat_does_not_cost_the_others_their_place() -> None:
    rows = [row(0, 0.9), row(1, 0.8), row(2, 0.9, "repeat:0"), row(3, None, "repeat:0")]
    rows += [row(4, 0.5, "repeat:1"), row(5, 0.5, "repeat:1")]
    assert trials(rows)[0] == 0


def test_copies_failures_lost_scores_and_repeats_of_nothing_have_no_place() -> None:
    rows = [row(0, 0.5), row(1, 0.9, duplicate_of=0), row(2, None), row(3, float("nan")), row(4, 0.9, "repeat:2")]
    assert trials(rows) == [0]
    assert best({}, "val/acc", "max") is None


def test_equal_scores_stand_in_the_order_in_which_they_were_tried() -> None:
    rows = [row(2, 0.5), row(0, 0.5), row(1, 0.4)]
    assert trials(rows) == [0, 2, 1] and trials(rows, "min") == [1, 0, 2]


def test_of_equal_scores_the_lower_loss_then_the_higher_map_is_better(write_folder: Callable[..., Path]) -> None:
    told = [{"val/loss": 0.5, "val/map": 0.9}, {"val/loss": 0.4, "val/map": 0.7}, {"val/loss": 0.4, "val/map": 0.8}, {}]
    lines = [
        ended(trial, 0.1 * trial, **scored(0.9)) | {"metrics": {"val/acc": 0.9, **more}}
        for trial, more in enumerate(told)
    ]
    folder = write_folder(lines)
    rows = SweepFolder.read(folder).rows
    assert [place.trial for place in ranking(rows, "val/acc", "max")] == [2, 1, 0, 3]
    sweep = read_sweep(folder)
    assert ranked(sweep)["trial"].tolist() == sweep.completed()["trial"].tolist() == [2, 1, 0, 3]
    assert to_repeat(rows, "val/acc", "max", 1) == [2]


def test_what_is_repeated_does_not_change_while_the_repeats_run() -> None:
    rows = {each.trial: each for each in [row(0, 0.9), row(1, 0.8), row(2, 0.7), row(3, 0.1, "repeat:0")]}
    assert to_repeat(rows, "val/acc", "max", 2) == [0, 1]


@given(st.dictionaries(st.integers(0, 9), st.floats(0, 1), min_size=1), st.booleans())
def test_without_repeats_it_is_the_order_of_the_scores(own: dict[int, float], maximise: bool) -> None:
    found = [place.mean for place in ordered(own, {}, maximise)]
    assert found == sorted(own.values(), reverse=maximise)


@given(
    st.lists(st.tuples(st.none() | st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from(["tpe", "repeat:0", "repeat:1"]))),
    st.sampled_from(["max", "min"]),
)
def test_the_best_is_the_first_of_the_ranking(told: list[tuple[float | None, str]], mode: str) -> None:
    rows = {trial: row(trial, score, source) for trial, (score, source) in enumerate(told)}
    assert best(rows, "val/acc", mode) == next(iter(ranking(rows, "val/acc", mode)), None)


def test_all_who_rank_agree(write_folder: Callable[..., Path]) -> None:
    lines = [ended(trial, 0.1 * trial, **scored(score)) for trial, score in enumerate([0.6, 0.9, 0.8, 0.7])]
    lines += [
        ended(4, 0.1, source=repeat_source(1), **scored(0.5)),
        ended(5, 0.2, source=repeat_source(2), **scored(0.78)),
    ]
    folder = write_folder(lines)
    rows = folded([{**line, "time": ""} for line in lines])
    order = [place.trial for place in ranking(rows, "val/acc", "max")]
    assert order == [2, 1, 3, 0] == ranked(read_sweep(folder))["trial"].tolist()
    assert status(folder)["best"]["trial"] == 2
    result = SweepResult(folder, dict(SweepFolder.read(folder).rows), "val/acc", "max", 4)
    assert result.best is not None and result.best["trial"] == 2 and result.best["repeats"] == [0.8, 0.78]
    assert result.best["params"] == {"method.tau": 0.2}
