"""Small random language models and tokenizers of every family, saved to disk as their makers save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from pouf_core.families.loading import load_base_model
from pouf_core.families.pretrained import quiet_transformers as quiet_transformers  # makes torchvision importable

import transformers  # isort: skip
from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # isort: skip

WORDS = ["the", "movie", "was", "great", "terrible", "it", "bad", "okay", "good", "yes", "no", "maybe", "this", "is"]
WORDS += ["a", "text", "long", "story", "mask"]
SENTENCE = " ".join([*WORDS, *(word.capitalize() for word in WORDS), *".,:;?!"])
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,:;?!<>/[]0123456789"
WIDTH = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
ANGLES = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>"}


def word_pieces(**options: Any) -> Any:
    pieces = [*BERT_SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    return transformers.BertTokenizer(vocab=vocabulary, **options)


def byte_pairs(name: str) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([SENTENCE] * 3, trainer)
    saved = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(pair) for pair in saved["merges"]]
    return getattr(transformers, name)(vocab=saved["vocab"], merges=merges)


def sentence_pieces(name: str, **options: Any) -> Any:
    whole = [(f"▁{word}", -2.0) for word in dict.fromkeys(SENTENCE.split())]
    letters = [(letter, -8.0) for letter in ["▁", *LETTERS]]
    pieces = [*((piece, 0.0) for piece in SPECIAL), *(item for item in whole if item[0][1:].isalpha()), *letters]
    return getattr(transformers, name)(vocab=pieces, **{**ANGLES, "mask_token": "<mask>", **options})


FAMILIES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "bert": ("Bert", WIDTH, word_pieces),
    "bert-untied": ("Bert", {**WIDTH, "tie_word_embeddings": False}, word_pieces),
    "distilbert": ("DistilBert", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}, word_pieces),
    "electra": ("Electra", {**WIDTH, "embedding_size": 8}, word_pieces),
    "mpnet": ("MPNet", WIDTH, word_pieces),
    "modernbert": ("ModernBert", {**WIDTH, "pad_token_id": 0, "eos_token_id": 3, "bos_token_id": 2}, word_pieces),
    "roberta": ("Roberta", {**WIDTH, "pad_token_id": 1}, lambda: byte_pairs("RobertaTokenizer")),
    "deberta": ("Deberta", {**WIDTH, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, word_pieces),
    "xlm-roberta": ("XLMRoberta", {**WIDTH, "pad_token_id": 1}, lambda: sentence_pieces("XLMRobertaTokenizer")),
    "albert": ("Albert", {**WIDTH, "embedding_size": 8}, lambda: sentence_pieces("AlbertTokenizer")),
    "deberta-v2": ("DebertaV2", WIDTH, lambda: sentence_pieces("DebertaV2Tokenizer", unk_id=3, unk_token="<unk>")),
    "deberta-v3": (
        "DebertaV2",
        {**WIDTH, "legacy": False},
        lambda: sentence_pieces("DebertaV2Tokenizer", unk_id=3, unk_token="<unk>"),
    ),
}


def save_masked(family: str, directory: Path) -> Path:
    """A masked language model with random weights, its biases and norms too, and its tokenizer."""
    stem, settings, make_tokenizer = FAMILIES[family]
    tokenizer = make_tokenizer()
    config = getattr(transformers, f"{stem}Config")(
        vocab_size=len(tokenizer), max_position_embeddings=40, initializer_range=0.3, **settings
    )
    torch.manual_seed(0)
    network = getattr(transformers, f"{stem}ForMaskedLM")(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    network.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def load_masked(directory: Path) -> Any:
    return load_base_model(f"hf-mlm:{directory}")


ARCHITECTURES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt2": ("GPT2Config", "GPT2LMHeadModel", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40}),
    "llama": ("LlamaConfig", "LlamaForCausalLM", {**WIDTH, "num_key_value_heads": 1}),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", {**WIDTH, "num_key_value_heads": 1, "tie_word_embeddings": True}),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", {**WIDTH, "num_key_value_heads": 1, "head_dim": 8}),
}


def save_causal(name: str, directory: Path) -> Path:
    """A causal language model with random weights, and its tokenizer."""
    config_name, class_name, settings = ARCHITECTURES[name]
    tokenizer = byte_pairs("GPT2Tokenizer")
    config = getattr(transformers, config_name)(
        vocab_size=len(tokenizer), initializer_range=0.3, bos_token_id=0, eos_token_id=2, **settings
    )
    torch.manual_seed(0)
    getattr(transformers, class_name)(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
