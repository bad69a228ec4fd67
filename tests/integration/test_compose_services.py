"""Each service's own command from docker-compose.yml, run as a process against Debian's PostgreSQL and Redis."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

from app.auth.key_text import new_key_text
from cli.addresses import free_port, why_not_ready
from cli.data_directory import tail
from pouf_client import ApiError, Client
from tests.integration import compose
from tests.waiting import WAIT_SECONDS, wait_for

VARIABLES = {
    "POSTGRES_PASSWORD": "postgrespassword",
    "REDIS_PASSWORD": "redispassword",
    "POUF_BOOTSTRAP_KEY": new_key_text(),
}
PARTS = ("api", "worker-cpu", "ingest", "notify", "reaper")
PICTURES = compose.ROOT / "examples" / "clipart" / "images"


class Stack:
    """The compose file's services as processes of this machine."""

    def __init__(self, folder: Path, postgres_port: int) -> None:
        self.folder = folder
        self.file = compose.load(VARIABLES)
        self.services = self.file["services"]
        self.ports = {"redis": free_port("127.0.0.1"), "api": free_port("127.0.0.1"), "postgres": postgres_port}
        self.url = f"http://127.0.0.1:{self.ports['api']}"
        self.translation = compose.Translation(
            (
                ("@postgres:5432", f"@127.0.0.1:{self.ports['postgres']}"),
                ("@redis:6379", f"@127.0.0.1:{self.ports['redis']}"),
                ("0.0.0.0", "127.0.0.1"),
                ("8000", str(self.ports["api"])),
                ("/etc/pouf-redis.conf", str(folder / "redis.conf")),
                ("/data", str(folder)),
            )
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        service = self.services[name]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with self.log(name).open("wb") as output:
            self.processes[name] = subprocess.Popen(
                self.translation.command(service),
                cwd=self.folder,
                env={"PATH": path, "HOME": str(self.folder), **self.translation.environment(service)},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def write_redis_configuration(self) -> None:
        content = self.translation.text(self.file["configs"]["redis"]["content"])
        # The container has its address to itself; here the port must be a private one.
        (self.folder / "redis.conf").write_text(f"{content}\nbind 127.0.0.1\nport {self.ports['redis']}\n")

    def redis(self) -> redis.Redis:
        return redis.Redis(port=self.ports["redis"], password=VARIABLES["REDIS_PASSWORD"])

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for name, process in self.processes.items():
            try:
                process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                pytest.fail(f"{name} did not stop on SIGTERM:\n{tail(self.log(name))}")


@pytest.fixture
def stack(tmp_path, postgres_server_url):
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed (Debian: apt install redis-server)")
    with psycopg.connect(postgres_server_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE pouf")
    with ExitStack() as cleanup:
        made = Stack(tmp_path, urlsplit(postgres_server_url).port)
        made.write_redis_configuration()
        cleanup.callback(made.stop)
        made.start("redis")
        redis_log = made.log("redis")
        wait_for(lambda: "Ready to accept connections" in redis_log.read_text(), lambda: tail(redis_log))
        made.start("migrate")
        assert made.processes["migrate"].wait(WAIT_SECONDS) == 0, tail(made.log("migrate"))
        for name in PARTS:
            made.start(name)
        yield made


@pytest.mark.slow  # `make machines` runs it
def test_a_job_goes_through_the_services_of_the_compose_file(stack):
    try:
        wait_for(lambda: why_not_ready(stack.url) is None, lambda: f"not ready: {why_not_ready(stack.url)}")
        with Client(stack.url, api_key="") as stranger, pytest.raises(ApiError, match="missing_api_key"):
            next(stranger.datasets.list())
        with Client(stack.url, VARIABLES["POUF_BOOTSTRAP_KEY"]) as client:
            dataset = client.datasets.create(sorted(PICTURES.glob("*.jpg"))[:16], name="few", wait=True)
            assert dataset.item_count == 16
            job = client.jobs.create(dataset.id, ["computer", "smiley face"], method={"tune": "prompt", "max_steps": 2})
            job = client.jobs.wait(job.id)
            answer = client.predict([PICTURES / "00fdfebaa3e3.jpg"], job.model_id)
            assert answer.items[0].label == "smiley face"
    except BaseException:
        for name in stack.processes:
            sys.stderr.write(f"--- {name}\n{tail(stack.log(name), 30)}\n")
        raise

    url = f"postgresql://pouf:{VARIABLES['POSTGRES_PASSWORD']}@127.0.0.1:{stack.ports['postgres']}/pouf"
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT status FROM jobs").fetchall() == [("succeeded",)]
    client = stack.redis()
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert list((stack.folder / "storage").rglob("adapter.safetensors"))

    running = [psutil.Process(process.pid) for process in stack.processes.values() if process.poll() is None]
    left = [child for process in running for child in process.children(recursive=True)]
    stack.stop()
    _, alive = psutil.wait_procs(left, timeout=WAIT_SECONDS)
    assert alive == []
