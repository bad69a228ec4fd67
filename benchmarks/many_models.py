"""Requests spread evenly over a thousand adapted models of one base model, of ten thousand, beside requests for one.

    python benchmarks/many_models.py --json benchmarks/results/many-models.json

One model is adapted by a job of the service; the others are variants of it, with prototypes of their own, that are put
into the service's storage and database. The service is `pouf up` with its default settings. How it starts over all of
them is measured in turns with how it starts over the first alone; a start ends with the first answer of a model.
"""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from clipart import CLIPART, environment, load_pictures
from rich.console import Console
from rich.table import Table
from serving import FORM, api_process, asking, form, processor_seconds, wait_for_engine
from sqlalchemy import func, select

from cli.temporary_service import RunningService, temporary_service
from pouf_client import Client
from pouf_core.artifact import Artifact, load_artifact, save_artifact
from store.database import Database
from store.ids import new_id
from store.settings import Settings
from store.storage import Storage
from store.storage_keys import model_key
from store.tables import AdaptedModel, Dataset, Job
from store.tables.base import Base

NOISE = 0.01
CLIENTS = 8
AT_ONCE = 500  # rows in a transaction
NEVER_LOADED = 50  # models that are asked once after a start


def main(
    models: Annotated[int, typer.Option(min=2, help="How many are asked, evenly.")] = 1000,
    registered: Annotated[int, typer.Option(min=2, help="How many there are in all.")] = 10_000,
    starts: Annotated[int, typer.Option(min=1, help="How often the service is started over each.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each time.")] = 6,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Adapt, register, start again and measure."""
    with tempfile.TemporaryDirectory() as folder:
        data, alone = Path(folder) / "data", Path(folder) / "alone"
        paths, truth = load_pictures(CLIPART)
        with temporary_service(data) as service:
            first = adapted(service.url, paths, sorted(set(truth)))
        shutil.copytree(data, alone)
        settings = Settings(data_dir=data)
        ids = register(settings, first, registered)
        pictures = [path.read_bytes() for path in paths]
        started = start_in_turns({"one model": (alone, [first]), "all": (data, ids)}, form(pictures[:1]), starts)
        with temporary_service(data) as service:
            figures = measure(service, first, [first, *ids[: models - 1]], pictures, rounds, seconds)
        figures = {"models": models, "registered": count(settings), "started": started, **figures}
    print_table(figures)
    if json_file:
        json_file.write_text(json.dumps({**environment(), **figures}, indent=2) + "\n")


def adapted(url: str, paths: Sequence[Path], class_names: list[str]) -> str:
    """The id of a prompt-tuned model."""
    with Client(url) as client:
        dataset = client.datasets.create(list(paths[:64]), wait=True)
        job = client.jobs.create(dataset.id, class_names, method={"tune": "prompt", "max_steps": 60})
        model_id = client.jobs.wait(job.id).model_id
        assert model_id is not None
        return model_id


def register(settings: Settings, model_id: str, registered: int) -> list[str]:
    """Ids of variants of a model.

    Args:
        settings: of a service that does not run.
        model_id: the model that they are like.
        registered: how many there are in all, with the first.
    """
    database, storage = Database(settings.database_url), Storage(settings.storage_url, settings.cache_dir)
    artifact = load_artifact(storage.local_directory(model_key(model_id)))
    random = torch.Generator().manual_seed(0)
    ids = [new_id("mdl") for _ in range(registered - 1)]
    for number, one in enumerate(ids):
        save_artifact(storage.local_directory(model_key(model_id)).with_name(one), variant(artifact, random))
        print(f"\r{number + 2} of {registered} models", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for start in range(0, len(ids), AT_ONCE):
        with database.write() as session:
            model = session.get_one(AdaptedModel, model_id)
            job = session.get_one(Job, model.job_id)
            dataset = session.get_one(Dataset, job.dataset_id)
            for one in ids[start : start + AT_ONCE]:
                session.add(like(job, id=(job_id := new_id("job")), model_id=one, dataset_id=dataset.id))
                session.flush()
                session.add(like(model, id=one, job_id=job_id, storage_key=model_key(one)))
    database.dispose()
    return ids


def variant(artifact: Artifact, random: torch.Generator) -> Artifact:
    """The same with prototypes of its own."""
    tensors = {
        name: torch.nn.functional.normalize(tensor + NOISE * torch.randn(tensor.shape, generator=random), dim=-1)
        if name.startswith("prototypes.")
        else tensor
        for name, tensor in artifact.tensors.items()
    }
    return replace(artifact, tensors=tensors)


def like(row: Base, **values: Any) -> Base:
    """A row with the same values but for some."""
    kept = {column.key: getattr(row, column.key) for column in type(row).__mapper__.column_attrs}
    return type(row)(**kept | values)


def count(settings: Settings) -> int:
    """How many models the database holds."""
    database = Database(settings.database_url)
    with database.read() as session:
        found = session.scalar(select(func.count()).select_from(AdaptedModel))
    database.dispose()
    return int(found or 0)


def start_in_turns(
    places: dict[str, tuple[Path, Sequence[str]]], body: bytes, turns: int
) -> dict[str, dict[str, list[float]]]:
    """What `starting` gives of each place, each turn."""
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in places}
    for turn in range(turns):
        for name, (data, ids) in places.items():
            found = starting(data, ids[-NEVER_LOADED:], body)
            print(f"{name}, start {turn + 1}: {found}", file=sys.stderr, flush=True)
            for figure, value in found.items():
                figures[name].setdefault(figure, []).append(value)
    return figures


def starting(data: Path, ids: Sequence[str], body: bytes) -> dict[str, float]:
    """How a service over a data directory starts.

    Args:
        data: the directory.
        ids: models that are asked one after the other, each for the first time.
        body: of a request for a prediction.

    Returns:
        Seconds until it is ready, and of processor time that its API took until then; milliseconds of the first page of
        20 models and of 100, of the first request for a model, and of those for the others, the median; resident MiB.
    """
    with temporary_service(data) as service:
        mib, processor = api_mib(service), processor_seconds(api_process(service))
        connection = http.client.HTTPConnection(service.url.removeprefix("http://"), timeout=120)
        pages = [timed(connection, "GET", f"/v1/models?limit={limit}") for limit in (20, 100)]
        asked = [timed(connection, "POST", f"/v1/models/{one}/predict", body) for one in ids]
        return {
            "ready_s": service.seconds_to_ready,
            "processor_s": processor,
            "page_of_20_ms": pages[0],
            "page_of_100_ms": pages[1],
            "first_answer_ms": asked[0],
            "never_loaded_ms": statistics.median(asked[1:] or asked),
            "api_mib": mib,
        }


def timed(connection: http.client.HTTPConnection, method: str, target: str, body: bytes | None = None) -> float:
    """Milliseconds of a request."""
    started = time.perf_counter()
    connection.request(method, target, body, FORM if body else {})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{target}: {answer.status} {content[:200]!r}")
    return 1000 * (time.perf_counter() - started)


def measure(
    service: RunningService, first: str, ids: Sequence[str], pictures: Sequence[bytes], rounds: int, seconds: float
) -> dict[str, Any]:
    """Pictures a second and memory, for one model and for all in turns, after each was asked once."""
    bodies = [form([picture]) for picture in pictures]
    targets = {"one model": [f"/v1/models/{first}/predict"], "all": [f"/v1/models/{one}/predict" for one in ids]}
    wait_for_engine(service.url, targets["one model"][0], [form(list(pictures[:32]))])
    runs = {name: asking(service.url, target, bodies, CLIENTS, 1) for name, target in targets.items()}
    runs["one model"](seconds)
    memory = [api_mib(service)]
    loading = load_all(service.url, targets["all"], bodies[0])
    memory.append(api_mib(service))
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            turns[name].append(run(seconds))
            print(f"{name}: {turns[name][-1]['per_second']:.0f}/s", file=sys.stderr, flush=True)
    memory.append(api_mib(service))
    each = {name: [turn["per_second"] for turn in of] for name, of in turns.items()}
    return {
        "clients": CLIENTS,
        "loading_ms": loading,
        "api_mib": dict(zip(("one model", "all loaded", "at the end"), memory, strict=True)),
        "more_mib": memory[-1] - memory[0],
        "per_second": each,
        "p50_ms": {name: statistics.median(turn["p50_ms"] for turn in of) for name, of in turns.items()},
        "of_one_model": statistics.median(a / b for a, b in zip(each["all"], each["one model"], strict=True)),
    }


def load_all(url: str, targets: Sequence[str], body: bytes) -> dict[str, float]:
    """Milliseconds of the first and of the second request for each model, the median."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=120)
    first, second = (statistics.median(timed(connection, "POST", target, body) for target in targets) for _ in range(2))
    return {"first_request": first, "second_request": second}


def api_mib(service: RunningService) -> float:
    """Resident memory of the process that serves."""
    return float(api_process(service).memory_info().rss / 2**20)


def print_table(figures: dict[str, Any]) -> None:
    """The figures, for people."""
    table = Table("", "one model", f"{figures['models']:,} models")
    table.add_row(
        "pictures/s", *(f"{statistics.median(figures['per_second'][name]):.0f}" for name in ("one model", "all"))
    )
    table.add_row("p50 ms", *(f"{figures['p50_ms'][name]:.1f}" for name in ("one model", "all")))
    table.add_row("API MiB", f"{figures['api_mib']['one model']:.0f}", f"{figures['api_mib']['at the end']:.0f}")
    Console().print(table)
    table = Table("started over", "one model", f"{figures['registered']:,} models")
    for figure in figures["started"]["all"]:
        each = (statistics.median(figures["started"][name][figure]) for name in ("one model", "all"))
        table.add_row(figure, *(f"{value:.1f}" for value in each))
    Console().print(table)
    print(
        f"Spread over all: {figures['of_one_model']:.2f} of one model's throughput, {figures['more_mib']:.0f} MiB more."
    )


if __name__ == "__main__":
    typer.run(main)
