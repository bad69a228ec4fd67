"""Which formats a model can be exported to, told by its base model's name: nothing is loaded."""

from __future__ import annotations

from importlib.util import find_spec

from pouf_core.contract.exports import EXPORT_FORMATS, ExportFormat
from pouf_core.errors import InvalidInput, PoufError
from pouf_core.families.registry import family_of

NOT_SUPPORTED = "export_not_supported"
UNAVAILABLE = "export_unavailable"
_NEEDED = ("onnx", "onnxruntime")
_REASONS: dict[ExportFormat, str] = {
    "onnx": "only encoders of pictures and texts become one graph, and of embeddings there is no encoder",
    "open_clip": "only models of open_clip become a directory of open_clip",
    "huggingface": "only vision-language models of transformers, sentence encoders and language models become one",
}


def formats_of(base_model: str) -> list[ExportFormat]:
    """The formats of models adapted from a base model.

    Raises:
        InvalidInput: `unknown_base_model`.
    """
    offered = family_of(base_model).exports
    return [each for each in EXPORT_FORMATS if each in offered]


def require_format(base_model: str, wanted: ExportFormat) -> None:
    """Refuse a format that models adapted from a base model cannot have, or that needs packages which are not here.

    Raises:
        InvalidInput: `export_not_supported`, `unknown_base_model`.
        PoufError: `export_unavailable`.
    """
    offered = formats_of(base_model)
    if wanted not in offered:
        message = f"A model adapted from {base_model} cannot be exported as {wanted}: {_REASONS[wanted]}. "
        raise InvalidInput(NOT_SUPPORTED, f"{message}It can be exported as {', '.join(offered)}.", field="/query/as")
    if wanted == "onnx" and any(find_spec(package) is None for package in _NEEDED):
        message = "Exporting to ONNX needs packages that are not installed here: pip install 'pouf-service[onnx]'."
        raise PoufError(UNAVAILABLE, message)
