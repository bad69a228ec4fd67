"""What all checkpoints of transformers have in common: where they are read from, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from pouf_core.errors import InvalidInput, PoufError

SAFE: dict[str, Any] = {"trust_remote_code": False}
"""For everything that is read: code that a checkpoint brings along is never run."""
WEIGHTS: dict[str, Any] = {"use_safetensors": True, "dtype": torch.float32, "output_loading_info": True}
"""For weights: no pickles, full precision, and a report of what the checkpoint lacks."""
_NAMED_AT_MOST = 3


def checkpoint_name(name: str) -> str:
    """A directory with `~` replaced, or the name of a model as it is."""
    return str(Path(name).expanduser()) if name.startswith(("/", "./", "../", "~")) else name


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
    try:
        return auto.from_pretrained(name, **SAFE, **options)
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        raise PoufError("base_model_unavailable", f"Base model {spec!r} could not be loaded: {error}") from error


def name_missing(missing: Iterable[str]) -> str:
    """Some of the missing tensors' names, and how many there are."""
    names = sorted(missing)
    named = ", ".join(names[:_NAMED_AT_MOST]) + (", …" if len(names) > _NAMED_AT_MOST else "")
    return f"{named} ({len(names)} tensors)"


def not_adaptable(spec: str, reason: str) -> InvalidInput:
    """The refusal of a base model that can be read and not adapted."""
    return InvalidInput("base_model_not_adaptable", f"Base model {spec!r}: {reason}.", field="/base_model")
