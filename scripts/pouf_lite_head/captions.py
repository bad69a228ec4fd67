"""What is said about a picture, and MiniLM's embeddings of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from open_clip.model import CustomTextCLIP
from torch.nn import functional
from transformers import AutoTokenizer

from pouf_core.families.pretrained import minilm_directory
from pouf_lite_head.pictures import Emoji

TEMPLATES = ("{}", "a photo of a {}.", "clip art of a {}", "a drawing of a {}.", "a picture of {}")
BATCH = 256

# Subgroups whose own name is not how one would say it; the others are read with blanks for hyphens.
SUBGROUP_WORDS = {
    "animal-amphibian": "amphibian",
    "animal-bird": "bird",
    "animal-bug": "insect",
    "animal-mammal": "mammal",
    "animal-marine": "sea animal",
    "animal-reptile": "reptile",
    "food-asian": "Asian food",
    "food-fruit": "fruit",
    "food-prepared": "meal",
    "food-sweet": "dessert",
    "food-vegetable": "vegetable",
    "light-video": "light or camera",
    "place-building": "building",
    "place-geographic": "landscape",
    "place-map": "map",
    "place-other": "place",
    "place-religious": "religious building",
    "plant-flower": "flower",
    "plant-other": "plant",
    "transport-air": "aircraft",
    "transport-ground": "vehicle",
    "transport-water": "boat",
}


@dataclass(frozen=True)
class Captions:
    """Every phrase in every template.

    Attributes:
        embeddings: [T, P, 384] unit length.
        names, keywords, subgroups: [E, P] each; how likely a phrase is for an emoji, rows sum to 1 (or 0).
    """

    embeddings: torch.Tensor
    names: torch.Tensor
    keywords: torch.Tensor
    subgroups: torch.Tensor


def subgroup_words(subgroup: str) -> str:
    """A subgroup of the table in ordinary words."""
    if subgroup.startswith("face-"):
        return "smiley face"
    if subgroup.startswith("hand-"):
        return "hand"
    return SUBGROUP_WORDS.get(subgroup, subgroup.replace("-", " "))


def build_captions(network: CustomTextCLIP, emoji: Sequence[Emoji]) -> Captions:
    """Embed what can be said about E emoji."""
    names = [[one.name.replace(":", "")] for one in emoji]
    keywords = [[word for word in one.keywords if len(word) > 1] for one in emoji]
    subgroups = [[subgroup_words(one.subgroup)] for one in emoji]
    phrases = sorted({phrase for kind in (names, keywords, subgroups) for one in kind for phrase in one})
    column = {phrase: number for number, phrase in enumerate(phrases)}
    embeddings = [embed_texts(network, [template.format(p) for p in phrases]) for template in TEMPLATES]
    return Captions(torch.stack(embeddings), *(_weights(kind, column) for kind in (names, keywords, subgroups)))


@torch.inference_mode()
def embed_texts(network: CustomTextCLIP, texts: Sequence[str]) -> torch.Tensor:
    """Unit-length embeddings of texts by the network's text tower, [len(texts), 384]."""
    tokenizer = AutoTokenizer.from_pretrained(minilm_directory())
    parts = []
    for start in range(0, len(texts), BATCH):
        tokens = tokenizer(list(texts[start : start + BATCH]), padding=True, return_tensors="pt")["input_ids"]
        parts.append(functional.normalize(network.encode_text(tokens), dim=-1))
    return torch.cat(parts).clone()


def _weights(said: list[list[str]], column: dict[str, int]) -> torch.Tensor:
    weights = torch.zeros(len(said), len(column))
    for row, phrases in enumerate(said):
        for phrase in phrases:
            weights[row, column[phrase]] = 1 / len(phrases)
    return weights
