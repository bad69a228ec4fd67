"""Train the projection head of the base model `pouf-lite` on emoji pictures.

    python scripts/train_pouf_lite_head.py --emoji ../shared/data/emoji
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from pouf_lite_head.captions import Captions, build_captions
from pouf_lite_head.features import view_features
from pouf_lite_head.fitting import Recipe, TrainingSet, fit_head
from pouf_lite_head.held_out import HELD_OUT_STYLES, build_tasks, held_out_emoji, score
from pouf_lite_head.pictures import Pictures, load_pictures
from pouf_lite_head.teacher import ImageNetTeacher
from safetensors.torch import save_file
from torch import nn

from pouf_core.backbones.pouf_lite import head_path, imagenet_classifier, untrained_pouf_lite

LOGIT_SCALES = (20.0, 25.0, 30.0, 35.0, 40.0, 50.0)
MOST_BYTES = 3_000_000


def main(
    emoji: Annotated[Path, typer.Option(help="Directory of the emoji npz files and table.tsv.")],
    cache: Annotated[Path, typer.Option(help="Where features are kept between runs.")] = Path("/tmp/pouf-lite-cache"),
    output: Annotated[Path, typer.Option(help="The safetensors file to write.")] = head_path(),
    views: Annotated[int, typer.Option(help="Original pictures plus how many rounds of augmented ones.")] = 9,
    seed: int = 0,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    evaluate: Annotated[bool, typer.Option(help="First measure the recipe on emoji held out of training.")] = True,
) -> None:
    """Train the head on all pictures and save it, after measuring the same recipe on held-out ones."""
    started = time.monotonic()
    torch.set_num_threads(threads)
    network, classifier, pictures = untrained_pouf_lite(), imagenet_classifier(), load_pictures(emoji)
    features = torch.stack([view_features(pictures, classifier, view, cache, seed) for view in range(views)])
    captions = build_captions(network, pictures.emoji)
    recipe = Recipe()
    teacher = ImageNetTeacher(classifier.classifier, network, recipe.teacher_temperature)
    data = TrainingSet(features, torch.from_numpy(pictures.emoji_of), torch.ones(len(pictures.images)))
    start = nn.Module.state_dict(network.visual.head)
    start = {name: tensor.clone() for name, tensor in start.items()}
    if evaluate:
        for whole_subgroups in (False, True):
            network.visual.head.load_state_dict(start)
            tasks = build_tasks(network, pictures.emoji)
            hidden = held_out_emoji(pictures.emoji, whole_subgroups)
            _report(network.visual.head, data, pictures, hidden, captions, teacher, recipe, tasks, seed)
        network.visual.head.load_state_dict(start)
    head = fit_head(network.visual.head, data, captions, teacher, recipe, seed)
    save_head(head, 30.0, output)
    typer.echo(f"{output}: {output.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s in all")


def save_head(head: nn.Module, scale: float, output: Path) -> None:
    """Write the head's tensors and the logit scale's logarithm in float16."""
    tensors = {name: tensor.half().contiguous() for name, tensor in head.state_dict().items()}
    tensors["logit_scale"] = torch.tensor(math.log(scale))
    output.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, output)
    if output.stat().st_size > MOST_BYTES:
        raise RuntimeError(f"{output} is larger than {MOST_BYTES:,} bytes.")


if __name__ == "__main__":
    typer.run(main)
