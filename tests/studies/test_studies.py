"""Studies: their arms are sweeps, what is read off them is right, and the same command goes on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from igmsweep import studies
from igmsweep.errors import UserError
from igmsweep.plugin import load_module
from igmsweep.record.folder import SweepFolder
from igmsweep.record.rows import TrialRow
from igmsweep.record.states import State
from igmsweep.statistics.difference import Difference, paired, unpaired
from igmsweep.studies import fig4, paper, table1
from igmsweep.studies.base import Arm, Claim, Found, Outcome, Searched, Setting, Table, Trained, every
from igmsweep.studies.found import fresh, read_found, scored_on_test, status
from igmsweep.studies.render import cell_text, heads, row_text, to_csv, to_latex, to_markdown, write_study
from igmsweep.studies.request import StudyRequest, remember, resumed, setting_of
from igmsweep.studies.run import Made, arm_request, check_overrides, dry, run_study
from igmsweep.sweep import trial
from igmsweep.sweep.plan import make_plan

trees = load_module(Path(__file__).parent.parent / "data" / "text_and_gesture_trees.py", "tests")
TWO = Setting("toy", ("m0", "m1"), {"m0": "audio", "m1": "image"})


@pytest.mark.parametrize(
    ("name", "data"),
    [(name, data) for name in studies.names() for data in ("avdigits", "nvgesture") if name != "fig5b"]
    + [("fig5b", "twitter2015")],
)
def test_every_arm_is_a_sweep_of_exactly_its_configurations(name: str, data: str, tmp_path: Path) -> None:
    study, setting = studies.get(name), setting_of(data)
    arms = study.arms(setting)
    assert len({arm.name for arm in arms}) == len(arms)
    for arm in arms:
        request = arm_request(StudyRequest(name, data, seeds=2, out=tmp_path), study, arm)
        plan = make_plan(request)
        if arm.searched:  # one training more than seeds: the one that won was chosen for its score
            assert (request.trials, request.seeds, request.repeat_top) == (16, 3, 1)
            assert plan.spec["method"] == arm.method and len(plan.space.params) > 1
            continue
        assert [dict(entry.params) for entry in plan.enqueued] == [dict(values) for values in arm.configurations]
        assert (request.trials, request.seeds, request.repeat_top) == (
            len(arm.configurations),
            2,
            len(arm.configurations),
        )


@pytest.mark.parametrize("name", studies.names())
def test_a_study_without_any_training_says_so_and_breaks_nowhere(name: str) -> None:
    found = studies.get(name).outcome(Found(TWO, {}))
    assert found.tables and all(claim.verdict == "no data yet" for claim in found.claims)
    for table in found.tables:
        assert all(len(row) == len(table.heads) for row in table.rows)
        assert "tabular" in to_latex(table) and to_csv(table)


def trained(values: dict, scores: list[float], **metrics: float) -> list[Trained]:
    return [
        Trained(values, seed, {"val/acc": score, "val/m0/acc": 0.2, "val/m1/acc": 0.3, **metrics}, Path("nowhere"))
        for seed, score in enumerate(scores)
    ]


def test_table_2_puts_scores_where_they_belong_and_judges_by_intervals() -> None:
    cells = {(False, False): [0.5, 0.52, 0.51], (True, False): [0.5, 0.51, 0.52], (False, True): [0.7, 0.71, 0.73]}
    cells[True, True] = [0.6, 0.59, 0.61]
    runs = [one for (sam, gm), each in cells.items() for one in trained({"method.sam": sam, "method.gm": gm}, each)]
    found = studies.get("table2").outcome(Found(TWO, {"sam-gm": runs}))
    (table,) = found.tables
    assert [row[:2] for row in table.rows] == [["–", "–"], ["✓", "–"], ["–", "✓"], ["✓", "✓"]]
    assert [list(row[4].values()) for row in table.rows] == [cells[s, g] for s, g in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert [claim.verdict for claim in found.claims] == ["seen", "not told apart", "the other way round", "seen"]


def test_a_difference_is_paired_by_seed_with_its_t_interval() -> None:
    found = paired("a", {0: 0.5, 1: 0.6, 2: 0.8, 9: 0.1}, "b", {2: 0.7, 1: 0.5, 0: 0.3})
    gaps = [0.2, 0.1, 0.1]
    mean = sum(gaps) / 3
    half = 4.302652729696142 * (sum((gap - mean) ** 2 for gap in gaps) / 2) ** 0.5 / 3**0.5  # t of 2 degrees of freedom
    assert found == Difference("a", "b", pytest.approx(mean), pytest.approx(mean - half), pytest.approx(mean + half), 3)
    assert found.sign == 0 and found.words == "a − b: +13.3 points [-1.0, +27.7], 3 seeds: not told apart"
    assert paired("a", {0: 0.5}, "b", {0: 0.4}) is None
    # two equal differences: scores move in steps of a sample
    equal = paired("a", {0: 0.51, 1: 0.61}, "b", {0: 0.5, 1: 0.6})
    assert equal.sign == 0 and equal.words.endswith("not told apart")
    assert Claim("x", Difference("a", "b", -1, -2, -0.5, 3)).verdict == "the other way round"


def test_the_values_of_a_configuration_are_told_apart_by_their_kind() -> None:
    assert every({"a": [1, 2], "b": [True]}) == [{"a": 1, "b": True}, {"a": 2, "b": True}]
    assert Arm("x", [{"a": 1}, {"a": True}]).space()["params"]["a"]["choices"] == [1, True]
    runs = trained({"method.scope": 1.0}, [0.5]) + trained({"method.scope": True}, [0.7])
    assert Found(TWO, {"x": runs}).of("x", {"method.scope": 1.0}) == {0: 0.5}


def test_tables_as_text_csv_and_latex_with_the_papers_numbers_beside() -> None:
    table = Table(
        "t", "A & B", ["", "fused"], [["x_1", {0: 0.5, 1: 0.7}], ["✓", {}]], "note", [["", "81.05"], ["", ""]]
    )
    assert heads(table) == ["", "fused", "fused, paper"]
    assert row_text(table, 0) == ["x_1", "60.0 ± 14.1", "81.05"] and row_text(table, 1) == ["✓", "–", "–"]
    assert cell_text({0: 0.25}) == "25.0"
    rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert rows[0] == ["", "fused", "fused sd", "fused seeds"] and rows[1][1] == "0.6" and rows[1][3] == "2"
    assert to_markdown(table).splitlines() == [
        "|  | fused | fused, paper |",
        "| --- | --- | --- |",
        "| x_1 | 60.0 ± 14.1 | 81.05 |",
        "| ✓ | – | – |",
    ]
    latex = to_latex(table)
    assert r"\textbf{60.0 $\pm$ 14.1} & 81.05" in latex and r"$\checkmark$ & -- & --" in latex and r"A \& B" in latex
    plain_ = to_latex(Table("t", "−τ", ["", "− joint"], [["ρ", {0: 0.5}]], "n", highest=False))
    assert "$-$ joint" in plain_ and r"$\rho$ & 50.0" in plain_ and "?" not in plain_


def test_one_modality_has_no_table_3() -> None:
    with pytest.raises(UserError, match="table3: found one modality"):
        studies.get("table3").arms(Setting("x", ("a",), {"a": "audio"}))
    targets = {arm.name: arm.settings.get("method.gm_targets") for arm in studies.get("table3").arms(TWO)}
    assert targets == {"igm": None, "without-m0": ["m0"], "without-m1": ["m1"]}


def test_table_3_names_stages_and_asks_whose_t_matters(tmp_path: Path) -> None:
    def runs(arm: str, ends: list[list[float]]) -> list[Trained]:
        found = []
        for seed, rows in enumerate(ends):
            folder = tmp_path / arm / str(seed)
            folder.mkdir(parents=True)
            lines = [{"val/acc": 0.1, "stage_end": False}, *({"val/acc": score, "stage_end": True} for score in rows)]
            (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            scores = {"val/acc": rows[-1], "val/audio/acc": 0.7, "val/video/acc": 0.4}
            found.append(Trained({}, seed, scores, folder))
        return found

    trainings = {
        "igm": runs("igm", [[0.5, 0.6, 0.7, 0.8], [0.5, 0.6, 0.7, 0.81]]),
        "without-audio": runs("a", [[0.5, 0.6, 0.7, 0.70], [0.5, 0.6, 0.7, 0.71]]),
        "without-video": runs("v", [[0.5, 0.6, 0.7, 0.752], [0.5, 0.6, 0.7, 0.758]]),
    }
    setting = Setting("cremad", ("audio", "video"), {"audio": "audio", "video": "video"})
    outcome = studies.get("table3").outcome(Found(setting, trainings))
    (table,) = outcome.tables
    assert table.heads == ["", "1: audio", "1: video", "2: audio", "2: video"]
    assert [row[4] for row in table.rows] == [{0: 0.8, 1: 0.81}, {0: 0.70, 1: 0.71}, {0: 0.752, 1: 0.758}]
    assert row_text(table, 1)[-1] == "74.82"  # w/o a-GM of the paper
    last = outcome.claims[-1]
    assert "dominant modality (audio)" in last.paper and last.verdict == "seen"
    assert last.difference.words.startswith("w/o video-GM − w/o audio-GM: +5.0 points")


def test_a_claim_that_two_things_are_alike_can_only_be_contradicted() -> None:
    wide, clear = Difference("a", "b", 0.01, -0.02, 0.04, 3), Difference("a", "b", 0.2, 0.1, 0.3, 3)
    assert Claim("alike", wide, equal=True).verdict == "nothing against it"
    assert Claim("alike", clear, equal=True).verdict == "not so" and Claim("better", clear).verdict == "seen"
    runs = [run for rho, scores in ((1e-10, [0.8, 0.81]), (0.5, [0.1, 0.115])) for run in trained(
        {"method.rho.m0": rho, "method.rho.m1": rho}, scores, **{"sam/moved": 0.5, "val/map": 0.6})]  # fmt: skip
    found = studies.get("fig3").outcome(Found(TWO, {"rho": runs}))
    verdicts = {claim.paper: claim.verdict for claim in found.claims}
    assert verdicts["Beyond the paper's range: Not sensitive to rho: 1e-10 and 0.5 are alike."] == "not so"
    (figure,) = found.figures
    assert [trace.name for trace in figure.figure.data] == ["accuracy", "MAP", "weights moved"]


def test_a_study_runs_writes_its_page_and_goes_on(
    tmp_path: Path, small_avdigits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRAINABLE", f"{Path(__file__).parents[1] / 'trainables.py'}:cycles")
    places = {"data.root": str(small_avdigits), "data.cache": str(tmp_path / "cache")}
    places["optim.batch_size"] = 8
    request = StudyRequest("table2", "avdigits", 2, out=tmp_path, overrides=places, options={"local": True})
    page = run_study(request).page
    assert page == tmp_path / "table2-avdigits" / "study.html" and "SAM and gradient modification" in page.read_text()
    told = json.loads(page.with_name("study.json").read_text())
    assert told["settings"] == {"optim.batch_size": 8} and "<code>optim.batch_size=8</code>" in page.read_text()
    assert str(small_avdigits) not in page.read_text()
    assert [claim["n"] for claim in told["claims"]] == [2] * 4 and told["data"] == "avdigits" and not told["tested"]
    assert [set(row[-1]) for row in told["tables"][0]["rows"]] == [{"0", "1"}] * 4  # every seed's score
    ledger = tmp_path / "table2-avdigits" / "sam-gm" / "trials.jsonl"
    lines = ledger.read_text()
    assert lines.count('"complete"') == 8
    assert run_study(request).page == page and ledger.read_text() == lines  # nothing is trained again
    run_study(replace(request, seeds=3))
    assert ledger.read_text().count('"complete"') == 12  # extended, and what was there is kept
    with pytest.raises(UserError, match=r"study\.yaml: was made with seed 0, now 1; choose another --out"):
        run_study(replace(request, seed=1))
    assert dry(request)[1] == "sam-gm: 4 configurations of igm, 2 seeds each"
    folder = tmp_path / "table2-avdigits"
    assert status(folder) == ["sam-gm: finished, 12 of 12 trainings", "table2: all 12 trainings have ended"]
    (tmp_path / "paper-avdigits").mkdir()
    remember(replace(request, name="paper"))
    folder.rename(tmp_path / "paper-avdigits" / folder.name)
    last = "table2: all 12 trainings have ended", "paper: all trainings of the 1 studies begun have ended"
    assert status(tmp_path / "paper-avdigits") == [*last]
    (tmp_path / "paper-avdigits" / folder.name).rename(folder)
    again = resumed(folder)
    assert again == replace(request, seeds=3)
    run_study(resumed(folder, seeds=4))
    assert ledger.read_text().count('"complete"') == 16
    with pytest.raises(UserError, match=r"no study here; expected a folder with study\.yaml"):
        resumed(tmp_path)


def test_a_study_of_a_python_file_is_gone_on_with_only_where_that_is_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "table2-evil"
    folder.mkdir()
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    told = {
        "study": "table2",
        "data": f"{tmp_path / 'evil.py'}:X",
        "seed": 0,
        "overrides": {},
        "seeds": 2,
        "options": {},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(told))
    with pytest.raises(UserError, match="a Python file that would be run"):
        resumed(folder)
    assert resumed(folder, trust=True).data == told["data"]
    (folder / "study.yaml").write_text("- 1")
    with pytest.raises(UserError, match="expected a mapping of keys to values, found list"):
        resumed(folder)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"address": "203.0.113.1:6379"}, "options.address: is not taken from a folder"),
        ({"loggers": {"mlflow": "http://203.0.113.1"}}, "options.loggers: is not taken from a folder"),
        ({"out": "/elsewhere"}, "options.out: is not taken from a folder"),
        ({"cpus_per_trial": "x"}, "options.cpus_per_trial: found 'x', expected a number"),
    ],
)
def test_a_studys_folder_names_no_cluster_and_no_place(tmp_path: Path, options: dict, told: str) -> None:
    folder = tmp_path / "table2-avdigits"
    folder.mkdir()
    found = {
        "study": "table2",
        "data": "avdigits",
        "seed": 0,
        "overrides": {},
        "options": {"local": True, "retries": 1},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(found))
    assert resumed(folder).options == found["options"]
    (folder / "study.yaml").write_text(yaml.safe_dump({**found, "options": options}))
    with pytest.raises(UserError, match=f"study.yaml: {told}"):
        resumed(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fig1", "fig4", "fig5a"])
def test_what_is_measured_on_checkpoints_is_measured_once_and_shown(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real trainings of the toy; a second run measures nothing, and nothing of a training is lost to it."""
    for key, value in {"POINTS": 3, "PAIRS": 1, "SAMPLES": 16, "PROBES": 2}.items():
        monkeypatch.setattr(fig4, key, value)
    toy = f"{Path(__file__).parents[1] / 'toy.py'}:TOY2"
    brief = {"stages.cycles": 2, "stages.epochs": 1, "device": "cpu"}
    request = StudyRequest(name, toy, 2, out=tmp_path, overrides=brief, options={"local": True})
    page = run_study(request).page.read_text()
    study, setting = studies.get(name), setting_of(toy)
    found = read_found(request.folder, study, setting)
    arms = study.arms(setting)
    assert all(len(found.measured(arm.name)) == 2 for arm in arms)
    outcome = study.outcome(found)
    assert outcome.figures and all(f'id="{each.name}"' in page for each in outcome.figures)
    assert all(claim.difference is not None and claim.difference.n == 2 for claim in outcome.claims)
    assert len(list((request.folder / "figures").iterdir())) == 2 * len(outcome.figures)
    monkeypatch.setitem(studies.get(name).__dict__, "measure", lambda folder, trust: pytest.fail("measured again"))
    run_study(request)


@pytest.mark.slow
def test_table_1_tunes_on_validation_and_opens_the_test_once_for_all_arms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = f"{Path(__file__).parents[1] / 'toy.py'}:TOY2"
    brief = {"stages.cycles": 1, "stages.epochs": 1, "device": "cpu"}
    request = StudyRequest("table1", toy, 2, out=tmp_path, overrides=brief, options={"local": True}, trials=2)
    request = replace(request, methods=("joint", "igm-without-sam"))
    page = run_study(request).page
    study, setting = studies.get("table1"), setting_of(toy, request.methods)
    found = read_found(request.folder, study, setting)
    assert {arm: len(each) for arm, each in found.trainings.items()} == dict.fromkeys(
        ("joint", "joint-unimodal", "igm-without-sam"), 2
    )  # "joint" is a method of two arms
    assert not any(found.tests.values()) and "The test set was not opened" in page.read_text()
    assert not (request.folder / "test_eval.json").exists()
    chosen = {arm: [each.values for each in every] for arm, every in found.trainings.items()}
    run_study(replace(request, confirm_test=True))
    found = read_found(request.folder, study, setting)
    assert {arm: [each.values for each in every] for arm, every in found.trainings.items()} == chosen
    assert all(len(found.tests[arm]["acc"]) == 2 for arm in request.methods)
    assert "opened once</b> by this study, for joint, joint-unimodal, igm-without-sam" in page.read_text()
    assert len({tuple(scores["acc"]) for scores in found.tests.values()}) == 1  # the same seeds for all
    run_study(replace(request, confirm_test=True))  # all are scored: it stays closed
    told = json.loads((request.folder / "test_eval.json").read_text())
    assert told["count"] == 1 and set(told["openings"][0]["arms"]) == {*request.methods, "joint-unimodal"}
    for arm in request.methods:
        assert json.loads((request.folder / arm / "test_eval.json").read_text())["count"] == 1
    table, search, winners = study.outcome(found).tables
    for each in (table, search, winners):
        assert [row[0] for row in each.rows] == ["joint training", "joint + unimodal losses", "IGM w/o SAM"]
    assert table.rows[0][1] == found.tests["joint"]["acc"]
    gap = unpaired("a", found.tests["igm-without-sam"]["acc"], "b", found.tests["joint"]["acc"])
    assert search.rows[2][1] == gap.numbers and search.rows[0][4] == "2"
    best = max(float(row.metrics["val/acc"]) for row in searched(request.folder / "joint"))
    assert search.rows[0][2] == f"{100 * best:.1f}" and "learning rate m0" in winners.rows[0][1]
    more = replace(request, confirm_test=True, trials=3, options={"local": True, "time_budget_s": 1e-3})
    run_study(more)  # a search that is not finished opens nothing, and the winner may still change
    assert json.loads((request.folder / "test_eval.json").read_text())["count"] == 1
    with pytest.raises(UserError, match=r"--methods: found 'agn', expected some of .*did you mean 'agm'"):
        run_study(replace(request, methods=("agn",)))


@pytest.mark.slow
def test_a_poisoned_test_split_changes_no_choice_of_a_study_that_opens_it(tmp_path: Path, small_avdigits: Path) -> None:
    """Every label of the test split is wrong in the second study: all but the test scores is as in the first."""
    labels = small_avdigits / "annotations" / "test.csv"
    clean = labels.read_text()
    brief = {
        "stages.cycles": 1,
        "stages.epochs": 1,
        "model.width": 4,
        "device": "cpu",
        "data.root": str(small_avdigits),
    }
    study, setting = studies.get("table1"), setting_of("avdigits", ("mla", "joint-unimodal"))
    chosen, tests = [], []
    for name in ("clean", "poisoned"):
        if name == "poisoned":
            rows = [line.split(",") for line in clean.splitlines()]
            words = sorted({label for _, label in rows})
            wrong = dict(zip(words, [*words[1:], words[0]], strict=True))
            labels.write_text("".join(f"{clip},{wrong[label]}\n" for clip, label in rows))
        overrides = {**brief, "data.cache": str(tmp_path / name / "cache")}
        request = StudyRequest(
            "table1", "avdigits", 2, 0, tmp_path / name, overrides, {"local": True}, 2, setting.methods
        )
        run_study(replace(request, confirm_test=True))
        found = read_found(request.folder, study, setting)
        chosen.append(
            {arm: [(each.values, each.seed, each.metrics) for each in every] for arm, every in found.trainings.items()}
            | {f"{arm} search": (each.winner, each.score) for arm, each in found.searches.items()}
        )
        tests.append({arm: each["acc"] for arm, each in found.tests.items()})
        assert json.loads((request.folder / "test_eval.json").read_text())["count"] == 1
    assert chosen[0] == chosen[1] and len(chosen[0]) == 4
    assert tests[0] != tests[1] and set(tests[0]) == set(setting.methods)


def searched(folder: Path) -> list[TrialRow]:
    """A search's own trials, without its repeats."""
    return [row for row in SweepFolder.read(folder).rows.values() if not row.is_repeat]


def test_scores_of_another_trial_or_of_other_training_data_are_not_the_winners(tmp_path: Path) -> None:
    def entry(trial: int, train_on: str, score: float) -> dict:
        candidate = {"trial": trial, "seeds": [3, 4], "per_seed": {"acc": [score, score]}}
        return {"train_on": train_on, "candidates": [candidate]}

    told = {"schema": 1, "count": 3, "openings": [{}, {}, {}]}
    every = [entry(7, "train", 0.5), entry(8, "train", 0.6), entry(7, "all", 0.9)]
    (tmp_path / "test_eval.json").write_text(json.dumps({**told, "evaluations": every}))
    assert scored_on_test(tmp_path, 7) == {"acc": {3: 0.5, 4: 0.5}} and scored_on_test(tmp_path, 8) == {
        "acc": {3: 0.6, 4: 0.6}
    }
    assert scored_on_test(tmp_path, 1) == {}


def test_table_1_shares_the_five_per_cent_among_its_looks_at_the_test_set() -> None:
    two = replace(TWO, methods=("joint", "mla"))
    tests = {"mla": {"acc": {3: 0.6, 4: 0.62, 5: 0.64}}, "igm-without-sam": {"acc": {3: 0.7, 4: 0.72, 5: 0.71}}}
    searches = {arm: Searched(2, 0, 0, {}, 0.7, None) for arm in tests}
    for look, level in ((1, 0.04), (2, 0.005)):
        found = Found(two, {}, tests, searches, openings=look, look=look)
        (claim, *_) = table1.outcome(found).claims
        assert claim.difference == unpaired(
            "IGM w/o SAM", tests["igm-without-sam"]["acc"], "MLA", tests["mla"]["acc"], level=level
        )
    assert f"at {100 * (1 - level):g} %, 3 seeds" in claim.difference.words
    shown = table1.outcome(replace(found, tests={})).claims[0]  # of validation data every claim has its own 5 %
    assert shown.difference is None


def test_bad_samples_of_an_arm_are_told_on_the_page_and_in_the_tables(tmp_path: Path) -> None:
    study = studies.get("table2")
    arm = study.arms(TWO)[0]
    (tmp_path / arm.name).mkdir()
    bad = {"part": "train", "samples": 150, "left_out": {"missing": 6}, "filled": {}}
    (tmp_path / arm.name / "sweep.yaml").write_text(yaml.safe_dump({"data": {"name": "toy", "bad": [bad]}}))
    line = "train: of 150 samples, 6 are left out (6 missing)"
    found = read_found(tmp_path, study, TWO)
    assert found.data_notes == (line,)
    page = write_study(tmp_path, study, study.outcome(found), found, formats=())
    assert line in page.read_text()
    assert json.loads((tmp_path / "study.json").read_text())["data_notes"] == [line]
    tables = list((tmp_path / "tables").glob("*.tex"))
    assert tables and all("6 are left out" in each.read_text() for each in tables)


def test_what_cannot_be_measured_is_said_and_stops_nothing(
    tmp_path: Path, small_avdigits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRAINABLE", f"{Path(__file__).parents[1] / 'trainables.py'}:cycles")
    places = {"data.root": str(small_avdigits), "data.cache": str(tmp_path / "cache")}
    request = StudyRequest("fig4", "avdigits", 2, out=tmp_path, overrides=places, options={"local": True})
    calls = []

    def measure(folder: Path, trust: object) -> dict:
        calls.append(folder)
        if folder.parent.parent.name == "igm":
            raise RuntimeError("derivative is not implemented")
        return {"eigenvalue": float("nan")}

    monkeypatch.setitem(studies.get("fig4").__dict__, "measure", measure)
    made = run_study(request)
    assert all(claim.verdict == "no data yet" for claim in made.outcome.claims)
    assert "4 trainings could not be measured" in made.page.read_text()  # MLA's have failed: this trainable wants a tau
    told = json.loads((request.folder / "igm" / "trials" / "00000" / "fig4.json").read_text())
    assert told == {"failed": "RuntimeError: derivative is not implemented"}
    run_study(request)
    assert len(calls) == 4  # what has failed is not tried again


def test_failed_trainings_are_on_the_page_and_other_seeds_are_trained(
    tmp_path: Path, small_avdigits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRAINABLE", f"{Path(__file__).parents[1] / 'trainables.py'}:failing_at_first")
    places = {"data.root": str(small_avdigits), "data.cache": str(tmp_path / "cache")}
    made = run_study(StudyRequest("table2", "avdigits", 3, out=tmp_path, overrides=places, options={"local": True}))
    assert [len(row[-1]) for row in made.outcome.tables[0].rows] == [2, 3, 2, 3]
    assert "Trainings failed: sam-gm 2" in made.page.read_text()
    assert json.loads(made.page.with_name("study.json").read_text())["failed"] == {"sam-gm": 2}


def test_the_whole_paper_is_its_studies_and_one_table_of_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def train(request: StudyRequest) -> Made:
        ran.append(request)
        if request.name == "table4":
            raise UserError("no room")
        claim = Claim("It is so.", Difference("a", "b", 0.1, 0.05, 0.15, 5))
        return Made(request.folder, Outcome(claims=[claim]), 15 if request.name == "fig3" else 0)

    monkeypatch.setattr(paper, "run_study", train)
    request = StudyRequest("paper", "avdigits", out=tmp_path, methods=("joint", "ogm"))
    request = replace(request, overrides={"method.rho.audio": 0.05, "method.alpha": 0.2, "optim.batch_size": 8})
    made = paper.run_paper(request)
    assert made.interrupted == 15 and [each.name for each in ran] == [
        *("table1", "table2", "table3", "table4", "fig1", "fig3")
    ]
    assert [each.methods for each in ran[:2]] == [("joint", "ogm"), ()]
    assert {each.folder.parent for each in ran} == {tmp_path / "paper-avdigits"}
    # a setting of AGM's and OGM's goes to the studies that train these
    assert [set(each.overrides) for each in ran[:2]] == [
        {"method.rho.audio", "method.alpha", "optim.batch_size"},
        {"method.rho.audio", "optim.batch_size"},
    ]
    page = made.page.read_text()
    assert '<a href="fig1-avdigits/study.html">fig1</a>' in page and "5 seen" in page and "table4: no room" in page
    lines = made.page.with_name("claims.md").read_text().splitlines()
    assert lines[2] == "| table1 | It is so. | seen | a − b: +10.0 points [+5.0, +15.0], 5 seeds |"
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:7]] == ["table1", "table2", "table3", "fig1", "fig3"]
    assert "table4: left out: no room" in lines and any(
        line.startswith("fig5b: left out: study fig5b: found audio (audio), image (image) in avdigits")
        for line in lines
    )
    assert resumed(tmp_path / "paper-avdigits") == request
    with pytest.raises(UserError, match=r"--methods: found 'ogn', expected some of .*did you mean 'ogm'"):
        paper.run_paper(replace(request, methods=("ogn",)))


def test_the_papers_budget_of_time_is_that_of_all_studies_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, budgets = iter([0.0, 0.0, 7.0, 12.0, *([13.0] * 20)]), []

    def train(request: StudyRequest) -> Made:
        budgets.append(request.options["time_budget_s"])
        return Made(request.folder, Outcome())

    monkeypatch.setattr(paper, "run_study", train)
    monkeypatch.setattr(paper.time, "monotonic", lambda: next(clock))
    made = paper.run_paper(StudyRequest("paper", "avdigits", out=tmp_path, options={"time_budget_s": 10.0}))
    assert budgets == [10.0, 3.0]
    assert (
        made.page.with_name("claims.md").read_text().count("left out: the time budget is over")
        == len(studies.names()) - 3
    )


def test_a_setting_goes_to_the_arms_whose_method_has_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    request = StudyRequest("fig4", "avdigits", 2, out=tmp_path, overrides={"method.rho.audio": 0.05})
    arms = {arm.name: arm for arm in studies.get("fig4").arms(setting_of("avdigits"))}
    assert arm_request(request, studies.get("fig4"), arms["igm"]).overrides == {"method.rho.audio": 0.05}
    assert arm_request(request, studies.get("fig4"), arms["mla"]).overrides == {}
    with caplog.at_level("INFO"):
        check_overrides(request, list(arms.values()))
    assert "mla has no method.rho.audio" in caplog.text
    wrong = replace(request, overrides={"method.roh.audio": 0.05})
    with pytest.raises(
        UserError, match=r"--set method.roh.audio: no method of fig4 has it \(mla, igm\) \(did you mean 'method.rho'"
    ):
        run_study(wrong)
    assert not wrong.folder.exists()


def test_what_set_fixes_is_not_searched_and_what_a_study_is_about_stays(tmp_path: Path) -> None:
    """On every arm of every study: a plan can be made, and the value is the one that was set, or the arm's own."""
    wanted = {"method.rho.audio": 0.05, "optim.lr.audio": 0.01, "method.sam": True}
    for name in set(studies.names()) - {"fig5b"}:
        study = studies.get(name)
        request = StudyRequest(name, "avdigits", 2, out=tmp_path, overrides=wanted)
        for arm in study.arms(setting_of("avdigits")):
            plan = make_plan(arm_request(request, study, arm))
            searched = [param.path for param in plan.space.params]
            assert plan.base.get("optim.lr.audio") == 0.01 and "optim.lr.audio" not in searched
            if arm.method == "igm":
                own = "method.rho.audio" in (arm.configurations[0] if arm.configurations else {})
                assert (plan.base.get("method.rho.audio") == 0.05) != own
                assert own == ("method.rho.audio" in searched)


def test_a_study_is_remembered_when_it_can_be_made_and_goes_on_from_elsewhere(
    tmp_path: Path, small_avdigits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRAINABLE", f"{Path(__file__).parents[1] / 'trainables.py'}:cycles")
    request = StudyRequest("table4", "cremad", 2, out=tmp_path, options={"local": True})
    with pytest.raises(UserError, match="cremad"):
        run_study(replace(request, overrides={"data.root": str(tmp_path / "nowhere")}))
    assert not (request.folder / "study.yaml").exists()  # so that --root, which the error names, may follow
    places = {"data.root": str(small_avdigits), "data.cache": str(tmp_path / "cache")}
    request = StudyRequest("table4", "avdigits", 2, out=tmp_path, overrides=places, options={"local": True})
    run_study(request)
    moved = small_avdigits.rename(tmp_path / "moved")
    again = resumed(request.folder, seeds=3, root=moved, trials=4, confirm_test=True)
    assert again.overrides["data.root"] == str(moved) and (again.trials, again.confirm_test) == (4, True)
    made = run_study(again)
    assert [len(row[1]) for row in made.outcome.tables[0].rows] == [3] * 5
    monkeypatch.chdir(tmp_path)
    assert StudyRequest("table4", "here/samples.csv").data == str(tmp_path / "here" / "samples.csv")
    assert StudyRequest("table4", "./pets").data == str(tmp_path / "pets")


@pytest.mark.slow
def test_figure_5b_fine_tunes_clip_from_the_users_disk(tmp_path: Path) -> None:
    """Small random towers and a small vocabulary, from folders, on a tree in Twitter2015's layout."""
    transformers = pytest.importorskip("transformers")
    root = trees.twitter2015(tmp_path / "twitter2015")
    words = trees.vocabulary(tmp_path / "vocabulary")
    count = len((words / "vocab.txt").read_text(encoding="utf-8").splitlines())
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    text = transformers.CLIPTextConfig(**tiny, vocab_size=count, projection_dim=20, eos_token_id=3)
    image = transformers.CLIPVisionConfig(**tiny, image_size=32, patch_size=16, projection_dim=20)
    both = transformers.CLIPConfig(text_config=text.to_dict(), vision_config=image.to_dict(), projection_dim=20)
    transformers.CLIPModel(both).save_pretrained(tmp_path / "clip")
    settings = {
        "data.root": str(root),
        "data.cache": str(tmp_path / "cache"),
        "data.options.tokenizer": str(words),
        "data.options.size": 40,
        "data.options.crop": 32,
        "model.weights.text": str(tmp_path / "clip"),
        "model.weights.image": str(tmp_path / "clip"),
        "model.project": 16,
        "model.head": [16, 8],
        "stages.cycles": 1,
        "stages.epochs": 1,
        "device": "cpu",
    }
    request = StudyRequest("fig5b", "twitter2015", 2, out=tmp_path, overrides=settings, options={"local": True})
    made = run_study(request)
    (table,) = made.outcome.tables
    assert [row[0] for row in table.rows] == ["CLIP", "CLIP + MLA", "CLIP + IGM"] and table.heads[2] == "macro-F1"
    assert all(len(cell) == 2 for row in table.rows for cell in row[1:])
    assert [claim.difference.n for claim in made.outcome.claims] == [2, 2, 2]
    for arm in ("clip", "clip-mla", "clip-igm"):
        config = yaml.safe_load((request.folder / arm / "trials" / "00000" / "config.yaml").read_text())
        assert config["model"]["encoder"] == {"text": "clip_text", "image": "clip_image"}
        assert config["data"]["options"]["normalise"] == "clip" and config["data"]["options"]["tokens"] == 77


def test_figure_5b_needs_a_text_and_a_picture() -> None:
    with pytest.raises(
        UserError, match=r"fig5b: found audio \(audio\), image \(image\) in avdigits, expected one text"
    ):
        studies.get("fig5b").arms(setting_of("avdigits"))
    toy = Setting("x", ("a", "b"), {"a": "text", "b": "image"})  # one that reads texts without options
    assert set(studies.get("fig5b").arms(toy)[0].settings) == {
        *("model.encoder.a", "model.encoder.b", "model.weights.a", "model.weights.b")
    }


def test_the_papers_numbers_stand_beside_the_data_set_that_they_are_of() -> None:
    assert table1.papers("igm", "cremad") == ("81.05", "89.48") and table1.papers("igm", "nvgesture") == (
        "86.93",
        "87.03",
    )
    assert table1.papers("ogm", "nvgesture") == ("", "") and table1.papers("igm", "avdigits") == ("", "")
    assert all(len(row.split()) == 10 for row in table1.PAPER.values())
    assert table1.papers("video-alone", "cremad") == ("63.17", "68.61")
    assert table1.papers("audio-alone", "avdigits") == ("", "")


def test_the_training_that_a_search_won_with_is_not_among_the_fresh_ones() -> None:
    def row(trial: int, score: float, source: str = "tpe") -> TrialRow:
        return TrialRow(trial, State.COMPLETE, source, metrics={"val/acc": score})

    rows = [row(0, 0.5), row(1, 0.9), row(2, 0.7, "repeat:1"), row(3, 0.6, "repeat:1"), row(4, 0.4, "repeat:0")]
    assert [each.trial for each in fresh(rows)] == [2, 3]
    assert fresh([]) == []


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("table2", {"model.encoder.audio": "resnet81"}, r"model\.encoder\.audio: unknown encoder 'resnet81'"),
        ("table1", {"optim.batch_size": 61}, r"optim\.batch_size: found 61, expected at most 60"),
    ],
)
def test_what_cannot_be_trained_is_told_before_any_decoding(
    name: str,
    overrides: dict[str, Any],
    message: str,
    small_avdigits: Path,
    tmp_path: Path,
    undecoded: Callable[[str], None],
) -> None:
    undecoded("avdigits")
    settings = {"data.root": str(small_avdigits), **overrides}
    request = StudyRequest(name, "avdigits", 1, out=tmp_path / "out", overrides=settings, options={"local": True})
    with pytest.raises(UserError, match=message):
        run_study(request)
    assert not (tmp_path / "out").exists()
    assert any("no estimate: " in line for line in dry(request))


def test_a_test_list_that_is_not_there_is_told_before_the_trainings(
    small_avdigits: Path, tmp_path: Path, undecoded: Callable[[str], None]
) -> None:
    (listed,) = (small_avdigits / "annotations").glob("*test*")
    listed.unlink()
    undecoded("avdigits")
    places = {"data.root": str(small_avdigits)}
    request = StudyRequest("table1", "avdigits", 1, out=tmp_path / "out", overrides=places, options={"local": True})
    with pytest.raises(UserError, match=r"annotations/test\.csv"):
        run_study(replace(request, confirm_test=True))


def test_arms_share_the_samples_of_a_dry_run(
    small_avdigits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGMSWEEP_CACHE", str(tmp_path / "no-cache"))
    seen, decode_few = [], studies.run.few_samples
    monkeypatch.setattr(studies.run, "few_samples", lambda *given: seen.append(given) or decode_few(*given))
    monkeypatch.setattr(studies.run, "WITHIN", 0.0)  # what the model takes is not looked at here
    request = StudyRequest(
        "table1", "avdigits", 1, overrides={"data.root": str(small_avdigits)}, methods=("igm", "joint")
    )
    lines = dry(request)
    assert len(seen) == 1 and sum("extrapolated: a trial: " in line for line in lines) > 1
    assert not (tmp_path / "no-cache").exists()
