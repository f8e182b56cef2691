"""What `analyze` writes: pages, tables and the best configuration, from good sweeps and from bad ones."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from fake_sweep import write_sweep

from igmsweep.analysis import analyze, best_config, compare, read_sweep
from igmsweep.analysis.tables import best_table, to_latex, to_markdown
from igmsweep.errors import NothingCompleted, UserError


@pytest.mark.slow
def test_one_sweep_gives_a_page_tables_and_a_configuration(tmp_path: Path) -> None:
    folder, said = write_sweep(tmp_path), []
    written = analyze(folder, say=said.append)
    assert written == [folder / "analysis" / "report.html"]
    for name in (
        "plotly.min.js",
        "tables/best.csv",
        "tables/best.tex",
        "tables/best.md",
        "tables/trials.csv",
        "tables/tuning.csv",
        "best_config.yaml",
    ):
        assert (folder / "analysis" / name).stat().st_size > 0
    assert len(pd.read_csv(folder / "analysis" / "tables" / "best.csv")) == 10
    page = written[0].read_text()
    assert "The test set was not opened" in page
    assert "igmsweep train avdigits --config best_config.yaml" in page
    assert "What tuning each parameter brings" in page and "all together" in page
    assert "accuracy" in "".join(said)


@pytest.mark.slow
def test_the_page_fetches_nothing_from_a_network(tmp_path: Path) -> None:
    page = analyze(write_sweep(tmp_path, n=12), say=lambda _: None)[0].read_text()
    assert not re.search(r"""(src|href|url|import)\s*[=(]\s*["']?(https?:)?//""", page)


def with_bad_samples(folder: Path) -> Path:
    """The sweep as it would be had three of four pictures been grey."""
    spec = yaml.safe_load((folder / "sweep.yaml").read_text())
    spec["data"]["bad"] = [{"part": "train", "samples": 1200, "left_out": {"short": 1}, "filled": {"missing": 900}}]
    spec["data"]["departures"] = ["train: 1,200 samples listed, 1,000 published"]
    (folder / "sweep.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    return folder


BAD = "train: of 1,200 samples, 1 is left out (1 short) and 900 have silence or grey in a file's place (900 missing)"


def test_bad_samples_are_told_wherever_the_sweep_is_shown(tmp_path: Path) -> None:
    folder, said = with_bad_samples(write_sweep(tmp_path, n=12)), []
    (page,) = analyze(folder, say=said.append)
    assert f"s: {BAD}" in [line.replace(folder.name, "s", 1) for line in said]
    text = page.read_text()
    assert BAD.replace("'", "&#39;") in text and "1,200 samples listed, 1,000 published" in text
    tables = folder / "analysis" / "tables"
    assert BAD in (tables / "best.md").read_text()
    assert f"{BAD[0].upper()}{BAD[1:]}. Train: 1,200 samples listed" in (tables / "best.tex").read_text()


def test_a_comparison_tells_of_bad_samples(tmp_path: Path) -> None:
    folders = [write_sweep(tmp_path, name=name, n=8, seed=seed) for seed, name in enumerate(("one", "two"))]
    with_bad_samples(folders[1])
    compare(folders, tmp_path / "out", ["csv", "md", "tex"], say=lambda _: None)
    assert BAD in (tmp_path / "out" / "compare.md").read_text()
    assert f"avdigits: {BAD}" in (tmp_path / "out" / "compare.tex").read_text()
    notes = pd.read_csv(tmp_path / "out" / "compare.csv", keep_default_na=False)["data_notes"].tolist()
    assert notes[0] == "" and notes[1].startswith(BAD)


def test_best_config_is_the_winner_and_says_where_it_comes_from(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path)
    analyze(folder, formats=["csv"], say=lambda _: None)
    text = (folder / "analysis" / "best_config.yaml").read_text()
    winner = read_sweep(folder).completed().iloc[0]
    echo = json.loads((folder / "trials" / f"{winner['trial']:05d}" / "result.json").read_text())["config"]
    assert yaml.safe_load(text) == echo == best_config(folder)
    assert f"trial {winner['trial']}, val/acc" in text.splitlines()[0]


def test_best_config_trains_again(tmp_path: Path) -> None:
    config = pytest.importorskip("igmsweep.config")
    folder = write_sweep(tmp_path, n=3, failed=0)
    resolved = config.TrainConfig(data="avdigits", method="igm").override({"method.tau": 0.25})
    trial = int(read_sweep(folder).completed().iloc[0]["trial"])
    result = folder / "trials" / f"{trial:05d}" / "result.json"
    result.write_text(json.dumps({**json.loads(result.read_text()), "config": resolved.to_dict()}))
    analyze(folder, formats=["csv"], say=lambda _: None)
    assert config.TrainConfig.from_yaml(folder / "analysis" / "best_config.yaml").hash() == resolved.hash()


@pytest.mark.slow
def test_hostile_names_stay_text(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=12, failed=1)
    evil = "</script><script>alert(1)</script>_&%$#{}\\input{x}"
    for name in ("sweep.yaml", "trials.jsonl"):
        text = (folder / name).read_text()
        text = (
            text.replace("name: avdigits-demo", f"name: '{evil}'")
            .replace('"head"', json.dumps(evil))
            .replace("loss is", "<b>loss")
        )
        (folder / name).write_text(text)
    page = analyze(folder, say=lambda _: None)[0].read_text()
    assert "alert(1)</script>" not in page
    assert "<b>loss" not in page
    latex = (folder / "analysis" / "tables" / "best.tex").read_text()
    assert r"\_\&\%\$\#\{\}\textbackslash{}input\{x\}" in latex
    assert r"\input{x}" not in latex


def test_the_latex_table_is_complete(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path))
    latex = to_latex(best_table(sweep, 3), sweep)
    assert [latex.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    body = latex.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    columns = latex.split(r"\begin{tabular}{")[1].split("}")[0]
    assert len(body) == 3
    assert all(line.count(" & ") == len(columns) - 1 and line.endswith(r"\\") for line in body)
    assert r"$\tau$" in latex and r"$\rho$ audio" in latex and r"accuracy \%" in latex
    assert "$10^{-10}$" in latex  # the paper's rho


def test_the_markdown_table_has_even_rows(tmp_path: Path) -> None:
    sweep = read_sweep(write_sweep(tmp_path, n=8))
    assert len({line.count("|") for line in to_markdown(best_table(sweep, 3), sweep).splitlines()}) == 1


def test_a_sweep_without_a_finished_trial_still_has_a_report(tmp_path: Path) -> None:
    folder, said = write_sweep(tmp_path, n=4, failed=0, running=4), []
    with pytest.raises(
        NothingCompleted, match=r"avdigits-demo: no trial has completed; .*report\.html says what there is"
    ):
        analyze(folder, say=said.append)
    page = (folder / "analysis" / "report.html").read_text()
    assert "No trial has completed yet" in page and "4 running" in page
    assert any("no trial has completed yet" in line for line in said)
    assert not (folder / "analysis" / "best_config.yaml").exists()
    with pytest.raises(NothingCompleted):
        best_config(folder)


@pytest.mark.slow
def test_an_empty_sweep_and_a_running_one(tmp_path: Path) -> None:
    empty = write_sweep(tmp_path, "empty", n=3, failed=0)
    (empty / "trials.jsonl").write_text("")
    shutil.rmtree(empty / "trials")
    running = write_sweep(tmp_path, "running", n=12, failed=1, running=3)
    with pytest.raises(NothingCompleted):
        analyze(empty, say=lambda _: None)
    assert "3 not started" in (empty / "analysis" / "report.html").read_text()
    assert "3 running" in analyze(running, say=lambda _: None)[0].read_text()
    assert len(analyze(tmp_path, say=lambda _: None)) == 3  # one of two has completed trials: that is enough


@pytest.mark.slow
def test_an_opened_test_set_is_told(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=4, failed=0)
    (folder / "test_eval.json").write_text('{"count": 2}')
    assert "The test set was opened 2 times" in analyze(folder, say=lambda _: None)[0].read_text()


@pytest.mark.slow
def test_a_folder_of_sweeps_gets_an_index_that_links_them(tmp_path: Path) -> None:
    write_sweep(tmp_path, "first", n=12)
    write_sweep(tmp_path, "second & third", n=12, method="joint", seed=1)
    written = analyze(tmp_path, say=lambda _: None)
    assert written[-1] == tmp_path / "index.html"
    page = written[-1].read_text()
    assert 'href="first/analysis/report.html"' in page
    assert 'href="second%20%26%20third/analysis/report.html"' in page
    assert "joint" in page


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, n=3)
    with pytest.raises(UserError, match=r"'htlm' \(did you mean 'html'\?\)"):
        analyze(folder, formats=["htlm"])
    assert not (folder / "analysis").exists()
