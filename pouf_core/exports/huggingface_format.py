"""A directory of transformers, and of sentence-transformers: the towers as they were trained, with the classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from open_clip.hf_model import ClsLastHiddenStatePooler
from safetensors.torch import save_file
from torch import Tensor

from pouf_core.exports.graph import adapted_network, adapted_tensors
from pouf_core.exports.language import LanguageExport
from pouf_core.exports.model import ModelToExport
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.sentence_encoder import SentenceModel
from pouf_core.families.cosine.transformers_loading import save_with_weights
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.pretrained import quiet_transformers

_POOLINGS = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
_DENSE = "2_Dense"


def write_huggingface(model: ModelToExport, directory: Path) -> dict[str, Any]:
    """Write what `AutoModel.from_pretrained` reads; of a sentence encoder what sentence-transformers reads as well.

    Returns:
        `kind`; of a sentence encoder how a text becomes features: `pooling`, `longest`, `lower_case`, and whether its
        features are `projected`; of a language model what `LanguageExport.write_reading` gives, the class of
        transformers that is its `network`, what its `features_from` are, and `arrays` for beside the classifier.
    """
    base = model.base
    if isinstance(base, LanguageModel):
        return _write_language_model(LanguageExport.of(model), directory)
    if isinstance(base, ClipLikeModel):
        save_with_weights(base, adapted_tensors(model, base), directory)
        return {"kind": "pictures"}
    assert isinstance(base, SentenceModel)  # no other family is exported
    return _write_sentence_encoder(model, base, directory)


def _write_sentence_encoder(model: ModelToExport, base: SentenceModel, directory: Path) -> dict[str, Any]:
    tower: Any = adapted_network(model, base).text
    tokenizer = base.sentence_tokenizer
    change: Tensor = tower.proj.change.weight.detach()
    projected = bool(change.any())
    with quiet_transformers():
        tower.transformer.save_pretrained(directory)
        tokenizer.tokenizer.save_pretrained(directory)
    pooling = "cls_token" if isinstance(tower.pooler, ClsLastHiddenStatePooler) else "mean_tokens"
    modes = {f"pooling_mode_{name}": name == pooling for name in _POOLINGS}
    _write(directory / "1_Pooling" / "config.json", {"word_embedding_dimension": len(change), **modes})
    limits = {"max_seq_length": tokenizer.longest, "do_lower_case": tokenizer.lower_case}
    _write(directory / "sentence_bert_config.json", limits)
    modules = [("Transformer", ""), ("Pooling", "1_Pooling")]
    if projected:
        identity = "torch.nn.modules.linear.Identity"
        settings = {"in_features": len(change), "out_features": len(change), "bias": False}
        _write(directory / _DENSE / "config.json", {**settings, "activation_function": identity})
        save_file({"linear.weight": torch.eye(len(change)) + change}, directory / _DENSE / "model.safetensors")
        modules.append(("Dense", _DENSE))
    modules.append(("Normalize", f"{len(modules)}_Normalize"))
    listed = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{name}"}
        for place, (name, path) in enumerate(modules)
    ]
    _write(directory / "modules.json", listed)
    told = {"longest": tokenizer.longest, "lower_case": tokenizer.lower_case}
    return {"kind": "sentences", "pooling": pooling, "projected": projected, **told}


def _write_language_model(language: LanguageExport, directory: Path) -> dict[str, Any]:
    base = language.base
    tokenizer: Any = base.tokenizer  # of transformers, which has more than is used elsewhere
    base.network.config.tie_word_embeddings = base.head.rows is base.input_embedding.weight  # training may untie them
    with quiet_transformers():
        base.network.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
    arrays = {} if language.context is None else {"learned": language.context.numpy()}
    network = "AutoModelForMaskedLM" if base.kind == "masked" else "AutoModelForCausalLM"
    told = {"network": network, "features_from": language.features_from, "arrays": arrays}
    return language.write_reading(directory) | told


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
