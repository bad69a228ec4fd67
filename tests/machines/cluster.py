"""The service on several machines: database, broker and storage, two APIs, two that train, one for the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from s3fs import S3FileSystem

from app.auth.key_text import new_key_text
from cli.broker import server_binary
from cli.data_directory import tail
from cli.services import api_command, celery_command
from tests.chaos.service import QUICK
from tests.machines.network import Machine, Network, network
from tests.postgres_server import find_initdb, postgres_server
from tests.s3_server import CREDENTIALS, s3_server
from tests.waiting import WAIT_SECONDS

PORT = 8000
BUCKET = "pouf"


class Cluster:
    """Every machine has a disk of its own. They share what has an address, and the pepper that keys are hashed with."""

    def __init__(self, folder: Path, shared: SharedParts) -> None:
        net = shared.net
        self._folder = folder
        self._bucket = make_bucket(shared.s3_url)
        self.key = new_key_text()
        self.apis = [net.add(f"api{number}") for number in (1, 2)]
        self.trainers = [net.add(f"train{number}") for number in (1, 2)]
        self.rest = net.add("rest")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("POUF_")}
        self._shared = {
            **inherited,
            **QUICK,
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": shared.s3_url,
            "POUF_STORAGE_URL": f"s3://{BUCKET}/storage",
            "POUF_DATABASE_URL": shared.database_url,
            "POUF_REDIS_URL": shared.redis_url,
            "POUF_KEY_PEPPER_FILE": str(folder / "key-pepper"),
            "POUF_BASE_MODELS": "pouf-lite",
            "POUF_STORAGE_TIMEOUT": "3",
        }

    def url(self, api: Machine) -> str:
        return f"http://{api.address}:{PORT}"

    def migrate(self) -> None:
        done = self._start(self.rest, [sys.executable, "-m", "cli.main", "migrate"]).wait(WAIT_SECONDS)
        assert done == 0, self.log(self.rest)

    def start_apis(self) -> None:
        for api in self.apis:
            self._start(api, api_command("0.0.0.0", PORT), POUF_HOST="0.0.0.0", POUF_BOOTSTRAP_KEY=self.key)

    def make_key(self, *options: str) -> str:
        """The text of a new API key; `options` as for `pouf keys create`."""
        command = [sys.executable, "-m", "cli.main", "keys", "create", *options]
        done = subprocess.run(
            self.rest.command(command), env=self._environment(self.rest), capture_output=True, text=True, check=True
        )
        return done.stdout.split()[0]

    def start_rest(self) -> None:
        self._start(self.rest, celery_command("ingest", "ingest"))
        self._start(self.rest, [sys.executable, "-m", "worker.reaper"])

    def start_training(self, machine: Machine) -> None:
        self._start(machine, celery_command(machine.namespace, "train"))

    def has_checkpoint(self, job_id: str) -> bool:
        """Whether the storage has a checkpoint of the job."""
        return bool(self._bucket.glob(f"{BUCKET}/storage/checkpoints/{job_id}/*/step-*.pt"))

    def log(self, machine: Machine) -> str:
        return tail(self._log(machine), 60)

    def _log(self, machine: Machine) -> Path:
        return self._folder / f"{machine.namespace}.log"

    def _start(self, machine: Machine, command: list[str] | tuple[str, ...], **more: str) -> subprocess.Popen[bytes]:
        return machine.start(command, self._environment(machine) | more, self._log(machine))

    def _environment(self, machine: Machine) -> dict[str, str]:
        disk = self._folder / machine.namespace
        disk.mkdir(exist_ok=True)
        return {**self._shared, "POUF_DATA_DIR": str(disk)}


@dataclass(frozen=True)
class SharedParts:
    """What all machines of a service reach, each on a machine of its own: the network, and three addresses."""

    net: Network
    database_url: str
    redis_url: str
    s3_url: str


@contextmanager
def shared_parts(folder: Path) -> Iterator[SharedParts]:
    """An empty database, a broker and an object storage, which run until the block ends."""
    initdb = find_initdb()
    assert initdb is not None
    with ExitStack() as stack:
        net = stack.enter_context(network())
        database, broker, storage = (net.add(name) for name in ("database", "broker", "storage"))
        database_url = stack.enter_context(postgres_server(initdb, database.address, database.command([])))
        options = ["--bind", broker.address, "--port", "6379", "--protected-mode", "no", "--dir", str(folder)]
        broker.start([server_binary(), *options, "--save", ""], dict(os.environ), folder / "broker.log")
        s3_url = stack.enter_context(s3_server(9000, storage.address, storage.command([])))
        yield SharedParts(net, database_url, f"redis://{broker.address}:6379/0", s3_url)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """All but the service's own processes runs, and the database has its tables."""
    with shared_parts(folder) as shared:
        made = Cluster(folder, shared)
        made.migrate()
        yield made


def make_bucket(s3_url: str) -> S3FileSystem:
    """Make the bucket of the service in an empty storage."""
    key, secret = (CREDENTIALS[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    files = S3FileSystem(key, secret=secret, endpoint_url=s3_url, use_listings_cache=False)
    files.mkdir(BUCKET)
    return files
