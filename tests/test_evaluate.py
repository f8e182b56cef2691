"""The last look: the test split is sealed until it is asked for, opened in one place, and every opening is counted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from igmsweep import data as datasets
from igmsweep.analysis import analyze, read_sweep
from igmsweep.analysis import test_set as told_of_test
from igmsweep.analysis.ranking import ranked
from igmsweep.data.avdigits import AVDIGITS
from igmsweep.errors import DataError, NothingCompleted, UserError
from igmsweep.evaluate import candidates, evaluate
from igmsweep.record.predictions import read_predictions
from igmsweep.statistics.crossed import Scored, difference_of, mean_of
from igmsweep.sweep import SweepRequest, run_sweep

SPACE = """
params:
  method.tau:     {type: float, low: 0.01, high: 100.0, log: true}
  optim.lr.audio: {type: float, low: 0.001, high: 0.1}
enqueue: [paper, {method.tau: 5.0, optim.lr.audio: 0.09}]
"""


def sweep_of(place: Path, data: Path, trials: int = 3) -> Path:
    """A real sweep of tiny trainings in this process."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "space.yaml").write_text(SPACE)
    run_sweep(
        SweepRequest(
            data="avdigits",
            space=place / "space.yaml",
            trials=trials,
            name="s",
            out=place,
            overrides={
                "data.root": str(data),
                "data.cache": str(place / "cache"),
                "stages.cycles": 1,
                "stages.epochs": 1,
                "model.width": 4,
            },
            local=True,
            quiet=True,
        )
    )
    return place / "s"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    from igmsweep.data.avdigits import make

    place = tmp_path_factory.mktemp("finished")
    make(place / "avdigits", counts=(60, 30, 30))
    return sweep_of(place, place / "avdigits"), place / "avdigits"


@pytest.fixture
def sweep(finished: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of a finished sweep, whose data stays where it was."""
    return Path(shutil.copytree(finished[0], tmp_path / "s"))


def spoil(data: Path) -> None:
    """Make the test split unreadable, whoever runs this: its list and every file of its samples."""
    (listed,) = (data / "annotations").glob("*test*")
    names = {line.split(",")[0] for line in listed.read_text().splitlines()}
    files = [path for path in data.rglob("*") if path.is_file() and path.stem in names]
    files += [path for name in names for path in (data / "Image-01-FPS" / name).glob("*")]
    assert len(files) >= 60  # sound and picture of 30 samples
    for path in [listed, *files]:
        path.write_bytes(b"\x00 not for reading")


@pytest.mark.slow
def test_without_the_confirmation_nothing_is_opened(sweep: Path) -> None:
    with pytest.raises(UserError, match="--confirm-test: missing"):
        evaluate(sweep)
    assert not (sweep / "test_eval.json").exists()


def test_winner_and_paper_are_trained_again_scored_and_compared(sweep: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "igmsweep")
    outcome = evaluate(sweep, confirm_test=True, seeds=2, local=True)
    names = [candidate["name"] for candidate in outcome["candidates"]]
    expected = candidates(read_sweep(sweep))
    assert names == [candidate["name"] for candidate in expected]
    for candidate in outcome["candidates"]:
        scores = candidate["per_seed"]["acc"]
        assert candidate["seeds"] == [1, 2] and len(scores) == 2  # the search's own seed was 0
        assert candidate["mean"]["acc"] == pytest.approx(sum(scores) / 2)
        assert candidate["sd"]["acc"] == pytest.approx(abs(scores[0] - scores[1]) / 2**0.5)
    for folder in (sweep / "evaluation").iterdir():
        result = json.loads((folder / "result.json").read_text())
        assert result["config"]["stages"]["handover"] == "last"
    record = json.loads((sweep / "test_eval.json").read_text())
    assert record["count"] == 1 and len(record["openings"]) == len(record["evaluations"]) == 1
    (said,) = [line for line in caplog.messages if "being opened" in line]
    assert "opened, time 1" in said and "30 samples" in said


def test_bad_test_files_are_refused_uncounted_and_told_where_they_are_allowed(
    sweep: Path, finished: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = Path(shutil.copytree(finished[1], tmp_path / "avdigits"))
    for sample in AVDIGITS.index(data, "test")[:2]:
        sample.files["audio"].write_bytes(b"")
    given = {"confirm_test": True, "seeds": 1, "local": True, "root": data, "winner_only": True}
    allowed = {"data.bad_files": "skip"}
    for overrides in (None, allowed):
        with pytest.raises(
            DataError, match=r"test: 2 of 30 samples have a bad file \(2 empty\).*--set data\.bad_share=0\.07$"
        ):
            evaluate(sweep, **given, overrides=overrides)
    assert not (sweep / "test_eval.json").exists()
    with pytest.raises(UserError, match=r"found 'optim\.lr', expected data\.bad_files or data\.bad_share"):
        evaluate(sweep, **given, overrides={"optim.lr": 1})
    evaluate(sweep, **given, overrides={**allowed, "data.bad_share": 0.07})
    line = "test: of 30 samples, 2 are left out (2 empty)"
    assert line in caplog.messages
    (entry,) = json.loads((sweep / "test_eval.json").read_text())["evaluations"]
    assert entry["bad"] == {"part": "test", "samples": 30, "left_out": {"empty": 2}, "filled": {}}
    assert f"{line}." in told_of_test.test_set(read_sweep(sweep))["words"]


@pytest.mark.slow
def test_finished_trainings_are_not_run_again_and_every_opening_counts(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(sweep, confirm_test=True, seeds=1, local=True)
    results = {path: path.read_bytes() for path in (sweep / "evaluation").glob("*/result.json")}
    second = evaluate(sweep, confirm_test=True, seeds=2, local=True)
    assert all(path.read_bytes() == before for path, before in results.items())
    opening = json.loads((sweep / "test_eval.json").read_text())["openings"][-1]
    assert (opening["trained"], opening["reused"]) == (len(results), len(results))
    assert second["count"] == 2 == read_sweep(sweep).test_opened
    page = analyze(sweep, formats=["html"], say=str)[0].read_text()
    assert "The test set was opened 2 times" in page
    assert "On the test set" in page and second["candidates"][0]["name"] in page


def test_a_comparison_is_over_seeds_and_samples_and_looks_share_the_five_per_cent(sweep: Path) -> None:
    """The paper's default is made to differ from the winner, whichever of the trials won."""
    text = (sweep / "sweep.yaml").read_text()
    assert "method.tau: 0.4" in text
    (sweep / "sweep.yaml").write_text(text.replace("method.tau: 0.4", "method.tau: 7.5"))
    alone = evaluate(sweep, confirm_test=True, seeds=1, local=True)
    assert alone["look"] == 1 and alone["comparison"]["level"] == 0.04
    assert "30 samples, one training only: not told apart" in alone["comparison"]["words"]
    outcome = evaluate(sweep, confirm_test=True, seeds=2, local=True)
    best, paper = (
        Scored("acc", values.mean(axis=1), values, "test")
        for candidate in outcome["candidates"]
        for values in [np.array([right_of(sweep / "evaluation" / name) for name in candidate["folders"]])]
    )
    comparison = outcome["comparison"]
    assert (comparison["n"], comparison["samples"], comparison["level"], outcome["look"]) == (2, 30, 0.005, 2)
    wanted = difference_of(best, paper, 0.005)
    assert wanted is not None and comparison["mean"] == pytest.approx(wanted.mean)
    assert comparison["interval"] == pytest.approx([wanted.low, wanted.high])
    assert comparison["words"].startswith("Best trial − paper's default: ")
    assert comparison["words"].endswith("Look 2 at the test set: the 5 % is shared, this look has 0.5 %.")
    for candidate, scored in zip(outcome["candidates"], (best, paper), strict=True):
        found = mean_of(scored, 0.005)
        assert found is not None and candidate["interval"]["acc"] == pytest.approx([found.low, found.high])
    again = evaluate(sweep, confirm_test=True, seeds=1, local=True)  # shown again: no look of its own
    assert (again["look"], again["count"], again["comparison"]) == (1, 3, alone["comparison"])
    page = analyze(sweep, formats=["html"], say=str)[0].read_text()
    assert "Every look at the test set" in page and "at 96 %, 30 samples" in page and "at 99.5 %, 2 seeds" in page


def right_of(folder: Path) -> np.ndarray:
    """(samples,) 1 where a training was right."""
    found = read_predictions(folder)
    assert found is not None
    return found.correct.astype(float)


def test_the_winners_score_is_put_beside_what_the_search_had_promised(sweep: Path) -> None:
    table = ranked(read_sweep(sweep))
    outcome = evaluate(sweep, confirm_test=True, seeds=1, local=True, winner_only=True, train_on="train")
    assert outcome["candidates"][0]["promised"] == table["mean"].iloc[0]
    page = analyze(sweep, formats=["html"], say=str)[0].read_text()
    assert f"Promised {100 * table['mean'].iloc[0]:.2f} on validation, got " in page


def test_training_takes_train_and_validation_together(sweep: Path) -> None:
    from igmsweep import data as datasets
    from igmsweep.evaluate import everything

    found = datasets.load_search(candidates(read_sweep(sweep))[0]["config"].data)
    assert set(everything(found).train.ids) == set(found.train.ids) | set(found.val.ids)
    assert len(everything(found).train) == 90


@pytest.mark.slow
def test_validation_data_stays_out_where_it_is_asked_for_or_where_the_method_goes_by_it(
    sweep: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Two sets of trainings that are never taken for one another, and the winner alone."""
    from igmsweep.methods.igm import IGM

    together = evaluate(sweep, confirm_test=True, seeds=1, local=True, winner_only=True)
    apart = evaluate(sweep, confirm_test=True, seeds=1, local=True, winner_only=True, train_on="train")
    assert (together["train_on"], apart["train_on"]) == ("all", "train")
    assert len(together["candidates"]) == len(apart["candidates"]) == 1
    assert together["comparison"] is apart["comparison"] is None  # nothing is said of a default that was left out
    assert len(list((sweep / "evaluation").iterdir())) == 2
    monkeypatch.setattr(IGM, "validates", classmethod(lambda cls, params: True))
    again = evaluate(sweep, confirm_test=True, seeds=1, local=True, winner_only=True)
    assert again["train_on"] == "train" and "igm goes by validation scores" in caplog.text
    assert again["candidates"][0]["per_seed"] == apart["candidates"][0]["per_seed"]
    with pytest.raises(UserError, match="--train-on: found 'al', expected all or train"):
        evaluate(sweep, confirm_test=True, train_on="al")  # type: ignore[arg-type]


def test_a_damaged_counter_is_not_written_over(sweep: Path) -> None:
    (sweep / "test_eval.json").write_text('{"count": 3, ')
    with pytest.raises(UserError, match=r"test_eval\.json: cannot be read; it counts"):
        evaluate(sweep, confirm_test=True, local=True)
    assert (sweep / "test_eval.json").read_text() == '{"count": 3, '


def test_a_sweep_without_a_finished_trial_has_nothing_to_evaluate(sweep: Path) -> None:
    (sweep / "trials.jsonl").write_text("")
    shutil.rmtree(sweep / "trials")
    with pytest.raises(NothingCompleted):
        evaluate(sweep, confirm_test=True, local=True)


def test_other_data_than_the_sweeps_is_refused(sweep: Path) -> None:
    text = (sweep / "sweep.yaml").read_text()
    before = read_sweep(sweep).data["data_hash"]
    (sweep / "sweep.yaml").write_text(text.replace(before, "000000000000"))
    with pytest.raises(DataError, match="the data has changed"):
        evaluate(sweep, confirm_test=True, local=True)
    assert not (sweep / "test_eval.json").exists()


def misspelt(folder: Path) -> None:
    """From now on every configuration of a sweep names an encoder that there is not."""
    for path in [folder / "sweep.yaml", *folder.rglob("*.json*"), *folder.rglob("*.yaml")]:
        path.write_text(path.read_text().replace("resnet_mini", "resnet_mimi"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, r"^model\.encoder\.audio: unknown encoder 'resnet_mimi'"),
        ([], r"annotations/test\.csv"),
        ([0, 1, 2], r"^avdigits: no sample of class '.*' in the test split"),
    ],
)
def test_what_cannot_be_trained_or_scored_is_told_before_any_decoding(
    rows: list[int] | None,
    message: str,
    sweep: Path,
    finished: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undecoded: Callable[[str], None],
) -> None:
    root = Path(shutil.copytree(finished[1], tmp_path / "avdigits"))
    if rows is None:
        misspelt(sweep)
    else:
        (listed,) = (root / "annotations").glob("*test*")
        kept = [listed.read_text().splitlines()[row] for row in rows]
        listed.write_text("\n".join(kept) + "\n") if kept else listed.unlink()
    undecoded("avdigits")
    monkeypatch.setattr(datasets, "load", lambda *_: pytest.fail("a part was loaded"))
    with pytest.raises(UserError, match=message):
        evaluate(sweep, confirm_test=True, local=True, root=root)
    assert not (sweep / "test_eval.json").exists()


@pytest.mark.slow
def test_with_the_test_split_unreadable_only_evaluate_fails(tmp_path: Path) -> None:
    from igmsweep.data.avdigits import make

    make(tmp_path / "data", counts=(60, 30, 30))
    spoil(tmp_path / "data")
    folder = sweep_of(tmp_path / "out", tmp_path / "data", trials=2)
    assert set(read_sweep(folder).trials["state"]) == {"complete"}
    assert analyze(folder, formats=["html"], say=str)[0].is_file()
    with pytest.raises(DataError) as error:
        evaluate(folder, confirm_test=True, local=True)
    assert "\n" not in str(error.value) and "test" in str(error.value)
    assert not (folder / "test_eval.json").exists()  # nothing was seen, so nothing is counted


@pytest.mark.slow
def test_a_poisoned_test_split_changes_no_output_of_a_search(tmp_path: Path) -> None:
    from igmsweep.data.avdigits import make

    found = []
    for name in ("clean", "poisoned"):
        make(tmp_path / name / "avdigits", counts=(60, 30, 30))
        if name == "poisoned":
            spoil(tmp_path / name / "avdigits")
        folder = sweep_of(tmp_path / name / "out", tmp_path / name / "avdigits")
        rows = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
        kept = ("trial", "state", "source", "params", "metrics", "config_hash", "epochs")
        sweep = read_sweep(folder)
        hashes = [sweep.data["data_hash"], sweep.data["split_hash"]]
        found.append([hashes, *({key: row.get(key) for key in kept} for row in rows)])
    assert found[0] == found[1]


@pytest.mark.slow
def test_ray_runs_the_same_trainings(sweep: Path) -> None:
    outcome = evaluate(sweep, confirm_test=True, seeds=1)
    assert all(len(candidate["seeds"]) == 1 for candidate in outcome["candidates"])
    here = Path(shutil.copytree(sweep, sweep.parent / "again", ignore=shutil.ignore_patterns("evaluation", "test_*")))
    again = evaluate(here, confirm_test=True, seeds=1, local=True)
    for one, two in zip(outcome["candidates"], again["candidates"], strict=True):
        assert one["per_seed"]["acc"] == pytest.approx(two["per_seed"]["acc"])
