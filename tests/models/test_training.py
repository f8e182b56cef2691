"""Trainings with these encoders: IGM reaches into BERT and I3D, frozen encoders run once, compiled and bf16 ones agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from igmsweep import flat
from igmsweep.config import TrainConfig
from igmsweep.data import load_search, load_test
from igmsweep.data.cache import entries
from igmsweep.errors import UserError
from igmsweep.flat import InputCovariance, input_row_pieces, input_rows, scoped_layers
from igmsweep.models.encoders import encoder
from igmsweep.models.frozen import FrozenEncoder
from igmsweep.models.setup import evaluation_batch
from igmsweep.train import Training, train

transformers = pytest.importorskip("transformers")
TOY = Path(__file__).parent.parent / "text_toy.py"


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT's folder; no dropout, so that two ways of computing can be compared."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        vocab_size=40,
        max_position_embeddings=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def toy(bert: Path) -> Callable[..., TrainConfig]:
    def make(method: Any = "igm", **overrides: Any) -> TrainConfig:
        config = TrainConfig(
            data=f"{TOY}:TEXT_TOY", method=method, model={"encoder": {"text": f"bert:{bert}"}}, device="cpu"
        )
        return config.override({key.replace("__", "."): value for key, value in overrides.items()})

    return make


@pytest.mark.parametrize("kind", ["batch_mean", "samples", "centered"])
def test_the_covariance_inside_bert_is_the_direct_sum_in_float64(bert, kind):
    """Linear layers that see (samples, tokens, features): tokens are rows, and the batch mean is over samples alone."""
    model = encoder("bert", (3, 8), weights=str(bert)).eval()
    layer = model.body.encoder.layer[1].intermediate.dense
    seen: list[torch.Tensor] = []
    layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].double()))
    covariance = InputCovariance({"dense": layer}, kind)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad(), covariance.watch():
        for _ in range(3):
            ids = torch.randint(0, 40, (5, 8), generator=generator)
            model(torch.stack([ids, torch.ones_like(ids), torch.zeros_like(ids)], 1))
    assert seen[0].shape == (5, 8, 32)
    if kind == "batch_mean":
        rows = torch.cat([x.mean(0) for x in seen])
    else:
        rows = torch.cat([x.reshape(-1, 32) for x in seen])
    if kind == "centered":
        rows = rows - rows.mean(0)
    assert torch.allclose(covariance.matrix("dense").double(), rows.T @ rows, atol=1e-6)


@pytest.mark.parametrize("kind", ["batch_mean", "samples", "centered"])
def test_the_covariance_inside_i3d_is_the_direct_sum_in_float64(kind, monkeypatch):
    monkeypatch.setattr(flat, "ROWS_AT_ONCE", 2**12)
    monkeypatch.setattr(input_row_pieces, "__defaults__", (2**12,))  # many pieces, as real clips need
    torch.manual_seed(0)
    model = encoder("i3d", (2, 8, 16, 16)).eval()
    layers = {name: model.get_submodule(name) for name in ("Conv3d_1a_7x7.conv3d", "Mixed_3b.b1b.conv3d")}
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in layers}
    for name, layer in layers.items():
        layer.register_forward_pre_hook(lambda _, inputs, name=name: seen[name].append(inputs[0].double()))
    covariance = InputCovariance(layers, kind)
    with torch.no_grad(), covariance.watch():
        for _ in range(2):
            model(torch.randn(3, 2, 8, 16, 16))
    for name, layer in layers.items():
        clips = [x.mean(0, keepdim=True) if kind == "batch_mean" else x for x in seen[name]]
        rows = torch.cat([direct_patches(x, layer.kernel_size, layer.stride) for x in clips])
        if kind == "centered":
            rows = rows - rows.mean(0)
        expected = rows.T @ rows
        error = (covariance.matrix(name).double() - expected).norm() / expected.norm()
        assert error < 1e-5


def direct_patches(x: torch.Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    """Patches cut out one by one; I3D pads before its convolutions, so there is nothing to pad here."""
    ends = [(size - k) // s + 1 for size, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
    patches = []
    for position in np.ndindex(*ends):
        cut = tuple(slice(p * s, p * s + k) for p, s, k in zip(position, stride, kernel, strict=True))
        patches.append(x[(slice(None), slice(None), *cut)].reshape(len(x), -1))
    return torch.cat(patches)


def test_pieces_of_rows_are_all_rows():
    layer = torch.nn.Conv3d(2, 3, (2, 3, 3), padding=1)
    x = torch.randn(2, 2, 5, 6, 7)
    pieces = list(input_row_pieces(layer, x, most=100))
    assert len(pieces) > 2
    assert torch.equal(torch.cat(pieces), input_rows(layer, x))


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["head", 0.5, 1.0])
def test_igm_trains_text_beside_clips_and_names_what_has_no_twin(toy, scope):
    result = train(
        toy({"name": "igm", "rho": 0.02, "scope": scope}, model__project=32, stages__cycles=2, stages__epochs=3)
    )
    assert result.metrics["val/acc"] > 0.8
    cosines = [row["gm/cosine"] for row in result.history if "gm/cosine" in row]
    assert cosines
    assert all(cosine < 1 for cosine in cosines)
    if scope == 1.0:
        assert any("encoder.body.encoder.layer.0" in note for note in result.notes)


def test_scopes_reach_into_bert_and_i3d(bert):
    for model, deep in (
        (encoder("bert", (3, 8), weights=str(bert)), "encoder.body.encoder.layer.1.output.dense"),
        (encoder("i3d", (1, 8, 32, 32)), "encoder.Mixed_5c.b3b.conv3d"),
    ):
        branch = torch.nn.ModuleDict({"encoder": model, "head": torch.nn.Sequential(torch.nn.Linear(8, 3))})
        layers = list(scoped_layers(branch, 0.2))
        assert layers[:2] == ["head.0", deep]
        everything = scoped_layers(branch, 1.0)
        assert len(everything) > len(layers)
        assert all(isinstance(layer, torch.nn.Linear | torch.nn.Conv3d) for layer in everything.values())


@pytest.mark.slow
@pytest.mark.parametrize("method", ["igm", {"name": "igm", "preset": "released"}, "mla", "joint"])
def test_every_method_trains_on_text_and_clips(toy, method):
    result = train(toy(method, stages__epochs=3))
    assert result.metrics["val/acc"] > 0.6


def test_a_projection_gives_all_heads_features_of_one_size(toy):
    training = Training(toy(model__project=24))
    assert training.model.sizes == {"text": 24, "clip": 24}
    assert [training.model.branch(name)["head"][0].in_features for name in ("text", "clip")] == [24, 24]
    assert Training(toy(model__project=16)).model.projections["clip"].state_dict() == {}  # 16 features already


def test_tokens_of_another_vocabulary_are_refused_before_training(toy, bert, tmp_path):
    config = transformers.BertConfig.from_pretrained(bert, vocab_size=25)
    config.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"model\.encoder\.text: found token id \d+, but the encoder knows 25 tokens"):
        Training(toy(model__encoder__text=f"bert:{tmp_path}"))


@pytest.mark.slow
def test_a_frozen_encoder_runs_once_a_sample_for_all_trainings(toy, bert, tmp_path, monkeypatch):
    calls: list[int] = []
    forward = FrozenEncoder.forward

    def counted(self: FrozenEncoder, x: torch.Tensor) -> torch.Tensor:
        if x.ndim != 2:
            calls.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(FrozenEncoder, "forward", counted)
    config = toy(data__cache=str(tmp_path), model__frozen__text=True, model__weights__text=str(bert), stages__cycles=2)
    first = train(config)
    assert sum(calls) == 72 + 24
    second = train(config.override({"seed": 1, "optim.lr.text": 0.01}))
    assert sum(calls) == 72 + 24  # the features were there
    assert first.metrics != second.metrics
    weights = transformers.BertModel.from_pretrained(bert).state_dict()
    body = first.model.encoders["text"].encoder.body.state_dict()
    assert all(torch.equal(body[name], weights[name]) for name in body)
    (entry,) = (entry for entry in entries(tmp_path) if entry.part == "features_text")
    assert entry.whole
    assert (entry.samples, entry.dataset) == (72 + 24, "text_toy")
    # other weights are other features
    train(config.override({"model.weights.text": "none"}))
    assert sum(calls) == 2 * (72 + 24)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_cached_features_give_the_metrics_of_the_encoder_itself(toy, bert, tmp_path):
    config = toy(data__cache=str(tmp_path), model__frozen=True, model__weights__text=str(bert))
    result = train(config)
    partition = load_search(config.data).val  # pictures and tokens, not features
    scored = result.evaluate(partition)
    assert scored["acc"] == result.metrics["val/acc"]
    assert scored["loss"] == pytest.approx(result.metrics["val/loss"], abs=1e-5)
    assert 0 <= result.evaluate(load_test(config.data))["acc"] <= 1


def test_a_frozen_encoder_leaves_the_scope_to_what_is_trained(toy):
    model = Training(toy(model__frozen__clip=True, model__project=20)).model
    assert set(scoped_layers(model.branch("clip"), 1.0)) == {"head.3", "head.2", "head.0", "projection"}
    assert not any(p.requires_grad for p in model.encoders["clip"].parameters())


@pytest.mark.parametrize("method", [{"name": "igm", "rho": 0.05, "scope": 1.0}, "joint"])
def test_bf16_agrees_with_fp32_within_its_precision(toy, method):
    full = train(toy(method, stages__epochs=1))
    half = train(toy(method, stages__epochs=1, precision="bf16"))
    first, other = full.history[0]["train/loss"], half.history[0]["train/loss"]
    assert other == pytest.approx(first, rel=0.02)
    assert full.metrics["val/loss"] == pytest.approx(half.metrics["val/loss"], rel=0.05)
    assert all(parameter.dtype == torch.float32 for parameter in half.model.parameters())


@pytest.mark.slow
def test_compiled_encoders_agree_with_eager_ones(toy):
    method = {"name": "igm", "rho": 0.05, "scope": 1.0}
    eager = train(toy(method))
    compiled = train(toy(method, compile=True))
    assert list(eager.model.state_dict()) == list(compiled.model.state_dict())
    for one, other in zip(eager.history, compiled.history, strict=True):
        for key in ("train/loss", "val/loss", "gm/damped", "gm/cosine", "sam/moved"):
            assert (key in one) == (key in other)  # hooks were called: T is not the identity
            if key in one:
                assert other[key] == pytest.approx(one[key], rel=2e-3, abs=2e-4)


def test_evaluation_batches_shrink_with_the_sample():
    assert evaluation_batch([(1, 28, 28), (1, 40, 29)], 32) == 256
    assert evaluation_batch([(3, 64, 224, 224), (2, 64, 224, 224), (1, 64, 224, 224)], 6) == 6


def test_channels_last_reaches_three_dimensions():
    from igmsweep.models.setup import use_channels_last

    model = encoder("i3d", (1, 8, 16, 16))
    before = model.state_dict()["Mixed_3b.b1b.conv3d.weight"].clone()
    use_channels_last(model)
    after = model.state_dict()["Mixed_3b.b1b.conv3d.weight"]
    assert after.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(before, after)
