"""Small random sentence encoders, saved as sentence-transformers saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from pouf_core.families.cosine.open_clip_loading import open_clip as open_clip  # first: it makes torchvision importable

import transformers  # isort: skip
from tests.pouf_core.families.language.tiny_models import FAMILIES  # isort: skip


def save_sentence_encoder(
    directory: Path,
    family: str = "bert",
    pooling: str = "mean_tokens",
    modules: tuple[str, ...] = ("Transformer", "Pooling", "Normalize"),
    settings: dict[str, Any] | None = None,
    limits: dict[str, Any] | None = None,
) -> Path:
    """A random encoder with its tokenizer and the files that say how it is used."""
    stem, options, make_tokenizer = FAMILIES[family]
    tokenizer = make_tokenizer()
    options = {**options, "pad_token_id": tokenizer.pad_token_id}
    config = getattr(transformers, f"{stem}Config")(
        vocab_size=len(tokenizer), max_position_embeddings=40, initializer_range=0.3, **options
    )
    torch.manual_seed(0)
    getattr(transformers, f"{stem}Model")(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    paths = ["", "1_Pooling", "2_Normalize", "3_More"]
    listed = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{name}"}
        for index, (path, name) in enumerate(zip(paths, modules, strict=False))
    ]
    _write(directory / "modules.json", listed)
    modes = dict.fromkeys(["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens"], False)
    flags = {f"pooling_mode_{name}": chosen for name, chosen in (modes | {pooling: True}).items()}
    _write(directory / "1_Pooling" / "config.json", {"word_embedding_dimension": 16, **flags})
    _write(directory / "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": False, **(limits or {})})
    _write(directory / "config_sentence_transformers.json", settings or {})
    return directory


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))
