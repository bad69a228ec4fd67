"""Machines as Linux network namespaces on one switch. Cutting a machine off loses its packets and kills nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 15.0


def why_no_namespaces() -> str | None:
    """Why machines cannot be made here; None where they can."""
    if not sys.platform.startswith("linux") or shutil.which("ip") is None:
        return "network namespaces need Linux and `ip` (Debian: apt install iproute2)"
    if os.geteuid() != 0:
        return "network namespaces need root"
    probe = f"pouf-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"network namespaces are not allowed here: {made.stderr.strip()}"
    _ip("netns", "delete", probe)
    return None


@dataclass
class Machine:
    """A namespace with an address of its own."""

    namespace: str
    address: str
    switch: str
    port: str
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def command(self, command: Sequence[str]) -> list[str]:
        """The command that runs `command` on this machine, as the same process."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def start(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.command(command), env=environment, stdout=output, stderr=output, start_new_session=True
            )
        self._processes.append(process)
        return process

    def cut_off(self) -> None:
        """Pull the cable."""
        _ip("-n", self.switch, "link", "set", self.port, "down")

    def connect(self) -> None:
        """Plug the cable in again."""
        _ip("-n", self.switch, "link", "set", self.port, "up")

    def stop(self) -> None:
        """End what was started here, gracefully, then not."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        self._processes.clear()
        found = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=True)
        for pid in found.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


class Network:
    """A switch, the machines on it, and this process with an address among them."""

    def __init__(self, number: int) -> None:
        self._name = f"pouf{number}"
        self._prefix = f"198.18.{number}."  # RFC 2544, section C.2.2: for tests of networks, never routed
        self._numbers = itertools.count(1)
        self._switch = f"{self._name}-switch"
        self.machines: list[Machine] = []

    def add(self, name: str) -> Machine:
        number = next(self._numbers)
        machine = Machine(f"{self._name}-{name}", f"{self._prefix}{number}", self._switch, f"port{number}")
        _ip("netns", "add", machine.namespace)
        self.machines.append(machine)
        self._plug_in(machine.port, "eth0", machine.namespace)
        _ip("-n", machine.namespace, "address", "add", f"{machine.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", machine.namespace, "link", "set", device, "up")
        return machine

    def open(self) -> None:
        _ip("netns", "add", self._switch)
        _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._switch, "link", "set", "bridge", "up")
        self._plug_in("port0", self._name, None)
        _ip("address", "add", f"{self._prefix}254/24", "dev", self._name)
        _ip("link", "set", self._name, "up")

    def close(self) -> None:
        for machine in self.machines:
            machine.stop()
        # devices go with their namespaces, but only some time later, and ours is to be had again at once
        subprocess.run(["ip", "link", "delete", self._name], stderr=subprocess.DEVNULL, check=False)
        for namespace in [*(machine.namespace for machine in self.machines), self._switch]:
            subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL, check=False)

    def _plug_in(self, port: str, device: str, namespace: str | None) -> None:
        end = ["netns", namespace] if namespace else ["netns", str(os.getpid())]
        _ip("-n", self._switch, "link", "add", port, "type", "veth", "peer", "name", device, *end)
        _ip("-n", self._switch, "link", "set", port, "master", "bridge", "up")


@contextmanager
def network() -> Iterator[Network]:
    """A network that is gone, with all that runs on it, when the block ends."""
    made = Network(os.getpid() % 256)
    try:
        made.open()
        yield made
    finally:
        made.close()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
