import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from cli.processes import marked_processes
from cli.temporary_service import temporary_service
from pouf_client import Client, Dataset
from tests.waiting import WAIT_SECONDS

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "clipart"
CLASSES = ["boat", "computer", "smiley face"]
PICTURES_A_CLASS = 8


@dataclass(frozen=True)
class ClipArt:
    """A few of the example's pictures with their labels."""

    folder: Path
    labels: dict[str, str]

    def upload(self, client: Client, name: str, *, labels: dict[str, str] | None = None) -> Dataset:
        """The pictures as a dataset, with these evaluation labels (default: the true ones)."""
        with (self.folder / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("file", "label"), *(labels or self.labels).items()])
        return client.datasets.create(self.folder, name=name, wait=True)


@pytest.fixture(scope="session")
def clipart(tmp_path_factory) -> ClipArt:
    folder = tmp_path_factory.mktemp("clipart")
    labels: dict[str, str] = {}
    with (EXAMPLE / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in CLASSES:
        for row in [row for row in rows if row["label"] == name][:PICTURES_A_CLASS]:
            (folder / row["file"]).write_bytes((EXAMPLE / "images" / row["file"]).read_bytes())
            labels[row["file"]] = name
    return ClipArt(folder, labels)


@pytest.fixture(autouse=True, scope="session")
def small_and_quick():
    """Services started here use one thread, and write a checkpoint every second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POUF_THREADS", "1")
        patch.setenv("POUF_CHECKPOINT_INTERVAL_SECONDS", "1")
        patch.setenv("POUF_DEVICE", "cpu")
        yield


@pytest.fixture(scope="session")
def service(tmp_path_factory, small_and_quick):
    """`pouf up` with its real worker and real broker, which leaves no process behind."""
    data_dir = tmp_path_factory.mktemp("service")
    with temporary_service(data_dir) as running:
        supervisor = psutil.Process(running.pid)
        running_parts = [supervisor, *supervisor.children(recursive=True)]
        yield running
    _, left = psutil.wait_procs(running_parts, timeout=WAIT_SECONDS)
    assert [part for part in left if part.status() != psutil.STATUS_ZOMBIE] == []  # which nobody has reaped yet
    assert marked_processes(data_dir.resolve()) == []


@pytest.fixture(scope="session")
def client(service):
    """A client of that service."""
    with Client(service.url) as made:
        yield made


def digest(model: Path) -> str:
    return hashlib.sha256((model / "adapter.safetensors").read_bytes()).hexdigest()
