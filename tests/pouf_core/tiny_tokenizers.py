"""Small tokenizers of the kinds that open_clip's Hugging Face text towers use, trained on a few sentences."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from pouf_core.families.pretrained import minilm_directory

VOCABULARY_SIZE = 320
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
SENTENCES = [
    "a photo of a cat.",
    "a photo of the large musical instrument, a type of clip art!",
    "a drawing of one smiley face",
    "the texture of a hammer, saw & other tools indoors",
    "art: circles, squares and lines; an image showing something (or nothing) 0123456789?",
    "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ",
]


def save_bert(directory: Path) -> None:
    """BERT's own word pieces, as MiniLM ships them: [CLS] text [SEP]."""
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        source = minilm_directory() / name
        if source.is_file():
            shutil.copy(source, directory)


def save_byte_level(directory: Path) -> None:
    """RoBERTa's kind: byte pairs, <s> text </s>, padding with 1."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    _save(directory, tokenizer, ["<s>"], "<pad>", "</s>")


def save_unigram(directory: Path, prefix: list[str], pad: str, eos: str) -> None:
    """SentencePiece's kind (T5, XLM-R, NLLB): pieces with a mark for the space before them.

    Args:
        directory: where to write.
        prefix: special tokens before the text.
        pad: the token that fills up; may be the end token, as SigLIP has it.
        eos: the token after the text.
    """
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCABULARY_SIZE - 1, special_tokens=[*SPECIAL, "eng_Latn"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    _save(directory, tokenizer, prefix, pad, eos)


def _save(directory: Path, tokenizer: Tokenizer, prefix: list[str], pad: str, eos: str) -> None:
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join([*prefix, "$A", eos]),
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in {*prefix, eos}],
    )
    tokenizer.save(str(directory / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": eos,
        "pad_token": pad,
        "unk_token": "<unk>",
        "model_max_length": 512,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
