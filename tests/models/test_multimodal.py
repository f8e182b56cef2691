"""The model of all methods: heads of two kinds, what each modality adds to fused logits, samples without a modality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from igmsweep.config import TrainConfig
from igmsweep.data import get
from igmsweep.models.multimodal import MultimodalModel, build_model
from igmsweep.models.small import ResNetMini

TOY = Path(__file__).parent.parent / "toy.py"


class Words(nn.Module):
    """A text encoder: the mean of the embeddings of the tokens that are there."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 6)
        self.features, self.vocabulary = 6, 20
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        ids, mask, _ = x.long().unbind(dim=1)
        there = mask.unsqueeze(-1).float()
        return (self.table(ids) * there).sum(1) / there.sum(1)


def model_of(fusion: str = "concat", **extra: Any) -> MultimodalModel:
    torch.manual_seed(0)
    return MultimodalModel({"picture": ResNetMini((1, 8, 8), 4), "text": Words()}, 3, (), fusion, **extra)


def inputs_of(count: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 20, (count, 5), generator=generator)
    return {
        "picture": torch.randn(count, 1, 8, 8, generator=generator),
        "text": torch.stack([ids, torch.ones_like(ids), torch.zeros_like(ids)], 1),
    }


@pytest.mark.parametrize("fusion", ["late", "shared", "concat"])
def test_a_mask_of_all_present_changes_no_bit(fusion: str) -> None:
    plain, masked = model_of(fusion), model_of(fusion)
    all_there = {"picture": torch.ones(6, dtype=torch.bool), "text": torch.ones(6, dtype=torch.bool)}
    one, other = plain(inputs_of()), masked(inputs_of(), all_there)
    for name in ("picture", "text"):
        assert torch.equal(one.features[name], other.features[name])
        assert torch.equal(one.logits[name], other.logits[name])
    states = zip(plain.state_dict().values(), masked.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in states)


@pytest.mark.parametrize("name", ["picture", "text"])
@pytest.mark.parametrize("project", [None, 5])
def test_an_absent_sample_gives_zeros_and_no_gradient(name: str, project: int | None) -> None:
    model, inputs = model_of(project=project), inputs_of()
    present = torch.tensor([True, False, True, True, False, True])
    output = model(inputs, {name: present})
    assert (output.features[name][~present] == 0).all()
    assert (output.features[name][present].abs().sum(1) > 0).all()
    assert all((output.features[other] != 0).any() for other in model.modalities)
    output.features[name][~present].sum().backward()
    gradients = [parameter.grad for parameter in [*model.encoders[name].parameters(), *model.projections.parameters()]]
    assert all(gradient is None or not gradient.any() for gradient in gradients)


def test_gradients_are_those_of_the_present_samples_alone() -> None:
    present = torch.tensor([True, False, True, True, False, True])
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    masked, alone = model_of("late"), model_of("late")
    inputs = inputs_of()
    logits = masked(inputs, {"picture": present}).logits["picture"]
    nn.functional.cross_entropy(logits[present], labels[present]).backward()
    logits = alone.one("picture", inputs["picture"][present])
    nn.functional.cross_entropy(logits, labels[present]).backward()
    for one, other in zip(masked.part("picture"), alone.part("picture"), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-6)


def test_batch_statistics_are_those_of_the_present_samples_alone() -> None:
    present = torch.tensor([False, True, True, True, False, True])
    masked, alone, inputs = model_of(), model_of(), inputs_of()
    inputs["picture"][~present] = 1e6  # would be seen in any mean
    masked(inputs, {"picture": present})
    alone(inputs_of() | {"picture": inputs["picture"][present], "text": inputs["text"][present]})
    one, other = masked.encoders["picture"].state_dict(), alone.encoders["picture"].state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("count", [0, 1])
def test_an_encoder_without_a_batch_to_speak_of_keeps_its_statistics(count: int) -> None:
    model, inputs = model_of(), inputs_of()
    before = {name: value.clone() for name, value in model.encoders["picture"].state_dict().items()}
    present = torch.arange(6) < count
    output = model(inputs, {"picture": present, "text": present})
    assert torch.isfinite(output.fused).all()
    assert (output.features["picture"][count:] == 0).all()
    assert all(torch.equal(value, before[name]) for name, value in model.encoders["picture"].state_dict().items())
    assert model.encoders["picture"].bn.training  # and it goes on training
    assert model.encoders["text"].seen == [1] * count  # nobody there: not asked
    output.fused.sum().backward()
    assert (model.encoders["picture"].stem.weight.grad is not None) == (count == 1)


def test_a_modality_that_is_left_out_and_one_that_all_lack_are_fused_alike() -> None:
    model, inputs = model_of().eval(), inputs_of()
    nobody = torch.zeros(6, dtype=torch.bool)
    assert torch.equal(model(inputs, {"text": nobody}).fused, model({"picture": inputs["picture"]}).fused)


@pytest.mark.parametrize("names", [("picture", "text"), ("text",)])
def test_split_logits_sum_to_the_fused_ones(names: tuple[str, ...]) -> None:
    model, inputs = model_of().eval(), inputs_of()
    output = model({name: inputs[name] for name in names}, {"text": torch.arange(6) != 2})
    parts = model.split_logits(output.features)
    assert set(parts) == set(names)
    assert torch.allclose(sum(parts.values()), output.fused, atol=1e-5)
    assert model.slices() == {"picture": slice(0, 16), "text": slice(16, 22)}
    layer = model.joint[0]
    if len(names) == 2:
        by_hand = output.features["text"] @ layer.weight[:, 16:].T + layer.bias / 2
        assert torch.allclose(parts["text"], by_hand, atol=1e-6)


@pytest.mark.parametrize("model", [model_of("late"), model_of("shared"), model_of(head_hidden={"joint": (8, 4)})])
def test_split_logits_need_one_linear_layer(model: MultimodalModel) -> None:
    with pytest.raises(ValueError, match="one linear layer"):
        model.split_logits(model.encode(inputs_of()))


def test_the_fused_head_and_the_modalities_own_may_differ() -> None:
    model = model_of(extra_heads=True, head_hidden={"heads": (8, 4)})
    assert [type(layer) for layer in model.joint] == [nn.Linear]
    assert [len(model.heads[name]) for name in ("picture", "text")] == [4, 4]  # a ReLU after the first layer
    with pytest.raises(ValueError, match="head_hidden: found 'head', expected joint or heads"):
        model_of(head_hidden={"head": ()})


def test_build_model_takes_the_configurations_heads_unless_told_otherwise() -> None:
    name = f"{TOY}:TOY2"
    config = TrainConfig(data=name, method="joint").model
    assert len(build_model(config, get(name), "late", False).heads["m0"]) == 4
    assert len(build_model(config, get(name), "late", False, hidden=()).heads["m0"]) == 1
    model = build_model(config, get(name), "concat", True, head_hidden={"joint": ()})
    assert (len(model.joint), len(model.heads["m0"])) == (1, 4)
