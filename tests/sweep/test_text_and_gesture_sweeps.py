"""Twitter2015, Sarcasm and NVGesture from a tree in the real layout to a report, at a tiny size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from igmsweep.plugin import load_module

pytest.importorskip("transformers")
trees = load_module(Path(__file__).parent.parent / "data" / "text_and_gesture_trees.py", "tests")
SHORT = {"stages.cycles": 1, "stages.epochs": 1, "model.width": 4, "model.weights": "none", "device": "cpu"}


def igmsweep(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "igmsweep", *arguments], capture_output=True, text=True, timeout=300)


def sweep(name: str, root: Path, out: Path, settings: dict[str, object]) -> list[dict]:
    """`data check`, `data prepare`, `tune` four trials, and `analyze` them; the trials' results."""
    options = [
        word for key, value in settings.items() if key.startswith("data.") for word in ("--set", f"{key}={value}")
    ]
    checked = igmsweep("data", "check", name, "--root", str(root), "--json", *options)
    report = json.loads(checked.stdout)
    assert checked.returncode == 1, checked.stderr  # a few samples are not the published set
    assert {part["samples"] > 0 for part in report["parts"].values()} == {True}
    assert all(part["expected"] > part["samples"] for part in report["parts"].values())
    prepared = igmsweep("data", "prepare", name, "--root", str(root), *options)
    assert prepared.returncode == 0, prepared.stderr
    given = [word for key, value in (SHORT | settings).items() for word in ("--set", f"{key}={value}")]
    tuned = igmsweep(
        "tune", name, "--local", "--trials", "4", "--root", str(root), "--out", str(out), "--name", "tiny", *given
    )
    assert tuned.returncode == 0, tuned.stderr
    assert "decoding" not in tuned.stderr  # prepared before
    analysed = igmsweep("analyze", str(out / "tiny"))
    assert analysed.returncode == 0, analysed.stderr
    assert (out / "tiny" / "analysis" / "report.html").exists()
    results = [json.loads(path.read_text()) for path in sorted((out / "tiny" / "trials").glob("*/result.json"))]
    assert [result["state"] for result in results] == ["complete"] * 4, results
    return results


@pytest.mark.slow
@pytest.mark.parametrize("name", ["twitter2015", "sarcasm"])
def test_text_and_pictures(tmp_path, name):
    root = getattr(trees, name)(tmp_path / name)
    sorted((root / ("twitter2015_images" if name == "twitter2015" else "dataset_image")).iterdir())[0].unlink()
    bert = trees.tiny_bert(tmp_path / "bert")
    settings = {
        "model.encoder.text": f"bert:{bert}",
        "model.encoder.image": "resnet_mini",
        "data.bad_share": 0.1,
        "data.options.tokenizer": bert,
        "data.options.tokens": 16,
        "data.options.size": 16,
        "data.options.crop": 16,
    }
    paper, released, *_ = sweep(name, root, tmp_path / "out", settings)
    assert paper["config"]["model"]["project"] == 1024
    assert released["config"]["model"]["project"] == 768
    assert released["config"]["method"]["sam_form"] == "released"
    assert {"val/acc", "val/f1", "val/text/acc", "val/image/acc"} <= paper["metrics"].keys()


@pytest.mark.slow
def test_three_modalities(tmp_path):
    pytest.importorskip("cv2")
    root = tmp_path / "nvgesture"
    root.mkdir()
    trees.nvgesture(root)
    settings = {
        "model.encoder.depth": "resnet_mini",
        "model.encoder.rgb": "resnet_mini",
        "model.encoder.flow": "i3d",
        "data.options.clip": 6,
        "data.options.frames": 4,
        "data.options.size": 32,
        "data.options.crop": 24,
    }
    paper, *_ = sweep("nvgesture", root, tmp_path / "out", settings)
    (told,) = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("trials/00000/diagnostics.json")]
    assert {"val/depth/acc", "val/rgb/acc", "val/flow/acc", "val/acc"} <= paper["metrics"].keys()
    assert set(told["spectra"]) == {"depth", "rgb"}  # T after every stage but the last


@pytest.mark.slow
def test_missing_weights_are_one_line_before_a_sweep_starts(tmp_path):
    root = trees.sarcasm(tmp_path / "sarcasm")
    tokenizer = trees.vocabulary(tmp_path / "vocabulary")
    tuned = igmsweep(
        *("tune", "sarcasm", "--local", "--trials", "2", "--root", str(root), "--out", str(tmp_path / "out")),
        *("--set", f"data.options.tokenizer={tokenizer}"),
    )
    assert tuned.returncode == 2
    last = tuned.stderr.strip().splitlines()[-1]
    assert last.startswith("igmsweep: model.weights.text: 'bert-base-uncased' is not in the Hugging Face cache")
    assert "none" in last
    assert not (tmp_path / "out").exists()
