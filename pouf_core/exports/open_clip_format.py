"""A directory of open_clip: both towers as they were trained, with the classes beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from open_clip.hf_model import HFTextEncoder
from safetensors.torch import save_file

from pouf_core.exports.graph import adapted_tensors
from pouf_core.exports.model import ModelToExport
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.trained_parameters import text_tower

CONFIGURATION = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"


def write_open_clip(model: ModelToExport, directory: Path) -> dict[str, Any]:
    """Write what `open_clip.create_model_and_transforms("local-dir:…")` reads.

    Returns:
        `kind`, and `hugging_face_text`: whether the text tower is built of the directory's own `config.json`.
    """
    base = model.base
    assert isinstance(base, ClipLikeModel)  # no other family is exported
    visual: Any = base.network.visual
    configuration = {"model_cfg": base.configuration, "preprocess_cfg": visual.preprocess_cfg}
    (directory / CONFIGURATION).write_text(json.dumps(configuration, indent=2) + "\n", encoding="utf-8")
    save_file(adapted_tensors(model, base), directory / WEIGHTS)
    tower = text_tower(base.network)
    if isinstance(tower, HFTextEncoder):
        tower.config.save_pretrained(directory)
        base.tokenizer.save(directory)
    return {"kind": "open_clip", "hugging_face_text": isinstance(tower, HFTextEncoder)}
