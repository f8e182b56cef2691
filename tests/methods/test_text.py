"""Every method on a user's own CSV file: texts and pictures under Adam, sounds as a third modality, an encoder frozen."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "data"))  # small files of every kind
from av_trees import jpegs, tone, wav

from igmsweep import methods
from igmsweep.config import TrainConfig
from igmsweep.data import load_search
from igmsweep.data.base import SearchData
from igmsweep.train import Training

transformers = pytest.importorskip("transformers")
VOCABULARY, TOKENS = 32, 6
ACTING: dict[str, dict[str, Any]] = {"smv": {"warmup": 0.0}, "igm": {"rho": 0.05}}
"""Settings without which a method does nothing in two epochs on twelve samples."""


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a BERT of one small layer; its weights are drawn anew in every training."""
    folder = tmp_path_factory.mktemp("bert")
    transformers.BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        vocab_size=VOCABULARY,
        max_position_embeddings=TOKENS,
    ).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """By the number of modalities: CSV files of two labels, 12 rows to train on and 6 to validate."""
    root = tmp_path_factory.mktemp("table")
    rows = []
    for number in range(18):
        label = number % 2
        jpegs(root / "p", 3 * label, [f"{number}.jpg"], number)
        wav(root / "s" / f"{number}.wav", tone(2 * label, 0.2, seed=number))
        rows.append(
            {
                "label": ("cat", "dog")[label],
                "split": "val" if number >= 12 else "train",
                "text": ("a quiet sound", "loud, and louder " + "still " * (number % 3))[label],
                "image": f"p/{number}.jpg",
                "sound": f"s/{number}.wav",
            }
        )
    made = {}
    for count, columns in {2: ("text", "image"), 3: ("text", "image", "sound")}.items():
        made[count] = root / f"table{count}.csv"
        with made[count].open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["label", "split", *columns], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    return made


_data: dict[Path, SearchData] = {}
"""What was read of a table, for all methods."""


def trained(method: str, table: Path, bert: str, **changes: Any) -> tuple[Training, dict[str, torch.Tensor]]:
    """A training of two epochs that has ended, and the weights that it began with."""
    config = TrainConfig(
        data={
            "name": str(table),
            "options": {"size": 16, "crop": 16, "tokens": TOKENS, "vocabulary": VOCABULARY, "frontend": "mel8k"},
        },
        method={"name": method} | ACTING.get(method, {}),
        model={"encoder": {"text": f"bert:{bert}"}, "width": 4, "head": [8]},
        device="cpu",
    )
    given = {f"model.encoder.{name}": "resnet_mini" for name in config.modalities if name != "text"} | {
        "optim.lr": 0.01,
        "optim.batch_size": 4,
        "stages.cycles": 1,
        "stages.epochs": 2,
    }
    config = config.override(given | {key.replace("__", "."): value for key, value in changes.items()})
    if table not in _data:
        _data[table] = load_search(config.data)
    training = Training(config, _data[table])
    before = {name: x.detach().clone() for name, x in training.model.named_parameters()}
    for epoch in training.epochs():
        assert all(math.isfinite(value) for value in epoch.metrics.values() if isinstance(value, float))
    return training, before


def moved(training: Training, before: dict[str, torch.Tensor]) -> dict[str, bool]:
    """Whether a modality's encoder has other weights than it began with."""
    return {
        name: any(
            not torch.equal(x, before[f"encoders.{name}.{key}"])
            for key, x in training.model.encoders[name].named_parameters()
        )
        for name in training.config.modalities
    }


def told(training: Training) -> set[str]:
    """The modalities whose own accuracy stands beside the fused one."""
    assert "val/acc" in training.history[-1]
    return {name for name in training.config.modalities if f"val/{name}/acc" in training.history[-1]}


@pytest.mark.slow
@pytest.mark.parametrize("method", methods.names())
def test_every_method_trains_texts_and_pictures_under_adam(tables, bert, method):
    training, before = trained(method, tables[2], bert, optim__name="adam")
    assert moved(training, before) == {"text": True, "image": method != "unimodal"}
    assert told(training) == ({"text"} if method == "unimodal" else {"text", "image"})


@pytest.mark.slow
@pytest.mark.parametrize("method", methods.names())
def test_every_method_trains_beside_a_frozen_text_encoder(tables, bert, method):
    training, before = trained(method, tables[2], bert, model__frozen__text=True)
    assert moved(training, before) == {"text": False, "image": method != "unimodal"}


@pytest.mark.slow
@pytest.mark.parametrize("method", methods.names())
def test_every_method_trains_texts_pictures_and_sounds(tables, bert, method):
    training, before = trained(method, tables[3], bert)
    others = method != "unimodal"
    assert moved(training, before) == {"text": True, "image": others, "sound": others}
    assert told(training) == ({"text", "image", "sound"} if others else {"text"})
