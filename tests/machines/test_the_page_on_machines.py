"""A reader who follows `docs/machines.md` step by step ends with a job on the second machine."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.pictures import copy_pictures
from tests.chaos.service import QUICK
from tests.docs.commands import ROOT, blocks_of, replaced
from tests.machines.cluster import SharedParts, make_bucket, shared_parts
from tests.machines.network import Machine, why_no_namespaces
from tests.postgres_server import find_initdb

PAGE = ROOT / "docs" / "machines.md"
CLASSES = ["boat", "computer", "smiley face"]
STEP_SECONDS = 240

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif((reason := why_no_namespaces()) is not None, reason=str(reason)),
    pytest.mark.skipif(find_initdb() is None, reason="PostgreSQL's server is not installed"),
]


class Reader:
    """Does what the page says, each step on the machine that it is for, in a folder of that machine's own."""

    def __init__(self, folder: Path, shared: SharedParts) -> None:
        self._folder = folder
        self._machines = {name: shared.net.add(name) for name in ("first", "second", "laptop")}
        self.places = {
            "postgresql://pouf:secret@10.0.0.5:5432/pouf": shared.database_url,
            "redis://10.0.0.5:6379/0": shared.redis_url,
            "http://10.0.0.5:9000": shared.s3_url,
            "10.0.0.10": self._machines["first"].address,
        }
        for name in self._machines:
            self.on(name).mkdir()

    def on(self, machine: str) -> Path:
        """The folder that the reader works in on that machine."""
        return self._folder / machine

    def follow(self, page: Path) -> None:
        for block in blocks_of(page):
            if block.mark == "on":
                for name in block.reason.split(", "):
                    self._run(name, self._machines[name], block.text)
                if (self.on("first") / "key.txt").exists():
                    self.places["pouf_…"] = (self.on("first") / "key.txt").read_text().strip()

    def _run(self, name: str, machine: Machine, text: str) -> None:
        places = {**self.places, "/var/lib/pouf": str(self.on(name) / "data")}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("POUF_", "AWS_"))}
        path = f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"
        log = self.on(name) / "reader.log"
        with log.open("ab") as output:
            done = subprocess.run(
                machine.command(["bash", "-euo", "pipefail", "-c", replaced(text, places)]),
                env={**inherited, **QUICK, "PATH": path, "PYTHONPATH": str(ROOT)},
                cwd=self.on(name),
                stdout=output,
                stderr=output,
                timeout=STEP_SECONDS,
                check=False,
            )
        assert done.returncode == 0, f"on {name}: {text}\n{log.read_text()[-4000:]}"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with shared_parts(tmp_path) as shared:
        make_bucket(shared.s3_url)
        yield Reader(tmp_path, shared)


def test_a_reader_of_the_page_ends_with_a_job_on_the_second_machine(reader: Reader) -> None:
    copy_pictures(reader.on("laptop") / "pictures", CLASSES, 8)
    reader.follow(PAGE)
    with (reader.on("laptop") / "labels.csv").open(newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    assert len(labels) == 8 * len(CLASSES)
    assert set(labels) <= set(CLASSES)
    assert "Task pouf.train" in (reader.on("second") / "train.log").read_text()
    assert len(list((reader.on("second") / "data" / "logs").glob("job_*.log"))) == 1
    assert "train@" in (reader.on("laptop") / "reader.log").read_text()
