"""Text encoders from transformers: BERT, and any other that a configuration on disk or in the user's cache describes.

A batch of texts is (n, 3, tokens) integers: token ids, attention mask, segment ids.
"""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal

from torch import Tensor, nn

from igmsweep.errors import UserError
from igmsweep.gate.paths import full
from igmsweep.legible import quoted
from igmsweep.models.weights import NONE, PRETRAINED, Wanted
from igmsweep.record.json_files import read_object

BERT = "bert-base-uncased"


class TextEncoder(nn.Module):
    """One feature vector a text from a transformers encoder.

    Args:
        body: an encoder whose output has `last_hidden_state` and, for `pool="pooler"`, `pooler_output`.
        pool: `cls`, the first token's last hidden state, or `pooler`, which BERT puts through a further layer.
    """

    def __init__(self, body: nn.Module, pool: Literal["cls", "pooler"] = "cls") -> None:
        super().__init__()
        self.body = body
        self.pool = pool
        config: Any = body.config
        self.features = int(config.hidden_size)
        self.vocabulary = int(config.vocab_size)
        self._segments = (
            getattr(config, "type_vocab_size", 0) > 1 and "token_type_ids" in inspect.signature(body.forward).parameters
        )

    def forward(self, x: Tensor) -> Tensor:
        ids, mask, segments = x.long().unbind(dim=1)
        extra = {"token_type_ids": segments} if self._segments else {}
        output = self.body(input_ids=ids, attention_mask=mask, **extra)
        pooled: Tensor = output.pooler_output if self.pool == "pooler" else output.last_hidden_state[:, 0]
        return pooled


def bert(wanted: Wanted) -> TextEncoder:
    """`bert`: BERT base; `bert:PATH_OR_NAME`: the encoder that this folder's (or cached model's) config describes."""
    return _text(wanted, "cls")


def bert_pooler(wanted: Wanted) -> TextEncoder:
    """The same with BERT's pooling layer on the first token."""
    return _text(wanted, "pooler")


def _text(wanted: Wanted, pool: Literal["cls", "pooler"]) -> TextEncoder:
    transformers = import_transformers(wanted.encoder_key)
    if wanted.weights != NONE:
        name = (wanted.variant or BERT) if wanted.weights == PRETRAINED else wanted.weights
        config = pretrained_config(transformers.AutoConfig, name, wanted.key)
        _refuse_other(config, name, wanted.key)
        model = pretrained(
            transformers.AutoModel, name, wanted.key, config=config, **_pooling(transformers, config, pool)
        )
    else:
        config = transformers.BertConfig()
        if wanted.variant is not None:
            config = pretrained_config(transformers.AutoConfig, wanted.variant, wanted.encoder_key)
            _refuse_other(config, wanted.variant, wanted.encoder_key)
        try:
            model = transformers.AutoModel.from_config(config, **_pooling(transformers, config, pool))
        except Exception as error:  # as the library has it of a config that fits no model
            raise UserError(f"{wanted.encoder_key}: {wanted.variant} describes no model ({_words(error)})") from None
    encoder = TextEncoder(model, pool)
    if pool == "pooler" and getattr(model, "pooler", None) is None:
        raise UserError(
            f"{wanted.encoder_key}: {config.model_type} has no pooling layer, use 'bert' for its first token"
        )
    most = getattr(config, "max_position_embeddings", None)
    if most is not None and wanted.shape[-1] > most:
        raise UserError(f"{wanted.encoder_key}: texts have {wanted.shape[-1]} tokens, the encoder takes at most {most}")
    return encoder


def _pooling(transformers: Any, config: Any, pool: str) -> dict[str, bool]:
    """An unused pooling layer would be parameters without a gradient: it is left out where the class allows."""
    kind = transformers.models.auto.modeling_auto.MODEL_MAPPING[type(config)]
    kind = kind[0] if isinstance(kind, tuple | list) else kind
    takes = "add_pooling_layer" in inspect.signature(kind.__init__).parameters
    return {"add_pooling_layer": pool == "pooler"} if takes else {}


def _refuse_other(config: Any, name: str, key: str) -> None:
    if (
        not hasattr(config, "hidden_size")
        or not hasattr(config, "vocab_size")
        or getattr(config, "is_encoder_decoder", False)
    ):
        raise UserError(f"{key}: {name} is a '{config.model_type}' model, expected a text encoder such as BERT")


def import_transformers(key: str) -> Any:
    """The transformers library, which only text and CLIP encoders need.

    Raises:
        UserError: it is not installed.
    """
    try:
        import transformers
    except ImportError:
        raise UserError(f"{key}: needs transformers; install it with: pip install 'igmsweep[text]'") from None
    return transformers


def pretrained_config(kind: Any, name: str, key: str) -> Any:
    """`kind.from_pretrained` of a folder, or of a name in the user's Hugging Face cache; never a download."""
    return _local(kind, name, key)


def pretrained(kind: Any, name: str, key: str, **keywords: Any) -> Any:
    """A model with its weights in float32, every one of them from the files.

    Raises:
        UserError: files are missing or lack parameters of the model.
    """
    import torch

    model, info = _local(kind, name, key, dtype=torch.float32, output_loading_info=True, **keywords)
    missing = sorted(info["missing_keys"])
    if missing:
        raise UserError(
            f"{key}: {name} lacks {len(missing)} parameters of {type(model).__name__}, first '{missing[0]}'"
        )
    return model


def _local(kind: Any, name: str, key: str, **keywords: Any) -> Any:
    from transformers.utils import logging

    folder = full(name, "model.encoder")
    looks_like_path = folder.exists() or name.startswith((".", "/", "~"))
    if looks_like_path and not (folder / "config.json").is_file():
        found = "is a file" if folder.is_file() else "has no config.json" if folder.is_dir() else "does not exist"
        raise UserError(f"{key}: {name} {found}; expected a folder that transformers' save_pretrained wrote")
    if looks_like_path:
        _refuse_kernels(read_object(folder / "config.json"), f"{key}: {folder / 'config.json'}")
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return kind.from_pretrained(
            str(folder) if looks_like_path else name, local_files_only=True, trust_remote_code=False, **keywords
        )
    except Exception as error:  # a folder's files can be wrong in any way; the library has no error of its own for that
        if looks_like_path or not isinstance(error, OSError | ValueError):
            raise UserError(f"{key}: {name} cannot be loaded ({_words(error)})") from None
        raise UserError(
            f"{key}: '{name}' is not in the Hugging Face cache (HF_HOME); put the model there, give the path of its "
            "folder, or 'none' to train from scratch (nothing is downloaded)"
        ) from None
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def _words(error: Exception) -> str:
    return " ".join(f"{error}".split())[:150] or type(error).__name__


def _refuse_kernels(settings: Any, where: str) -> None:
    """Raise UserError for a config that has attention computed by a repository's code, which the library would fetch and run."""
    parts = [settings]
    while parts:
        part = parts.pop()
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
        for name, value in part.items() if isinstance(part, dict) else ():
            if "attn_implementation" in name and "/" in json.dumps(value):
                raise UserError(
                    f"{where}: {name} is {quoted(value)}, code from elsewhere; expected eager, sdpa or nothing"
                )
