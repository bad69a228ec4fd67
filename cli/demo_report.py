"""What the demo shows: a bar, a table, predictions, and the same as curl lines."""

import json
import os
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.wording import gain_in_words
from pouf_client import Dataset, Job, Predictions

KEY_HEADER = '"Authorization: Bearer $POUF_API_KEY"'


def job_bar(console: Console) -> Progress:
    """A bar whose tasks have a `stage` field."""
    return Progress(
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[stage]}"),
        console=console,
    )


def print_results(console: Console, jobs: dict[str, Job], title: str = "Accuracy on the labelled pictures") -> None:
    """Zero-shot and each job's accuracy with its 95 % interval, its verdict with reasons, and how long it ran.

    Args:
        console: where to print.
        jobs: finished, by what they are called.
        title: of the table.
    """
    table = Table("model", "accuracy", "95 % interval", "verdict", "seconds", title=title)
    for name, job in jobs.items():
        evaluation = job.evaluation
        if evaluation is None:
            continue
        if not table.rows:
            table.add_row(
                "zero-shot", *_accuracy(evaluation.zero_shot_accuracy, evaluation.zero_shot_interval), "–", "–"
            )
        cells = _accuracy(evaluation.adapted_accuracy, evaluation.adapted_interval)
        table.add_row(name, *cells, job.verdict or "–", f"{seconds(job):.0f}")
    console.print(table)
    for name, job in jobs.items():
        for reason in job.verdict_reasons:
            console.print(f"Verdict ({name}, {job.verdict}): {escape(reason.message)}", soft_wrap=True)
        if (gain := job.estimated_gain) is not None:
            said = gain_in_words(gain.points, gain.low, gain.high)
            console.print(f"Estimated gain over zero-shot ({name}): {said}", soft_wrap=True, highlight=False)
        if job.fallback:
            console.print(f"The model of {name} is served by its zero-shot variant by default", soft_wrap=True)
        for warning in job.warnings:
            console.print(f"Note ({name}): {escape(warning['message'])}", soft_wrap=True)


def _accuracy(value: float, interval: tuple[float, float]) -> tuple[str, str]:
    return f"{value:.1%}", f"{interval[0]:.1%} – {interval[1]:.1%}"


def seconds(job: Job) -> float:
    """How long a finished job ran."""
    started, finished = (datetime.fromisoformat(job.raw[name]) for name in ("started_at", "finished_at"))
    return (finished - started).total_seconds()


def print_predictions(console: Console, pictures: list[Path], answer: Predictions, labels: dict[str, str]) -> None:
    """Three labels with scores for each picture, beside the label that training never saw."""
    table = Table("picture", "true label", "predicted, with probability", title=f"/predict ({answer.served_variant})")
    for picture, prediction in zip(pictures, answer.items, strict=True):
        shown = ", ".join(f"{label} {score:.2f}" for label, score in prediction.top_k)
        table.add_row(picture.name, labels.get(picture.name, "–"), shown)
    console.print(table)


def curl_lines(url: str, class_names: list[str], dataset: Dataset, jobs: dict[str, Job], picture: Path) -> list[str]:
    """Commands that do what the demo did, with its ids."""
    body = {"dataset_id": dataset.id, "class_names": class_names, "quality": "best"}
    job = jobs["best"]
    curl = f"curl -H {KEY_HEADER}" if os.environ.get("POUF_API_KEY") else "curl"
    return [
        f"tar czf clipart.tgz -C {picture.parent} . -C {picture.parent.parent.resolve()} labels.csv",
        f"{curl} -F files=@clipart.tgz -F name=clipart -H 'Prefer: wait=30' {url}/v1/datasets",
        f"{curl} -H 'Content-Type: application/json' -d '{json.dumps(body)}' {url}/v1/jobs",
        f"{curl} -N -H 'Accept: text/event-stream' {url}/v1/jobs/{job.id}/events",
        f"{curl} -F image=@{picture} -F top_k=3 {url}/v1/models/{job.model_id}/predict",
        f"{curl} -o model.zip {url}/v1/models/{job.model_id}/artifact",
    ]
