"""Train the projection head of the base model `pouf-lite` on emoji pictures.

    python scripts/train_pouf_lite_head.py --emoji ../shared/data/emoji

See scripts/README.md for what comes out.
"""

from __future__ import annotations

import copy
import math
import tempfile
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from pouf_lite_head.captions import build_captions
from pouf_lite_head.features import view_features
from pouf_lite_head.fitting import Fitting, Recipe, TrainingSet
from pouf_lite_head.held_out import HELD_OUT_STYLES, Scores, build_tasks, held_out_emoji, score
from pouf_lite_head.pictures import load_pictures
from pouf_lite_head.teacher import ImageNetTeacher
from safetensors.torch import save_file
from torch import nn

from pouf_core.families.cosine.pouf_lite_network import head_path, imagenet_classifier, untrained_pouf_lite

LOGIT_SCALES = (10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0)
MOST_BYTES = 3_000_000
CACHE = Path(tempfile.gettempdir()) / "pouf-lite-cache"
SHIPPED_HEAD = head_path()


def main(
    emoji: Annotated[Path, typer.Option(help="Directory of the emoji npz files and table.tsv.")],
    output: Annotated[Path, typer.Option(help="The safetensors file to write.")] = SHIPPED_HEAD,
    cache: Annotated[Path, typer.Option(help="Where features are kept between runs.")] = CACHE,
    views: Annotated[int, typer.Option(help="The pictures as they are, plus rounds of augmented ones.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
    evaluate: Annotated[bool, typer.Option(help="First measure the recipe on emoji held out of training.")] = True,
    held_out_head: Annotated[
        Path | None, typer.Option(help="Also save here the head that was fitted without the held-out emoji and styles.")
    ] = None,
) -> None:
    """Train the head on all pictures and save it, after measuring the same recipe on held-out ones."""
    if held_out_head and not evaluate:
        raise typer.BadParameter("--held-out-head saves a head that is fitted for the evaluation only.")
    started = time.monotonic()
    torch.set_num_threads(threads)
    torch.manual_seed(seed)  # the head's random start
    network, classifier, pictures = untrained_pouf_lite(), imagenet_classifier(), load_pictures(emoji)
    features = torch.stack([view_features(pictures, classifier, view, cache, seed) for view in range(views)])
    recipe = Recipe()
    teacher = ImageNetTeacher(classifier.classifier, network)
    fitting = Fitting(build_captions(network, pictures.emoji), teacher, recipe, seed)
    data = TrainingSet(features, torch.from_numpy(pictures.emoji_of), torch.ones(len(pictures.images)))
    if evaluate:
        tasks = build_tasks(network, pictures.emoji)
        new_style = torch.tensor([style in HELD_OUT_STYLES for style in pictures.styles])[pictures.style_of]
        for whole_subgroups in (False, True):
            hidden = held_out_emoji(pictures.emoji, whole_subgroups)[data.emoji_of]
            head = fitting.fit(copy.deepcopy(network.visual.head), data.only(~hidden & ~new_style))
            shown = hidden & new_style
            scores = score(head, features[0][shown], data.emoji_of[shown], tasks, LOGIT_SCALES)
            report("subgroups" if whole_subgroups else "emoji", int(shown.sum()), scores)
            if held_out_head and not whole_subgroups:
                save_head(head, recipe.logit_scale, held_out_head)
    save_head(fitting.fit(network.visual.head, data), recipe.logit_scale, output)
    typer.echo(f"{output}: {output.stat().st_size:,} bytes, {time.monotonic() - started:.0f} s in all")


def report(hidden: str, pictures: int, scores: Scores) -> None:
    """Print what a head scored on pictures that it was not trained on."""
    typer.echo(f"Held-out {hidden} in held-out styles, {pictures} pictures: {scores.accuracy:.1%}")
    typer.echo("  " + ", ".join(f"{task} {accuracy:.1%}" for task, accuracy in scores.by_task.items()))
    typer.echo("  log likelihood by scale: " + ", ".join(f"{s:.0f}: {v:.3f}" for s, v in scores.likelihood.items()))


def save_head(head: nn.Module, scale: float, output: Path) -> None:
    """Write the head's tensors in float16, and the logarithm of the logit scale."""
    tensors = {name: tensor.half().contiguous() for name, tensor in head.state_dict().items()}
    tensors["logit_scale"] = torch.tensor(math.log(scale))
    output.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, output)
    output.chmod(0o644)  # safetensors writes files that only their owner may read
    if output.stat().st_size > MOST_BYTES:
        raise RuntimeError(f"{output} is larger than {MOST_BYTES:,} bytes.")


if __name__ == "__main__":
    typer.run(main)
