"""What a family of base models registers, and what the families' names have in common. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pouf_core.contract.base_model import BaseModelDescription, Modality
from pouf_core.contract.exports import ExportFormat
from pouf_core.contract.tune_modes import ModelKind, tune_modes_of
from pouf_core.errors import InvalidInput

if TYPE_CHECKING:
    import torch

    from pouf_core.families.interface import BaseModel

NOT_OF_COSINE_MODELS: Mapping[str, str] = {"label_word_bias": "it is no language model"}
"""Settings that models which classify by cosine do not use, each with the reason."""
NOT_OF_LANGUAGE_MODELS: Mapping[str, str] = {
    "context": "its context vectors stand around the text and are shared by all classes",
    "context_init": "its context vectors start from the template's words",
    "context_length": "the template's words set the number of its context vectors",
    "anchor_weight": "it has no prototypes to hold",
    "logit_scale_learning_rate": "it has no logit scale",
}
"""Settings that language models do not use, each with the reason."""
_PATH_STARTS = ("/", "./", "../", "~")


class Tokenizer(Protocol):
    """A Hugging Face tokenizer, as far as it is used."""

    is_fast: bool
    model_max_length: int
    all_special_ids: list[int]
    pad_token_id: int | None
    eos_token_id: int | None
    mask_token_id: int | None
    unk_token_id: int | None

    def __call__(self, text: str, **options: bool | int) -> Mapping[str, Any]:
        """Token ids of a text as `input_ids`, and what the options ask for beside them."""
        ...

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        """How the vocabulary writes these tokens."""
        ...


@dataclass(frozen=True)
class Family:
    """A family of base models: everything about it that the rest of the code goes by.

    Attributes:
        name: published as the base model's `family`. Names of its base models are `<name>:…`, or just that name for an
            embedded one.
        usage: how such a name is written, such as `sentence:<path>`.
        modality: what its models classify.
        kind: whose presets, validation thresholds and tune modes they have.
        default_prompt_templates: for callers who give none; several are an ensemble, of which modes that train the text
            tower take the first.
        describe: a base model's name to one line about it. None where the name has another form than `usage`; it may
            raise `unknown_base_model` with more to say.
        load: a description and a device to a loaded model of its own, in float32 and evaluation mode. The description's
            `activation` is the one to load it with; None: as its configuration has it. It imports the heavy packages
            itself, and only then. Errors are those of `pouf_core.families.loading.load_base_model`.
        embedded: whether the weights come with the installed packages.
        files: of an embedded family, the files that its base model is loaded from; it imports the heavy packages.
        takes_label_words, reads_after_mask, takes_pairs, takes_class_features, unused_settings: as in
            `BaseModelDescription`.
        reads_only_english: whether the text tower of the base model of that name learned from English texts alone;
            False where the name does not tell.
        takes_activation: whether a caller may say which activation its weights were trained with.
        exports: the formats that models adapted from its base models are exported to.
        load_tokenizer: of a family that takes label words, a base model's name to its tokenizer alone, which is small;
            label words are checked with it before the model is loaded.
    """

    name: str
    usage: str
    modality: Modality
    kind: ModelKind
    default_prompt_templates: tuple[str, ...]
    describe: Callable[[str], str | None]
    load: Callable[[BaseModelDescription, torch.device], BaseModel]
    embedded: bool = False
    files: Callable[[], Sequence[Path]] = tuple
    takes_label_words: bool = False
    reads_after_mask: bool = True
    takes_pairs: bool = False
    takes_activation: bool = False
    takes_class_features: bool = False
    reads_only_english: Callable[[str], bool] = lambda _: False
    unused_settings: Mapping[str, str] = field(default_factory=lambda: NOT_OF_COSINE_MODELS)
    exports: tuple[ExportFormat, ...] = ("numpy",)
    load_tokenizer: Callable[[str], Tokenizer] | None = None

    def owns(self, spec: str) -> bool:
        """Whether a base model's name belongs to this family."""
        return spec == self.name if self.embedded else spec.partition(":")[0] == self.name

    def description_of(self, spec: str) -> BaseModelDescription | None:
        """The description of one of its base models; None where the name has another form."""
        text = self.describe(spec)
        if text is None:
            return None
        return BaseModelDescription(
            name=spec,
            family=self.name,
            modality=self.modality,
            kind=self.kind,
            embedded=self.embedded,
            tune_modes=tune_modes_of(self.kind),
            default_prompt_templates=self.default_prompt_templates,
            description=text,
            takes_label_words=self.takes_label_words,
            reads_after_mask=self.reads_after_mask,
            takes_pairs=self.takes_pairs,
            takes_class_features=self.takes_class_features,
            reads_only_english=self.reads_only_english(spec),
            unused_settings=self.unused_settings,
            activation="auto" if self.takes_activation else None,
        )


def is_path(name: str) -> bool:
    """Whether a checkpoint is given by a path, which begins with `/`, `./`, `../` or `~`."""
    return name.startswith(_PATH_STARTS)


def path_of(spec: str) -> Path | None:
    """Where a base model's checkpoint lies, of a name that gives it by a path."""
    rest = spec.partition(":")[2]
    name = rest if is_path(rest) else rest.partition("/")[2]
    return Path(name).expanduser() if is_path(name) else None


def checkpoint_of(spec: str) -> str:
    """The directory, or name of a cached model, that follows the family's name and a colon.

    Raises:
        InvalidInput: `unknown_base_model` where nothing follows.
    """
    family, _, name = spec.partition(":")
    if not name.strip():
        raise unknown_base_model(spec, f"{family}: is followed by a directory or the name of a cached model.")
    return name


def unknown_base_model(spec: str, reason: str) -> InvalidInput:
    """The refusal of a name that stands for no base model."""
    return InvalidInput("unknown_base_model", f"Unknown base model {spec!r}: {reason}", field="/base_model")
