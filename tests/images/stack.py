"""What docker-compose.yml starts from our images, started from built ones: commands, variables, users and all.

The servers beside them are this machine's. Ports are as in the file, so run it with `unshare --net`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from app.auth.key_text import new_key_text
from cli.data_directory import tail
from tests.images.buildah import Buildah
from tests.integration import compose
from tests.postgres_server import find_initdb, postgres_server
from tests.waiting import wait_for

USER = 10001
URL = "http://127.0.0.1:8000"
#: The services with a life of their own; `worker` needs a GPU.
SERVICES = ("api", "worker-cpu", "ingest", "notify", "reaper")
VARIABLES = {
    "POSTGRES_PASSWORD": "postgrespassword",
    "REDIS_PASSWORD": "redispassword",
    "POUF_BOOTSTRAP_KEY": new_key_text(),
}


class ImageStack:
    """Services of the compose file, each in a container of its own; they share a volume, and this process's network."""

    def __init__(self, buildah: Buildah, folder: Path, postgres_port: int) -> None:
        self._buildah, self._folder = buildah, folder
        self._file = compose.load(VARIABLES)
        self._addresses = compose.Translation(
            (("@postgres:5432", f"@127.0.0.1:{postgres_port}"), ("@redis:6379", "@127.0.0.1:6379"))
        )
        self.volume = folder / "data"
        self.volume.mkdir()
        shutil.chown(self.volume, USER, USER)
        self._containers: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a service by its own command."""
        service = self._service(name)
        self._processes[name] = self._run(name, self._addresses.command(service), f"{name}.log")

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run another command in a service's image, with the service's variables, to its end."""
        log = f"{name}-{Path(command[0]).name}.log"
        ended = self._run(name, command, log).wait(300)
        assert ended == 0, f"{' '.join(command)} ended with {ended}:\n{tail(self._folder / log, 30)}"

    def check(self, name: str) -> None:
        """Run a service's own check of its health."""
        self.run(name, ["sh", "-c", compose.interpolate(self._service(name)["healthcheck"]["test"][1], {})])

    def stop(self) -> None:
        """Stop every service as an engine does: SIGTERM to its first process, and time until it is gone."""
        for name in self._processes:
            self._first_process(name).terminate()
        for name, process in self._processes.items():
            seconds = int(self._service(name).get("stop_grace_period", "10s").removesuffix("s"))
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"{name} did not stop within {seconds} s:\n{self.log(name)}") from None

    def kill(self) -> None:
        """End what is still there, whatever state it is in."""
        for process in self._processes.values():
            if process.poll() is None:
                for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                    each.kill()
                process.wait()

    def log(self, name: str) -> str:
        """The last lines of what a service wrote."""
        return tail(self._folder / f"{name}.log", 30)

    def _service(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._file["services"][name]
        return found

    def _run(self, name: str, command: Sequence[str], log: str) -> subprocess.Popen[bytes]:
        service = self._service(name)
        if name not in self._containers:
            self._containers[name] = self._buildah("from", "--pull-never", service["image"])
            # Else it would get the image's own volume in the place of the shared one.
            self._buildah("config", "--volume=/data-", self._containers[name])
        options = [f"--volume={self.volume}:/data", f"--hostname={name}", "--cap-drop=all"]
        options += [f"--env={variable}={value}" for variable, value in self._addresses.environment(service).items()]
        line = self._buildah.command("run", *options, self._containers[name], "--", *command)
        with (self._folder / log).open("ab") as output:
            return subprocess.Popen(line, env=self._buildah.environment, stdout=output, stderr=output)

    def _first_process(self, name: str) -> psutil.Process:
        """A container's first process: the first that runs as the image's user."""
        for process in psutil.Process(self._processes[name].pid).children(recursive=True):
            if process.uids().real == USER:
                return process
        raise AssertionError(f"{name} is not running:\n{self.log(name)}")


@contextmanager
def image_stack(buildah: Buildah, folder: Path) -> Iterator[ImageStack]:
    """The services on an empty, migrated database, with the servers that they need; what is left is killed."""
    initdb = find_initdb()
    assert initdb is not None  # `why_no_images` says so before anything is built
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with ExitStack() as cleanup:
        url = cleanup.enter_context(postgres_server(initdb))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE pouf")
        cleanup.enter_context(_redis(folder))
        stack = ImageStack(buildah, folder, psycopg.conninfo.conninfo_to_dict(url)["port"])
        cleanup.callback(stack.kill)
        stack.run("migrate", ["pouf", "migrate"])
        for name in SERVICES:
            stack.start(name)
        yield stack


@contextmanager
def _redis(folder: Path) -> Iterator[None]:
    configuration = compose.load(VARIABLES)["configs"]["redis"]["content"].replace("/data", str(folder))
    (folder / "redis.conf").write_text(f"{configuration}\nbind 127.0.0.1\n")
    log = folder / "redis.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(["redis-server", str(folder / "redis.conf")], stdout=output, stderr=output) as server,
    ):
        try:
            wait_for(lambda: "Ready to accept connections" in log.read_text(), lambda: tail(log))
            yield
        finally:
            server.terminate()
