"""A small disk of our own, to be filled. Only root may mount one, and only Linux has it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024**2
LITTLE = 48 * MIB


class SmallDisk:
    """A mounted disk, and the ballast file that takes what is free on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ballast = root / "ballast"

    def fill(self) -> None:
        """Take every byte that is free now."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (MIB, 4096, 1):
                _write_until_full(file.fileno(), b"\0" * size)

    def nearly_fill(self) -> None:
        """Take all but a little, so that filling the rest takes no time."""
        with self._ballast.open("ab", buffering=0) as file:
            while shutil.disk_usage(self.root).free > LITTLE:
                os.write(file.fileno(), b"\0" * MIB)

    def relieve(self) -> None:
        """Give everything back."""
        self._ballast.unlink(missing_ok=True)


def _write_until_full(descriptor: int, block: bytes) -> None:
    while True:
        try:
            os.write(descriptor, block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return


def can_mount() -> bool:
    """Whether a disk can be mounted here."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """Mount a disk in memory over `folder` for the length of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "pouf-chaos", str(folder)], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a process that has just been killed may hold a file for a moment longer.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
