"""`pouf adapt` and `pouf predict`: the method without the service."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import pouf_core
from cli.errors import CommandError
from pouf_core.errors import PoufError
from pouf_core.memory import keep_freed_memory
from pouf_core.progress import Progress as Step

console = Console()


def adapt_folder(
    folder: Path,
    class_names: str,
    out: Path,
    base_model: str,
    prompt_template: str | None,
    method: dict[str, Any],
    seed: int,
    device: str,
    threads: int | None,
    deterministic: bool | None = None,
) -> None:
    """Adapt, with a progress bar, and say what came out.

    Raises:
        CommandError: the input or the settings are refused.
    """
    keep_freed_memory()
    names = [name.strip() for name in class_names.split(",")]
    try:
        with progress_bar(console) as bar:
            task = bar.add_task("starting", total=None)

            def show(step: Step) -> None:
                bar.update(
                    task, description=step.stage.replace("_", " "), completed=step.step, total=step.total_steps or None
                )

            result = pouf_core.adapt(
                folder,
                names,
                base_model=base_model,
                prompt_template=prompt_template,
                method=method,
                seed=seed,
                out=out,
                on_progress=show,
                device=device,
                threads=threads,
                deterministic=deterministic,
            )
    except PoufError as error:
        raise CommandError(f"{error} ({error.code})") from error
    except ValidationError as error:
        raise CommandError("\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())) from error
    for warning in result.warnings:
        console.print(f"[yellow]{warning['message']}[/] ({warning['code']})")
    console.print(f"Adapted in {result.seconds:.1f} s, step {result.selected_step}: {result.path}")


def predict_pictures(artifact: Path, pictures: list[Path], top_k: int, variant: str, device: str) -> None:
    """Print each picture's classes with their probabilities.

    Raises:
        CommandError: the artifact or a picture cannot be read.
    """
    try:
        predictor = pouf_core.load(artifact, device=device)
        predictions = predictor.predict(pictures, top_k=top_k, variant=variant)
    except PoufError as error:
        raise CommandError(f"{error} ({error.code})") from error
    for picture, prediction in zip(pictures, predictions, strict=True):
        shown = ", ".join(f"{label} {score:.3f}" for label, score in prediction.top_k)
        console.print(f"{picture}: {shown}", highlight=False, soft_wrap=True)


def progress_bar(target: Console) -> Progress:
    """The one look of every progress bar here."""
    return Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        console=target,
    )
