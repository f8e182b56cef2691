"""Every method from a CSV file to a comparison: tuned, analysed and put side by side, on two and on three modalities, text
among them, as a user would who changes `--method` and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from igmsweep import methods
from igmsweep.analysis import analyze, compare
from igmsweep.plugin import load_module
from igmsweep.sweep import SweepRequest, run_sweep

pytest.importorskip("transformers")
trees = load_module(Path(__file__).parent.parent / "data" / "text_and_gesture_trees.py", "tests")

WORDS = ("a cat sat here", "the dog ran off", "one bird flew by")
SAMPLES = {"train": 36, "val": 12}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two CSV files beside tiny pictures and sounds that tell the classes apart, and a tiny BERT."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    rows = []
    for part, count in SAMPLES.items():
        for number in range(count):
            label, name = number % 3, f"{part}{number:02d}"
            picture = rng.normal(60 + 60 * label, 20, (16, 16, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / f"{name}.png")
            tone = np.sin(2 * np.pi * (300 + 500 * label) * np.arange(2000) / 8000) + 0.1 * rng.normal(size=2000)
            soundfile.write(folder / f"{name}.wav", 0.5 * tone, 8000)
            rows.append((str(label), part, f"{WORDS[label]} {rng.integers(9)}", f"{name}.png", f"{name}.wav"))
    for file, columns in (("pairs", 4), ("triples", 5)):
        head = ("label", "split", "note", "photo", "sound")[:columns]
        (folder / f"{file}.csv").write_text("\n".join(",".join(row[:columns]) for row in (head, *rows)) + "\n")
    trees.tiny_bert(folder / "bert")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("data", ["pairs", "triples"])
def test_a_sweep_of_every_method_is_tuned_analysed_and_compared(place: Path, tmp_path: Path, data: str) -> None:
    small = {"model.encoder.note": f"bert:{place / 'bert'}", "model.encoder.photo": "resnet_mini", "model.width": 4}
    small |= {"data.options.size": 16, "data.options.crop": 16, "data.options.frontend": "mel8k"}
    small |= {"data.options.tokenizer": str(place / "bert"), "data.options.tokens": 8, "model.weights.note": "none"}
    small |= {"stages.cycles": 1, "stages.epochs": 2, "optim.batch_size": 12, "device": "cpu"}
    if data == "triples":
        small["model.encoder.sound"] = "resnet_mini"
    for name in methods.names():
        run_sweep(
            SweepRequest(
                data=str(place / f"{data}.csv"),
                method=name,
                trials=2,
                name=name,
                out=tmp_path,
                overrides={**small, "data.cache": str(place / "cache")},
                local=True,
                quiet=True,
            )
        )
        lines = [json.loads(line) for line in (tmp_path / name / "trials.jsonl").read_text().splitlines()]
        done = [line for line in lines if line["state"] in ("complete", "failed")]
        assert [line["state"] for line in done] == ["complete"] * 2, (name, done)
        assert all(0 <= line["metrics"]["val/acc"] <= 1 for line in done)
    first = methods.names()[0]
    analyze(tmp_path / first, formats=("html", "csv"))
    assert (tmp_path / first / "analysis" / "report.html").is_file()
    page = compare([tmp_path / name for name in methods.names()], out=tmp_path / "comparison")
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert all(name in text for name in methods.names())
