"""Methods under what a configuration may ask of any: texts, frozen encoders, bfloat16."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from fused import first_step

from igmsweep.config import TrainConfig
from igmsweep.errors import UserError
from igmsweep.train import Training
from igmsweep.train.optimisers import Schedule

TEXT_TOY = Path(__file__).parent.parent / "text_toy.py"
METHODS: dict[str, dict[str, Any]] = {
    "ogr_gb": {"name": "ogr_gb", "mode": "online", "super_epoch": 1},
    "domfn": {"name": "domfn", "threshold": 0.01, "pretrain": 0.5},
    "mses": {"name": "mses", "patience": 1},
    "mslr": {"name": "mslr", "window": 1, "pretrain": 0.5},
    "mmpareto": {"name": "mmpareto"},
}


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: x.clone() for name, x in training.model.state_dict().items()}


def moved(before: dict[str, torch.Tensor], training: Training, prefix: str) -> bool:
    now = training.model.state_dict()
    return any(not torch.equal(x, now[name]) for name, x in before.items() if name.startswith(prefix))


def finite_rows(training: Training) -> list[dict[str, Any]]:
    rows = [epoch.metrics for epoch in training.epochs()]
    assert all(math.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))
    return rows


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT's folder, with its dropout."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(**sizes, vocab_size=40, max_position_embeddings=16)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_texts_under_adam(bert, method, precision):
    config = TrainConfig(
        data=f"{TEXT_TOY}:TEXT_TOY",
        method=METHODS[method],
        model={"encoder": {"text": f"bert:{bert}"}},
        precision=precision,
        device="cpu",
    )
    training = Training(config)
    before = weights(training)
    finite_rows(training)
    for part in ("encoders.text", "encoders.clip", "heads.text", "heads.clip"):
        assert moved(before, training, part)
    assert all(parameter.dtype == torch.float32 for parameter in training.model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_bfloat16_is_near_float32(toy_config, method):
    """Losses are taken in float32; bfloat16 passes move them by their rounding."""
    found = {}
    for precision in ("fp32", "bf16"):
        config = toy_config(2, METHODS[method], stages__cycles=1, optim__lr=1e-3, precision=precision)
        change, log = first_step(config)
        found[precision] = float(log["loss"])
        assert all(x.isfinite().all() for x in change.values())
    assert found["bf16"] != found["fp32"]
    assert found["bf16"] == pytest.approx(found["fp32"], rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_frozen_encoder_stays_and_its_head_is_trained(toy_config, tmp_path, method):
    config = toy_config(2, METHODS[method], stages__cycles=1, stages__epochs=2, model__frozen__m0=True)
    training = Training(config.override({"data.cache": str(tmp_path)}))
    before = weights(training)
    finite_rows(training)
    assert not moved(before, training, "encoders.m0")
    assert moved(before, training, "encoders.m1")
    assert moved(before, training, "heads.m0")


@pytest.mark.parametrize("method", ["ogm", "agm"])
def test_a_span_that_ends_before_it_starts_is_one_line(toy_config, method):
    with pytest.raises(UserError, match=r"method\.start: found 0\.6 with method\.end 0\.5"):
        Training(toy_config(method={"name": method, "start": 0.6, "end": 0.5}))


@pytest.mark.parametrize(
    ("method", "epochs", "words"),
    [
        ({"name": "ogm", "start": 0.4, "end": 0.45}, 2, "it never acts"),
        ({"name": "agm", "start": 0.5}, 1, "it never acts"),
        ({"name": "ogm", "start": 0.5}, 2, None),
        ({"name": "mses", "patience": 10}, 9, "joint training with unimodal losses"),
        ({"name": "mses", "patience": 1}, 3, None),
        ({"name": "mslr", "window": 5, "pretrain": 0.25}, 6, "as under strategy keep"),
        ({"name": "mslr", "window": 3, "pretrain": 0.25}, 6, None),
        ({"name": "reconboost", "pretrain": True}, 3, "not given up for pre-training"),
    ],
    ids=str,
)
def test_a_method_that_cannot_act_says_so(toy_config, method, epochs, words):
    training = Training(toy_config(method=method, stages__cycles=1, stages__epochs=epochs))
    next(training.epochs())
    assert [line for line in training.run.notes if words is None or words in line] == (
        [] if words is None else training.run.notes
    )
    assert bool(training.run.notes) == (words is not None)


@pytest.mark.parametrize("method", ["ogm", "pmr"])
def test_on_frozen_encoders_a_method_that_moves_encoders_says_so(toy_config, method):
    frozen = {"model__frozen__m0": True, "model__frozen__m1": True}
    training = Training(toy_config(method=method, stages__cycles=1, stages__epochs=1, **frozen))
    next(training.epochs())
    assert any("all encoders are frozen" in line for line in training.run.notes)


@pytest.mark.parametrize("method", ["pmr", "smv"])
def test_a_part_of_the_training_set_is_drawn_anew_in_every_epoch(toy_config, method):
    run = Training(toy_config(method=method)).run
    drawn = []
    for epoch in (0, 1, 0):
        run.epoch = epoch
        drawn.append(run.clean(0.5).rows.tolist())
    assert drawn[0] == drawn[2]
    assert sorted(drawn[0]) != sorted(drawn[1])


@pytest.mark.parametrize(
    "method", ["smv", "pmr", {"name": "domfn", "pretrain": 0.0}, {"name": "ogr_gb", "mode": "online", "super_epoch": 1}]
)
def test_a_loss_that_changes_its_meaning_does_not_end_a_plateau(toy_config, monkeypatch, method):
    """The schedule goes by a loss that stays the same: SMV's, for one, rises as harder samples are drawn again."""
    training = Training(toy_config(method=method, stages__cycles=1, stages__epochs=3, optim__schedule="plateau"))
    seen = []
    monkeypatch.setattr(Schedule, "step", lambda self, loss: seen.append(loss))
    rows = finite_rows(training)
    assert seen == [row["train/plain"] for row in rows]
    assert seen != [row["train/loss"] for row in rows]


def test_a_batch_of_one_is_refused_where_there_are_batch_norms(toy_config):
    with pytest.raises(UserError, match=r"optim\.batch_size: found 1"):
        Training(toy_config(method="joint", optim__batch_size=1))
    frozen = {"model__frozen__m0": True, "model__frozen__m1": True}
    Training(toy_config(method="joint", optim__batch_size=1, **frozen))
