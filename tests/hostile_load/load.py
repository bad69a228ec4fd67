"""The load: attackers of every kind at once, beside honest callers and a look at the process's memory."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from app.http.freed_memory import QUIET_SECONDS
from app.keys import service as keys
from cli.temporary_service import temporary_service
from pouf_client import Client
from store.database import Database
from store.settings import Settings
from tests.hostile_load.attackers import Statuses, attack
from tests.hostile_load.attacks import Target, picture
from tests.hostile_load.observer import Seen, observe, predict
from tests.waiting import processes_with

MIB = 1024**2
#: Budgets small enough that the load exceeds them.
BUDGETS = {
    "POUF_REQUEST_MEMORY_BYTES": 256 * MIB,
    "POUF_PREDICT_PIXELS": 200_000_000,
    "POUF_PREDICT_QUEUE_BYTES": 64 * MIB,
    "POUF_MAX_PIXELS": 10_000_000,
    "POUF_PREDICT_DECODERS": 2,
}
ENVIRONMENT = {**BUDGETS, "POUF_KEY_REQUESTS_PER_MINUTE": 100_000, "POUF_KEY_DATABASE_BYTES": 50 * MIB}
#: Of a picture while it is decoded and resized: three as they come from the decoder, and four as Pillow keeps them.
BYTES_PER_DECODED_PIXEL = 7
SLACK = 1.25
ALLOWED_FAULTS = frozenset({503, 507})
MOST_LIVE_SECONDS = 0.5
#: After the load, before the last look at the memory: what requests held is given back by then.
REST_SECONDS = 4 * QUIET_SECONDS


@dataclass
class Figures:
    """What was seen."""

    statuses: Statuses = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    idle_bytes: int = 0
    peak_bytes: int = 0
    last_bytes: int = 0
    rested_bytes: int = 0

    @property
    def allowed_bytes(self) -> int:
        """What the process may take at its peak."""
        decoding = BUDGETS["POUF_PREDICT_DECODERS"] * BUDGETS["POUF_MAX_PIXELS"] * BYTES_PER_DECODED_PIXEL
        budgets = BUDGETS["POUF_REQUEST_MEMORY_BYTES"] + BUDGETS["POUF_PREDICT_QUEUE_BYTES"] + decoding
        return int(SLACK * (self.idle_bytes + budgets))

    def failures(self, most_live_seconds: float) -> list[str]:
        """What should not have happened."""
        found = []
        if self.peak_bytes > self.allowed_bytes:
            found.append(f"memory {self.peak_bytes / MIB:.0f} MiB of {self.allowed_bytes / MIB:.0f} allowed")
        if (slow := percentile(self.seen.live, 0.99)) > most_live_seconds:
            found.append(f"/health/live p99 {1000 * slow:.0f} ms")
        for name, counts in self.statuses.items():
            bad = {status: n for status, n in counts.items() if isinstance(status, int) and status >= 500}
            if set(bad) - ALLOWED_FAULTS:
                found.append(f"{name}: {bad}")
        if len(self.seen.honest) <= sum(self.seen.refused.values()):
            found.append(f"honest callers: {len(self.seen.honest)} served, refused {dict(self.seen.refused)}")
        return found

    def summary(self) -> dict[str, Any]:
        """The figures, for a file."""
        return {
            "idle_mib": round(self.idle_bytes / MIB),
            "peak_mib": round(self.peak_bytes / MIB),
            "allowed_mib": round(self.allowed_bytes / MIB),
            "last_mib": round(self.last_bytes / MIB),
            "rested_mib": round(self.rested_bytes / MIB),
            "live_p50_ms": round(1000 * percentile(self.seen.live, 0.5), 1),
            "live_p99_ms": round(1000 * percentile(self.seen.live, 0.99), 1),
            "honest_served": len(self.seen.honest),
            "honest_p50_ms": round(1000 * percentile(self.seen.honest, 0.5), 1),
            "honest_refused": {str(status): n for status, n in self.seen.refused.items()},
            "statuses": {name: {str(s): n for s, n in sorted(c.items(), key=str)} for name, c in self.statuses.items()},
        }


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed; 0 without any."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else 0.0


def run(seconds: float, seed: int, folder: Path) -> Figures:
    """Start a service, hurt it for a while, and return what was seen."""
    figures = Figures()
    with service(folder) as (url, pid, targets), ProcessPoolExecutor(2, get_context("spawn")) as apart:
        process = psutil.Process(pid)
        honest = targets.pop("honest")
        predict(url, honest.key, honest.model_id)
        figures.idle_bytes = process.memory_info().rss
        attackers = apart.submit(attack, [*targets.values()], seconds, seed)
        observer = apart.submit(observe, url, honest.key, honest.model_id, seconds)
        while not (attackers.done() and observer.done()):
            figures.peak_bytes = max(figures.peak_bytes, process.memory_info().rss)
            time.sleep(0.05)
        figures.statuses, figures.seen = attackers.result(), observer.result()
        predict(url, honest.key, honest.model_id)
        figures.last_bytes = process.memory_info().rss
        time.sleep(REST_SECONDS)
        figures.rested_bytes = process.memory_info().rss
    return figures


@contextmanager
def service(folder: Path) -> Iterator[tuple[str, int, dict[str, Target]]]:
    """A service with an honest owner and two attackers: its URL, the API's process and where each stands."""
    with own_environment(), temporary_service(folder / "data") as running:
        settings = Settings(data_dir=folder / "data")
        database = Database(settings.database_url)
        targets = {}
        for owner in ("honest", "attacker0", "attacker1"):
            key = keys.create(settings, database, keys.NewKey(owner, owner, ["admin"]))[1]
            with Client(running.url, api_key=key) as client:
                pictures = folder / owner
                pictures.mkdir()
                for number in range(4):
                    (pictures / f"{number}.png").write_bytes(picture((20 + number, 20), "RGB"))
                dataset = client.datasets.create(sorted(pictures.iterdir()), wait=True)
                job = client.jobs.wait(
                    client.jobs.create(dataset.id, ["dark", "bright"], method={"type": "zero-shot"}).id
                )
                assert job.model_id is not None
            targets[owner] = Target(running.url, key, job.model_id, dataset.id)
        database.dispose()
        yield running.url, api_process(running.pid).pid, targets


@contextmanager
def own_environment() -> Iterator[None]:
    """The service's settings, in the environment that it inherits."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in ENVIRONMENT.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def api_process(supervisor: int) -> psutil.Process:
    """The process that answers HTTP."""
    [process] = processes_with("app.main:app", supervisor)
    return process
