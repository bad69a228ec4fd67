"""Files of weights as programs that train leave them: wrapped, and with prefixes before the names of the tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import is_zipfile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_ROOT = "logit_scale"
"""The parameter that stands at the root of every model of open_clip; what is before its name is a prefix."""
_COMPILED = "_orig_mod."
"""What `torch.compile` puts before the names of what it wrapped, wherever that is in the model."""
_DAMAGED = (EOFError, LookupError, OSError, SafetensorError)
_NUMPY = (".npz", ".npy")
_READ_BY_OPEN_CLIP = ("", "module.")  # prefixes


class UnreadableWeights(ValueError):
    """No weights can be read from a file; the message says why, as a clause."""


@contextmanager
def plain_weights(path: Path) -> Iterator[str]:
    """A file with the same weights whose tensors have the names that open_clip gives them.

    Args:
        path: a state dict, or a checkpoint that holds one, with names such as `module.visual.proj`,
            `_orig_mod.visual.proj` or `model.visual.proj`. Nothing but tensors is unpickled.

    Yields:
        `path` itself where open_clip reads it as it is (its tensors are mapped, and not read here), else a temporary
        file, which takes as much room.

    Raises:
        UnreadableWeights: the file is damaged, or holds no weights, or things that are not read.
    """
    plain = None if path.suffix in _NUMPY else _renamed(_read(path))  # big_vision's arrays have names of their own
    if plain is None:
        yield str(path)
        return
    with TemporaryDirectory(prefix="pouf-weights-") as directory:
        written = Path(directory) / "weights.pt"
        torch.save(plain, written)
        del plain  # the model is built meanwhile
        yield str(written)


def _renamed(loaded: Any) -> dict[str, Tensor] | None:
    """The state dict by open_clip's names; None where open_clip finds it itself."""
    found = _state_dict(loaded)
    prefix = min((name for name in found if _is_root(name)), key=len).removesuffix(_ROOT)
    unwrapped = found is loaded or found is loaded.get("state_dict")
    if unwrapped and prefix in _READ_BY_OPEN_CLIP and not any(_COMPILED in name for name in found):
        return None
    # What lies outside belongs to what was around the model in training.
    inside = {name.removeprefix(prefix): found[name] for name in found if name.startswith(prefix)}
    return {name.replace(_COMPILED, ""): tensor for name, tensor in inside.items()}


def _state_dict(loaded: Any) -> Mapping[str, Tensor]:
    """What was read, or the first in it that has the names of a model."""
    if isinstance(loaded, Mapping):
        preferred = [loaded[key] for key in ("state_dict", "model") if key in loaded]
        for candidate in (*preferred, loaded, *loaded.values()):
            if isinstance(candidate, Mapping) and any(_is_root(name) for name in candidate):
                return candidate
    raise UnreadableWeights(f"the file does not hold the weights of this architecture, which have a {_ROOT!r}")


def _is_root(name: object) -> bool:
    return isinstance(name, str) and name.rpartition(".")[2] == _ROOT


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return _read_torch(path)
    except UnpicklingError as error:
        raise UnreadableWeights(
            "the file is none of PyTorch's, or holds more than tensors and plain values, which is never unpickled; "
            "save the weights alone: torch.save(model.state_dict(), path)"
        ) from error
    except _DAMAGED as error:
        raise UnreadableWeights("the file is damaged, or not all of it is there") from error


def _read_torch(path: Path) -> Any:
    try:
        # PyTorch's older form, which is no zip, cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except RuntimeError as error:
        if "TorchScript" in str(error):
            advice = "torch.save(torch.jit.load(path).state_dict(), other_path)"
            raise UnreadableWeights(
                f"it is a TorchScript archive, which is never run; save its weights: {advice}"
            ) from error
        raise UnreadableWeights("the file is damaged, or not all of it is there") from error
