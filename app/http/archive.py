"""A directory as a zip, made while it is sent."""

import zipfile
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path

from typing_extensions import Buffer

BLOCK_BYTES = 512 * 1024
# the same directory gives the same bytes
TIMESTAMP = (1980, 1, 1, 0, 0, 0)


def files_of(directory: Path) -> list[tuple[str, Path]]:
    """Return (name in the archive, path) of every file below `directory`."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    return [(path.relative_to(directory).as_posix(), path) for path in paths]


def zip_stream(files: list[tuple[str, Path]]) -> Iterator[bytes]:
    """Yield the bytes of a zip of `files`, uncompressed, holding one block in memory at a time."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, TIMESTAMP)
            entry.external_attr = 0o644 << 16
            entry.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while block := source.read(BLOCK_BYTES):
                    target.write(block)
                    yield sink.take()
    yield sink.take()


class _Sink(RawIOBase):
    """What zipfile writes to; since it cannot seek, the archive comes out in an order that can be streamed."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        block = bytes(data)
        self._pending += block
        return len(block)

    def take(self) -> bytes:
        taken = bytes(self._pending)
        self._pending.clear()
        return taken
