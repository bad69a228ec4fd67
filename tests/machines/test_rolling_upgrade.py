"""A service replaced by a newer one part by part, its database migrated, while a job runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.addresses import LOOPBACK, free_port, why_not_ready
from cli.data_directory import tail
from cli.services import api_command, celery_command
from pouf_client import Client
from tests.chaos.pictures import copy_pictures
from tests.chaos.service import QUICK
from tests.chaos.workload import CLASSES, persistently
from tests.waiting import WAIT_SECONDS, wait_for

pytestmark = pytest.mark.slow

NEW = Path(__file__).parent.parent.parent
#: The first version that can be upgraded from without a stop.
OLD_COMMIT = "0650f4f"
#: Longer than the upgrade takes.
METHOD = {"tune": "prompt", "max_steps": 20_000, "batch_size": 8, "selection": "last"}


class Release:
    """The parts of one version of the service, as processes."""

    def __init__(self, code: Path, log: Path, shared: dict[str, str]) -> None:
        self.port = free_port(LOOPBACK)
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.log = log
        self._environment = {**shared, "PYTHONPATH": str(code)}
        self._parts: list[subprocess.Popen[bytes]] = []

    def migrate(self) -> None:
        assert self._run([sys.executable, "-m", "cli.main", "migrate"]).wait(WAIT_SECONDS) == 0, tail(self.log)

    def start(self) -> None:
        self._run(api_command(LOOPBACK, self.port))
        self._run(celery_command(f"train-{self.port}", "train"))
        self._run(celery_command(f"ingest-{self.port}", "ingest"))
        self._run([sys.executable, "-m", "worker.reaper"])
        wait_for(lambda: why_not_ready(self.url) is None, lambda: logs(self), seconds=2 * WAIT_SECONDS)

    def stop(self) -> None:
        """Ask every part to end, and wait until it has."""
        for part in self._parts:
            part.send_signal(signal.SIGTERM)
        for part in self._parts:
            part.wait(WAIT_SECONDS)

    def kill(self) -> None:
        for part in self._parts:
            if part.poll() is None:
                os.killpg(part.pid, signal.SIGKILL)
                part.wait()

    def _run(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            part = subprocess.Popen(
                command,
                env=self._environment,
                cwd=self.log.parent,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._parts.append(part)
        return part


@pytest.fixture
def old_code(tmp_path: Path) -> Path:
    code = tmp_path / "old"
    code.mkdir()
    packed = subprocess.run(["git", "-C", str(NEW), "archive", OLD_COMMIT], capture_output=True, check=False)
    if packed.returncode != 0:
        pytest.skip(f"{OLD_COMMIT} is not in this clone's history")
    subprocess.run(["tar", "-x", "-C", str(code)], input=packed.stdout, check=True)
    return code


@pytest.fixture
def releases(tmp_path: Path, old_code: Path, postgres_url: str, valkey_url: str) -> Iterator[tuple[Release, Release]]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POUF_")}
    shared = {
        **inherited,
        **QUICK,
        "POUF_DATA_DIR": str(tmp_path / "data"),
        "POUF_DATABASE_URL": postgres_url,
        "POUF_REDIS_URL": valkey_url,
        "POUF_BASE_MODELS": "pouf-lite",
    }
    made = Release(old_code, tmp_path / "old.log", shared), Release(NEW, tmp_path / "new.log", shared)
    yield made
    for release in made:
        release.kill()


def logs(*releases: Release) -> str:
    return "\n".join(tail(release.log, 40) for release in releases)


def test_an_upgrade_part_by_part_loses_neither_jobs_nor_requests(
    releases: tuple[Release, Release], tmp_path: Path
) -> None:
    old, new = releases
    pictures = copy_pictures(tmp_path / "pictures", CLASSES, 12)
    old.migrate()
    old.start()
    with Client(old.url) as before, Client(new.url) as after:
        dataset = before.datasets.create(pictures, wait=True)
        running = before.jobs.create(dataset.id, CLASSES, seed=1, method=METHOD)
        wait_for(lambda: before.jobs.get(running.id).step > 5, lambda: logs(old))

        new.migrate()
        migrated_at = datetime.now(UTC)
        second = before.datasets.create(sorted(pictures.iterdir())[:12], wait=True)
        waiting = before.jobs.create(second.id, CLASSES, seed=2)

        new.start()
        handed_over = after.jobs.get(running.id)
        assert handed_over.status in {"running", "queued"}  # the latter where its lease ran out on a slow machine
        old.stop()
        assert "Application shutdown complete" in old.log.read_text()

        def has_gone_on() -> bool:
            job = after.jobs.get(running.id)
            return job.attempt > handed_over.attempt and job.step > handed_over.step

        wait_for(has_gone_on, lambda: logs(old, new))
        steps = after.jobs.metrics(running.id)
        assert datetime.fromisoformat(steps[0]["created_at"]) < migrated_at, "it went on from a checkpoint"
        after.jobs.cancel(running.id)

        model_id = persistently(lambda: after.jobs.wait(waiting.id)).model_id
        assert after.predict(sorted(pictures.iterdir())[:1], str(model_id)).items[0].label in CLASSES
