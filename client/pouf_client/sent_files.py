"""Files that say how much of them was sent."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pouf_client.progress import Show

#: Called with how many bytes of a file were sent, and how many it has; a second try begins at 0 again.
OnUpload = Callable[[int, int], None]


class SentFile(io.BufferedReader):
    """A file that is read while it is sent.

    Args:
        path: of the file.
        on_upload: told of each part.
    """

    def __init__(self, path: Path, on_upload: OnUpload | None = None) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size
        self._on_upload = on_upload

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        content = super().read(size)
        if self._on_upload is not None and content:
            self._on_upload(self.tell(), self._size)
        return content


@dataclass(frozen=True)
class Sending:
    """How far an upload is, as a bar shows it: `step` of `total_steps` are bytes."""

    id: str
    step: int
    total_steps: int
    status: str = "bytes sent"


def told_to(show: Show, on_upload: OnUpload | None) -> OnUpload:
    """What shows an upload, and tells `on_upload` of it, too."""

    def tell(sent: int, size: int) -> None:
        show(Sending("upload", sent, size))
        if on_upload is not None:
            on_upload(sent, size)

    return tell
