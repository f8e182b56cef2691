"""BERT, CLIP and their like: the numbers of transformers on the same weights, and plain errors where these are missing."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from igmsweep.errors import UserError
from igmsweep.models.encoders import encoder, feature_size

transformers = pytest.importorskip("transformers")

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small random models as `save_pretrained` writes them."""
    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    bert = transformers.BertConfig(**TINY, vocab_size=60, max_position_embeddings=24)
    transformers.BertModel(bert).save_pretrained(root / "bert")
    transformers.BertForMaskedLM(bert).save_pretrained(root / "bert-mlm")
    roberta = transformers.RobertaConfig(**TINY, vocab_size=60, type_vocab_size=1, max_position_embeddings=24)
    transformers.RobertaModel(roberta).save_pretrained(root / "roberta")
    distil = transformers.DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=48, vocab_size=60)
    transformers.DistilBertModel(distil).save_pretrained(root / "distilbert")
    text = transformers.CLIPTextConfig(
        **TINY, vocab_size=60, projection_dim=20, eos_token_id=59, max_position_embeddings=24
    )
    image = transformers.CLIPVisionConfig(**TINY, image_size=32, patch_size=16, projection_dim=20)
    clip = transformers.CLIPConfig(text_config=text.to_dict(), vision_config=image.to_dict(), projection_dim=20)
    transformers.CLIPModel(clip).save_pretrained(root / "clip")
    return root


def texts(rows: int = 3, tokens: int = 12, vocabulary: int = 60) -> torch.Tensor:
    """(rows, 3, tokens): ids, mask with padding behind, segments of a pair."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, vocabulary - 1, (rows, tokens), generator=generator)
    mask = (torch.arange(tokens) < torch.tensor([[12], [9], [5]])[:rows]).long()
    segments = (torch.arange(tokens) >= 4).long() * mask
    return torch.stack([ids * mask, mask, segments], dim=1).to(torch.int32)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["bert", "bert-mlm", "roberta", "distilbert"])
def test_the_feature_is_the_first_tokens_last_hidden_state(folders, folder):
    ours = encoder("bert", (3, 12), weights=str(folders / folder)).eval()
    original = transformers.AutoModel.from_pretrained(folders / folder).eval()
    x = texts()
    ids, mask, segments = x.long().unbind(1)
    extra = {"token_type_ids": segments} if folder.startswith("bert") else {}
    with torch.no_grad():
        expected = original(input_ids=ids, attention_mask=mask, **extra).last_hidden_state[:, 0]
        assert torch.equal(ours(x), expected)
    assert feature_size(ours) == 32
    pooler = sum(p.numel() for name, p in original.named_parameters() if name.startswith("pooler"))
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in original.parameters()) - pooler


def test_bert_pooler_is_transformers_pooler_output(folders):
    ours = encoder("bert_pooler", (3, 12), weights=str(folders / "bert")).eval()
    original = transformers.BertModel.from_pretrained(folders / "bert").eval()
    ids, mask, segments = texts().long().unbind(1)
    with torch.no_grad():
        expected = original(input_ids=ids, attention_mask=mask, token_type_ids=segments).pooler_output
        assert torch.equal(ours(texts()), expected)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in original.parameters())
    with pytest.raises(UserError, match="has no pooling layer"):
        encoder("bert_pooler", (3, 12), weights=str(folders / "distilbert"))
    with pytest.raises(UserError, match="lacks 2 parameters"):  # a masked-language model was saved without one
        encoder("bert_pooler", (3, 12), weights=str(folders / "bert-mlm"))


def test_bert_without_weights_is_bert_base_and_a_variant_is_its_configuration(folders):
    with torch.device("meta"):
        base = encoder("bert", (3, 64))
    # BERT base uncased has 109,482,240 parameters, 590,592 of them in the pooling layer
    assert sum(p.numel() for p in base.parameters()) == 109_482_240 - 590_592
    tiny = encoder(f"bert:{folders / 'bert'}", (3, 12))
    saved = transformers.BertModel.from_pretrained(folders / "bert")
    assert tiny.body.config.hidden_size == 32
    assert not torch.equal(tiny.body.embeddings.word_embeddings.weight, saved.embeddings.word_embeddings.weight)


def test_clip_towers_give_transformers_embeddings(folders):
    text = encoder("clip_text", (3, 12), weights=str(folders / "clip")).eval()
    image = encoder("clip_image", (3, 32, 32), weights=str(folders / "clip")).eval()
    x = texts()
    x[:, 0, 4] = 59  # the end-of-text token, whose state is the text's
    pixels = torch.randn(2, 3, 32, 32)
    whole = transformers.CLIPModel.from_pretrained(folders / "clip").eval()
    ids, mask, _ = x.long().unbind(1)
    with torch.no_grad():
        output = whole(input_ids=ids[:2], attention_mask=mask[:2], pixel_values=pixels)
        # CLIPModel returns its embeddings at unit length
        ours_text = torch.nn.functional.normalize(text(x[:2]), dim=-1)
        ours_image = torch.nn.functional.normalize(image(pixels), dim=-1)
    assert torch.allclose(ours_text, output.text_embeds, atol=1e-6)
    assert torch.allclose(ours_image, output.image_embeds, atol=1e-6)
    assert feature_size(text) == feature_size(image) == 20
    both = sum(p.numel() for tower in (text, image) for p in tower.parameters())
    assert both == sum(p.numel() for p in whole.parameters()) - whole.logit_scale.numel()


def test_clip_without_weights_is_vit_b_32():
    with torch.device("meta"):
        towers = [encoder("clip_text", (3, 77)), encoder("clip_image", (3, 224, 224))]
    # ViT-B/32 has 151,277,313 parameters, one of them the temperature
    assert sum(p.numel() for tower in towers for p in tower.parameters()) == 151_277_312


def refused(match: str, *args: Any, **keywords: Any) -> None:
    with pytest.raises(UserError, match=match) as caught:
        encoder(*args, modality="text", **keywords)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_used_is_refused_in_one_line(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # offline because we ask for local files, not because it is set
    refused(
        r"model\.weights\.text: 'bert-base-uncased' is not in the Hugging Face cache",
        "bert",
        (3, 12),
        weights="pretrained",
    )
    refused(r"'openai/clip-vit-base-patch32' is not in", "clip_text", (3, 12), weights="pretrained")
    refused(r"model\.weights\.text: .* does not exist", "bert", (3, 12), weights="/nowhere/bert")
    refused("has no config.json", "bert", (3, 12), weights=str(tmp_path))
    refused(r"model\.encoder\.text: .*is a 'clip' model", f"bert:{folders / 'clip'}", (3, 12))
    refused(r"texts have 30 tokens, the encoder takes at most 24", "bert", (3, 30), weights=str(folders / "bert"))
    refused("texts have 30 tokens, CLIP takes at most 24", "clip_text", (3, 30), weights=str(folders / "clip"))
    refused(r"expected \(3, 32, 32\)", "clip_image", (3, 40, 40), weights=str(folders / "clip"))
    (tmp_path / "config.json").write_text((folders / "bert" / "config.json").read_text())
    refused("cannot be loaded", "bert", (3, 12), weights=str(tmp_path))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"hidden_size": "x"}, "cannot be loaded"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "cannot be loaded"),
        (
            {"text_config": {"attn_implementation": "some/kernel"}},
            "attn_implementation is 'some/kernel', code from elsewhere",
        ),
    ],
)
def test_a_folder_of_weights_that_is_odd_or_asks_for_code_is_one_line(folders, tmp_path, changed, told):
    settings = json.loads((folders / "bert" / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | changed))
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    refused(told, "bert", (3, 12), weights=str(tmp_path))


def test_weights_that_are_a_pickle_are_not_loaded(folders, tmp_path):
    (tmp_path / "config.json").write_text((folders / "bert" / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Path("x").touch))
    refused("cannot be loaded", "bert", (3, 12), weights=str(tmp_path))
