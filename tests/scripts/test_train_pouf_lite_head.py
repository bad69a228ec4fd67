"""The head that is saved for benchmarks on emoji it has not seen."""

from pathlib import Path

import numpy as np
import pytest
import torch
import train_pouf_lite_head
import typer
from pouf_lite_head.fitting import Recipe
from pouf_lite_head.held_out import held_out_emoji
from pouf_lite_head.pictures import read_table
from safetensors.torch import load_file
from trust_tasks import emoji_tasks

from pouf_core.families.cosine.pouf_lite_network import build_pouf_lite, head_path

NAMES = ("fox", "polar bear", "owl", "whale", "wolf", "black cat", "honey bee", "ant", "sea snail", "ant hill")
SUBGROUPS = ("animal-mammal", "animal-bug")  # the second one is held out
STYLES = ("fxemoji", "noto")  # the first one is held out


@pytest.fixture
def emoji(tmp_path: Path) -> Path:
    """A directory of emoji like the real one: flat squares, each with a shade of its own, in two styles."""
    directory = tmp_path / "emoji"
    directory.mkdir()
    keys = [f"{row:x}" for row in range(len(NAMES))]
    lines = [
        f"{key}\t{name}\tAnimals & Nature\t{SUBGROUPS[row % 2]}\tsome|word"
        for row, (key, name) in enumerate(zip(keys, NAMES, strict=True))
    ]
    (directory / "table.tsv").write_text("\n".join(["key\tname\tgroup\tsubgroup\tkeywords", *lines]) + "\n")
    images = np.stack([np.full((64, 64, 3), 10 + row, np.uint8) for row in range(len(NAMES))])
    for style in STYLES:
        np.savez(directory / f"{style}.npz", images=images, keys=np.array(keys))
    return directory


def test_the_benchmark_shows_exactly_the_emoji_that_are_held_out_of_the_head(emoji: Path) -> None:
    hidden = held_out_emoji(list(read_table(emoji / "table.tsv").values()), whole_subgroups=False)
    assert 0 < hidden.sum() < len(NAMES)
    task = emoji_tasks(emoji, ["noto"], hidden_only=True)[0]
    assert task.name == "emoji nature"
    shown = [int(np.asarray(picture)[0, 0, 0]) - 10 for picture in task.pictures]
    assert shown == hidden.nonzero().flatten().tolist()


@pytest.mark.slow
def test_the_held_out_head_is_saved_beside_the_head_and_the_model_loads_it(emoji: Path, monkeypatch) -> None:
    monkeypatch.setattr(train_pouf_lite_head, "Recipe", lambda: Recipe(steps=2, batch=8))
    output, held_out = emoji.parent / "head.safetensors", emoji.parent / "new" / "held-out.safetensors"
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    train_pouf_lite_head.main(emoji, output, emoji.parent / "cache", views=1, held_out_head=held_out)
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    saved, shipped = load_file(held_out), load_file(head_path())
    assert {name: (one.shape, one.dtype) for name, one in saved.items()} == {
        name: (one.shape, one.dtype) for name, one in shipped.items()
    }
    assert any(not torch.equal(saved[name], tensor) for name, tensor in load_file(output).items())
    build_pouf_lite(held_out)


@pytest.mark.slow
def test_the_held_out_head_cannot_be_had_without_the_evaluation(emoji: Path) -> None:
    with pytest.raises(typer.BadParameter, match="evaluation"):
        train_pouf_lite_head.main(emoji, evaluate=False, held_out_head=emoji / "held-out.safetensors")
