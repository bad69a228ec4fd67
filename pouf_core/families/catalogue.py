"""Which base models there are, described without loading any."""

from __future__ import annotations

from dataclasses import dataclass

from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.classes import DEFAULT_TEMPLATE
from pouf_core.errors import InvalidInput

TUNE_MODES = ("prompt", "prototypes", "head", "last_n", "norm", "model")
DEFAULT_SENTENCE_TEMPLATE = "A text about {}."
SENTENCE = "sentence:"
LANGUAGE_TUNE_MODES = ("prompt", "norm", "model")
DEFAULT_LANGUAGE_TEMPLATE = "{text} This is {mask}."
HF_ALIGN = "hf-align:"
_LANGUAGE = {"hf-mlm": "Masked", "hf-causal": "Causal"}


@dataclass(frozen=True)
class OpenClipName:
    """`open_clip:<architecture>/<pretrained>` taken apart; for a directory `architecture` is None."""

    architecture: str | None
    pretrained: str


POUF_LITE = BaseModelDescription(
    name="pouf-lite",
    family="pouf-lite",
    modality="image",
    embedded=True,
    tune_modes=TUNE_MODES,
    default_prompt_template=DEFAULT_TEMPLATE,
    description="EfficientNet-Lite0 (ImageNet) joined to all-MiniLM-L6-v2 by a small projection head; runs on a CPU.",
)

MINILM = BaseModelDescription(
    name="minilm",
    family="minilm",
    modality="text",
    embedded=True,
    tune_modes=TUNE_MODES,
    default_prompt_template=DEFAULT_SENTENCE_TEMPLATE,
    description="all-MiniLM-L6-v2, a sentence encoder of English; texts beyond 256 tokens are cut; runs on a CPU.",
)

MINILM_MLM = BaseModelDescription(
    name="minilm-mlm",
    family="minilm-mlm",
    modality="text",
    embedded=True,
    tune_modes=LANGUAGE_TUNE_MODES,
    default_prompt_template=DEFAULT_LANGUAGE_TEMPLATE,
    description="all-MiniLM-L6-v2 as a masked language model of English, small and weak; takes pairs; runs on a CPU.",
)

EMBEDDED = {model.name: model for model in (POUF_LITE, MINILM, MINILM_MLM)}


def describe(spec: str) -> BaseModelDescription:
    """Describe a base model by its name.

    Args:
        spec: `pouf-lite`, `open_clip:<architecture>/<pretrained tag>`, `open_clip:<architecture>/<path to weights>`
            or `open_clip:<path to a directory with open_clip_config.json>`; `minilm`, or
            `sentence:<path to a directory that sentence-transformers saved>`; `minilm-mlm`; `hf-align:`, `hf-mlm:` or
            `hf-causal:` and the path of a directory that transformers saved, or the name of a model in its cache.

    Raises:
        InvalidInput: `unknown_base_model`.
    """
    if spec in EMBEDDED:
        return EMBEDDED[spec]
    if spec.startswith(SENTENCE):
        return _describe_sentence(spec)
    if spec.partition(":")[0] in _LANGUAGE:
        return _describe_language_model(spec)
    if spec.startswith(HF_ALIGN):
        return _describe_transformers_model(spec)
    name = parse_open_clip(spec)
    weights = f"{name.architecture} with weights {name.pretrained}" if name.architecture else name.pretrained
    return BaseModelDescription(
        name=spec,
        family="open_clip",
        modality="image",
        embedded=False,
        tune_modes=TUNE_MODES,
        default_prompt_template=DEFAULT_TEMPLATE,
        description=f"open_clip model: {weights}.",
    )


def _describe_sentence(spec: str) -> BaseModelDescription:
    path = spec.removeprefix(SENTENCE)
    if not path.startswith(("/", "./", "../", "~")):
        raise InvalidInput(
            "unknown_base_model",
            f"Unknown base model {spec!r}: {SENTENCE} is followed by the path of a directory, such as "
            f"{SENTENCE}/models/all-mpnet-base-v2.",
            field="/base_model",
        )
    return BaseModelDescription(
        name=spec,
        family="sentence",
        modality="text",
        embedded=False,
        tune_modes=TUNE_MODES,
        default_prompt_template=DEFAULT_SENTENCE_TEMPLATE,
        description=f"Sentence encoder: {path}.",
    )


def _describe_transformers_model(spec: str) -> BaseModelDescription:
    return BaseModelDescription(
        name=spec,
        family="hf-align",
        modality="image",
        embedded=False,
        tune_modes=TUNE_MODES,
        default_prompt_template=DEFAULT_TEMPLATE,
        description=f"Vision-language model of transformers (ALIGN, SigLIP, CLIP): {_checkpoint(spec)}.",
    )


def _checkpoint(spec: str) -> str:
    family, _, name = spec.partition(":")
    if not name.strip():
        message = f"Unknown base model {spec!r}: {family}: is followed by a directory or the name of a cached model."
        raise InvalidInput("unknown_base_model", message, field="/base_model")
    return name


def _describe_language_model(spec: str) -> BaseModelDescription:
    name, family = _checkpoint(spec), spec.partition(":")[0]
    return BaseModelDescription(
        name=spec,
        family="hf-mlm" if family == "hf-mlm" else "hf-causal",
        modality="text",
        embedded=False,
        tune_modes=LANGUAGE_TUNE_MODES,
        default_prompt_template=DEFAULT_LANGUAGE_TEMPLATE,
        description=f"{_LANGUAGE[family]} language model, prompted: {name}.",
    )


def parse_open_clip(spec: str) -> OpenClipName:
    """Take an `open_clip:` name apart.

    Raises:
        InvalidInput: `unknown_base_model` when it has another form.
    """
    family, _, rest = spec.partition(":")
    if family == "open_clip" and rest.startswith(("/", "./", "../", "~")):
        return OpenClipName(None, rest)
    architecture, _, pretrained = rest.partition("/")
    if family != "open_clip" or not architecture or not pretrained:
        raise InvalidInput(
            "unknown_base_model",
            f"Unknown base model {spec!r}: use {', '.join(EMBEDDED)}, open_clip:<architecture>/<pretrained>, "
            "sentence:<path>, hf-align:<path>, hf-mlm:<path> or hf-causal:<path>.",
            field="/base_model",
        )
    return OpenClipName(architecture, pretrained)
