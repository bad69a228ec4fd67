"""Images built and run by Debian's buildah: no engine, no daemon, a storage of its own that is removed at the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.postgres_server import find_initdb

TOOLS = ("buildah", "debootstrap", "redis-server", "ip")


def why_no_images() -> str | None:
    """Why images cannot be built here; None where they can."""
    if not sys.platform.startswith("linux") or not Path("/etc/debian_version").exists():
        return "images are built with Debian's buildah and debootstrap"
    if os.geteuid() != 0:
        return "images are built as root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: apt install buildah debootstrap redis-server iproute2)"
    if find_initdb() is None:
        return "PostgreSQL's server is not installed (Debian: apt install postgresql)"
    return None


class Buildah:
    """buildah on a storage under `folder`. Processes in images share the network of whoever runs them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        driver = "overlay" if _overlay_mounts(folder) else "vfs"
        storage = {"STORAGE_DRIVER": driver, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(_made(folder / "tmp"))}
        self._environment = {**os.environ, **storage}

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line of buildah with `arguments`, to be run with `environment`."""
        roots = ["--root", self._folder / "storage", "--runroot", self._folder / "run"]
        return ["buildah", *map(str, [*roots, *arguments])]

    @property
    def environment(self) -> Mapping[str, str]:
        return self._environment

    def __call__(self, *arguments: str | Path) -> str:
        """Run buildah to its end; its output without what it reports of progress."""
        done = subprocess.run(
            self.command(*arguments), env=self._environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.strip()

    def size(self, image: str) -> int:
        """Bytes of an image's layers, unpacked."""
        (found,) = json.loads(self("images", "--json", image))
        return _bytes(found["size"])


def volumes(paths: Mapping[Path, str]) -> list[str]:
    """Options that mount paths of this machine, read-only, where the values say."""
    return [f"--volume={path}:{inside}:ro" for path, inside in paths.items()]


UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}


def _bytes(text: str) -> int:
    number, unit = text.split()
    return round(float(number) * UNITS[unit.upper()])


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _overlay_mounts(folder: Path) -> bool:
    """Whether the kernel can stack folders of this file system; layers are copied whole where it cannot."""
    parts = {name: _made(folder / "probe" / name) for name in ("lower", "upper", "work", "merged")}
    options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if mounted:
        subprocess.run(["umount", str(parts["merged"])], check=True)
    shutil.rmtree(folder / "probe")
    return mounted


def run_quietly(command: Sequence[str], log: Path) -> None:
    """Run a command to its end, with its output in `log`."""
    with log.open("ab") as output:
        subprocess.run(command, stdout=output, stderr=output, check=True)
