"""Predictions a second over HTTP, beside bare loops over the same model, and beside LitServe, in turns.

    python benchmarks/serving.py --json benchmarks/results/serving.json

The service is `pouf up` with its default settings; a client is a thread that asks again as soon as it is answered.
LitServe is measured where it is installed: `pip install --target DIRECTORY litserve`, and `--litserve DIRECTORY`.
Processor time is that of the server with the processes that it started, which other work on the machine changes least.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from clipart import CLIPART, environment, load_pictures
from rich.console import Console
from rich.table import Table
from serving_loop import KINDS, batches

import pouf_core
from cli.temporary_service import RunningService, temporary_service
from pouf_client import Client

HERE = Path(__file__).parent
FASTEST = "openvino, decoding in parallel"
BOUNDARY = "a-boundary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
CLIENTS = (1, 8, 32)
Contender = Callable[[float], dict[str, Any]]


def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each time.")] = 6,
    litserve: Annotated[Path | None, typer.Option(help="Directory that LitServe was installed into.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure all in turns and print a table."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        contenders = dict(prepare(stack, Path(folder), litserve))
        turns = [take_turns(contenders, seconds) for _ in range(rounds)]
    rows = [summary(name, turns) for name in contenders]
    print_table(rows)
    if json_file:
        figures = {**environment(), "rounds": rounds, "seconds": seconds, "rows": rows, "loops": KINDS}
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


def take_turns(contenders: dict[str, Contender], seconds: float) -> dict[str, dict[str, Any]]:
    """Each once."""
    figures = {}
    for name, run in contenders.items():
        figures[name] = run(seconds)
        print(f"{name}: {figures[name]['per_second']:.0f}/s", file=sys.stderr, flush=True)
    return figures


def prepare(stack: ExitStack, folder: Path, litserve: Path | None) -> Iterator[tuple[str, Contender]]:
    """Everything that is measured, warmed up, by name; it runs until the stack is closed."""
    paths, truth = load_pictures(CLIPART)
    artifact = pouf_core.adapt(paths[:64], sorted(set(truth)), method={"type": "zero-shot"}, out=folder / "model").path
    for kind in KINDS:
        yield f"loop: {kind}", stack.enter_context(loop(artifact, kind))
    service = stack.enter_context(temporary_service(folder / "data"))
    api = api_process(service)
    target = f"/v1/models/{published(service.url, paths, sorted(set(truth)))}/predict"
    pictures = [path.read_bytes() for path in paths]
    many = [form(batch) for batch in batches(pictures)]
    single = [form([picture]) for picture in pictures]
    wait_for_engine(service.url, target, many)
    for clients in (1, 2):
        yield f"/predict, 32 pictures, {clients} clients", asking(service.url, [target], many, clients, 32, api)
    for clients in CLIENTS:
        yield f"/predict, 1 picture, {clients} clients", asking(service.url, [target], single, clients, 1, api)
    if litserve is not None:
        url, server = stack.enter_context(litserve_server(artifact, litserve))
        asking(url, ["/predict"], single, 8, 1)(5)  # its worker loads and compiles at the first request
        for clients in CLIENTS:
            yield f"LitServe, 1 picture, {clients} clients", asking(url, ["/predict"], single, clients, 1, server)


@contextmanager
def loop(artifact: Path, kind: str) -> Iterator[Contender]:
    """A loop of `serving_loop.py` in a process of its own, which sleeps between its turns."""
    command = [sys.executable, str(HERE / "serving_loop.py"), str(artifact), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout
        while answers.readline().strip() != "ready":
            if process.poll() is not None:
                raise RuntimeError(f"The loop {kind!r} ended.")

        def run(seconds: float) -> dict[str, Any]:
            print(seconds, file=asked, flush=True)
            measured: dict[str, Any] = json.loads(answers.readline())
            return measured

        try:
            yield run
        finally:
            asked.close()


@contextmanager
def litserve_server(artifact: Path, directory: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The URL of a LitServe server, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join(part for part in (str(directory), os.environ.get("PYTHONPATH")) if part)
    command = [sys.executable, str(HERE / "servers" / "litserve_server.py"), str(artifact), str(port)]
    variables = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=variables, start_new_session=True) as process:
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
            yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # its workers outlive it otherwise


def published(url: str, paths: Sequence[Path], class_names: list[str]) -> str:
    """The id of a model on the service."""
    with Client(url) as client:
        dataset = client.datasets.create(list(paths[:64]), wait=True)
        job = client.jobs.wait(client.jobs.create(dataset.id, class_names, method={"type": "zero-shot"}).id)
        assert job.model_id is not None
        return job.model_id


def wait_for_engine(url: str, target: str, bodies: Sequence[bytes]) -> None:
    """Ask until the base model is converted, and compared with PyTorch."""
    deadline = time.monotonic() + 120
    with Client(url) as client:
        while time.monotonic() < deadline:
            asking(url, [target], bodies, 1, 32)(0.5)
            listed = {item.name: item.raw for item in client.base_models()}
            if (listed["pouf-lite"].get("engine") or {}).get("agreement"):
                return
    raise TimeoutError("the service has not converted its base model")


def form(pictures: Sequence[bytes]) -> bytes:
    """The body of a request with these pictures."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'.encode()
    return b"".join(head + picture + b"\r\n" for picture in pictures) + f"--{BOUNDARY}--\r\n".encode()


def api_process(service: RunningService) -> psutil.Process:
    """The process that serves."""
    for process in psutil.Process(service.pid).children(recursive=True):
        if any("app.main:app" in part for part in process.cmdline()):
            return process
    raise RuntimeError("the service has no API process")


def processor_seconds(process: psutil.Process) -> float:
    """What a process, and those that it started and that still run, have computed."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def asking(
    url: str,
    targets: Sequence[str],
    bodies: Sequence[bytes],
    clients: int,
    pictures: int,
    server: psutil.Process | None = None,
) -> Contender:
    """Clients that ask at once, each again as soon as it is answered, for one target after the other.

    With the server's process, its processor time for a picture is measured, too.
    """
    host = url.removeprefix("http://")

    def run(seconds: float) -> dict[str, Any]:
        times: list[float] = []
        until = time.perf_counter() + seconds

        def ask(number: int) -> None:
            connection = http.client.HTTPConnection(host, timeout=120)
            while (started := time.perf_counter()) < until:
                connection.request("POST", targets[number % len(targets)], bodies[number % len(bodies)], FORM)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status} {content[:200]!r}")
                times.append(time.perf_counter() - started)
                number += clients

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
        used = processor_seconds(server) if server else 0.0
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done, seconds_taken = pictures * len(times), time.perf_counter() - started
        figures = {"per_second": done / seconds_taken, "p50_ms": 1000 * statistics.median(times)}
        if server:
            figures["processor_ms"] = 1000 * (processor_seconds(server) - used) / done
        return figures

    return run


def summary(name: str, turns: Sequence[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Medians over the turns; the ratio to the fastest loop is taken within each turn."""
    figures = {key: statistics.median(turn[name][key] for turn in turns) for key in turns[0][name]}
    fastest, first = f"loop: {FASTEST}", f"loop: {next(iter(KINDS))}"
    ratios = {
        "of_fastest_loop": [turn[name]["per_second"] / turn[fastest]["per_second"] for turn in turns],
        "of_first_loop": [turn[name]["per_second"] / turn[first]["per_second"] for turn in turns],
    }
    each = [turn[name]["per_second"] for turn in turns]
    medians = {key: statistics.median(values) for key, values in ratios.items()}
    return {"name": name, **figures, **medians, "per_second_each": each}


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """The rows, for people."""
    table = Table("", "pictures/s", "of the fastest loop", "of the first loop", "p50 ms", "processor ms")
    for row in rows:
        numbers = [f"{row['per_second']:.0f}", f"{row['of_fastest_loop']:.2f}", f"{row['of_first_loop']:.2f}"]
        rest = [f"{row[key]:.1f}" if key in row else "" for key in ("p50_ms", "processor_ms")]
        table.add_row(row["name"], *numbers, *rest)
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
