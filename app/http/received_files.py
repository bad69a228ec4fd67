"""Files on their way in: written and hashed in a private directory that disappears with the request."""

import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from starlette.requests import ClientDisconnect, Request

from app.http.errors import body_too_large
from app.http.slow_clients import ClientStalled
from store.ids import new_id

BLOCK_BYTES = 512 * 1024
MAX_FILENAME = 1024


@dataclass(frozen=True)
class StagedFile:
    """A received file: `filename` is a relative path made safe, `size` in bytes, `sha256` in hex."""

    filename: str
    path: Path
    size: int
    sha256: str


class Staging:
    """Writes one file after another into `directory`; before each block `require_space` may raise."""

    def __init__(self, directory: Path, require_space: Callable[[], None]) -> None:
        self.directory = directory
        self._require_space = require_space
        self._count = 0
        self._filename = ""
        self._stream: IO[bytes] | None = None
        self._hash = hashlib.sha256()
        self._size = 0

    def begin(self, filename: str) -> None:
        """Start a file."""
        self._filename = safe_filename(filename)
        self._stream = self._path().open("wb")
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append to the file that was begun."""
        assert self._stream is not None
        self._require_space()
        self._stream.write(data)
        self._hash.update(data)
        self._size += len(data)

    def end(self) -> StagedFile:
        """Finish the file that was begun."""
        assert self._stream is not None
        self._stream.close()
        self._stream = None
        file = StagedFile(self._filename, self._path(), self._size, self._hash.hexdigest())
        self._count += 1
        return file

    def close(self) -> None:
        """Close what an interrupted request left open."""
        if self._stream is not None:
            self._stream.close()

    def _path(self) -> Path:
        return self.directory / str(self._count)


@contextmanager
def staging(root: Path, require_space: Callable[[], None]) -> Iterator[Staging]:
    """Yield a staging directory below `root` and remove it at the end, whatever happens."""
    directory = root / new_id("stage")
    directory.mkdir(parents=True)
    stage = Staging(directory, require_space)
    try:
        yield stage
    finally:
        stage.close()
        shutil.rmtree(directory, ignore_errors=True)


async def blocks(request: Request, limit: int | None = None) -> AsyncIterator[bytes]:
    """Yield the request's body in blocks large enough to be worth a thread; raises 413 above `limit` bytes.

    Of a client that leaves or stalls everything that came is yielded first.
    """
    pending = bytearray()
    received = 0
    try:
        async for chunk in request.stream():
            pending += chunk
            received += len(chunk)
            if limit is not None and received > limit:
                raise body_too_large(limit)
            if len(pending) >= BLOCK_BYTES:
                yield bytes(pending)
                pending.clear()
    except (ClientDisconnect, ClientStalled):
        if pending:
            yield bytes(pending)
        raise
    if pending:
        yield bytes(pending)


def safe_filename(filename: str) -> str:
    """Return `filename` as a relative path without ``..``, control characters or a drive; directories stay."""
    printable = "".join(character for character in filename.replace("\\", "/") if character.isprintable())
    parts = [part for part in PurePosixPath(printable).parts if part not in ("/", "//", "..", ".")]
    return "/".join(parts)[-MAX_FILENAME:]
