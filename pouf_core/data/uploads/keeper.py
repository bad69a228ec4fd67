"""Where what is read of uploads goes: to a database and a storage, or, of a sample, nowhere."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from pouf_core.data.texts import TextItem

ItemStatus = Literal["accepted", "duplicate", "rejected"]
WholeFile = Literal["texts", "embeddings"]
FolderUse = Literal["texts", "embeddings", "unpacked", "reading"]


class EndOfReading(Exception):
    """Ends the reading of all uploads, not of the file that is being read."""


class TooManyItems(EndOfReading):
    """The uploads hold more items than their limits allow."""


class TooManyRows(EndOfReading):
    """The uploads hold far more entries, usable or not, than a dataset may have items."""


class TooManyBytes(EndOfReading):
    """What the uploads unpack to may not be stored."""


class EndOfUpload(Exception):
    """Enough was read of an upload; the next one comes."""


@dataclass(frozen=True)
class Uploaded:
    """A file as it was uploaded; `key` is where it is stored, `size` in bytes."""

    id: str
    filename: str
    key: str
    size: int
    sha256: str


class FoundItem(NamedTuple):
    """An entry that was found: a file, or a text or vector of one.

    Attributes:
        name: fit to be stored and shown.
        code, message: why it is rejected.
        key: where its content is stored.
        text: of a text or a pair of texts.
        label: what its own file says, as far as that counts.
    """

    name: str
    status: ItemStatus
    sha256: str | None = None
    size: int | None = None
    code: str | None = None
    message: str | None = None
    key: str | None = None
    text: TextItem | None = None
    label: str | None = None


class Keeper(ABC):
    """Takes what is found.

    Attributes:
        keeps_files: whether files of all items are to be made.
        looks_for_labels: whether to look for files of labels in an archive before it is read.
        first_rows: of a file, more than which it does not take; None where it takes all.
        cut: whether uploads are not read to their ends.
    """

    cut: bool = False

    def unpacked_bytes(self, *, is_of_lines: bool) -> float:
        """How much to unpack of a packed file.

        Args:
            is_of_lines: whether its beginning can be read without its end.
        """
        return math.inf

    keeps_files: ClassVar[bool] = True
    first_rows: ClassVar[int | None] = None
    looks_for_labels: ClassVar[bool] = False

    @abstractmethod
    def check(self) -> None:
        """Called wherever the reading gets on; raises to end it."""

    def check_looking(self) -> None:
        """As `check`, while files of labels are looked for; raises `EndOfUpload` to end that alone."""
        self.check()

    @abstractmethod
    def check_waiting(self) -> None:
        """As `check`, about every second while one file is read that has given nothing yet."""

    @abstractmethod
    def ends(self, error: Exception) -> bool:
        """Whether an error that came up while a file was read is no fault of the file, and ends the reading."""

    @abstractmethod
    def local(self, upload: Uploaded) -> Path:
        """Where an upload can be read."""

    @abstractmethod
    def add(self, item: FoundItem) -> None:
        """Take an entry."""

    @abstractmethod
    def folder(self, use: FolderUse) -> AbstractContextManager[Path]:
        """A directory to work in, which disappears afterwards."""

    @abstractmethod
    def room(self) -> int:
        """Bytes that may still be written there."""

    @abstractmethod
    def require_room(self) -> None:
        """Raise `OSError` where too little space is free to go on."""

    @abstractmethod
    def extract(self, extracted_bytes: int) -> None:
        """Called before something is stored; raises as `require_room`.

        Args:
            extracted_bytes: all that is stored beside the uploads then.
        """

    @abstractmethod
    def key_of_file(self, kind: WholeFile) -> str:
        """Where the one file of all items will be stored."""

    @abstractmethod
    def keep_file(self, kind: WholeFile, path: Path) -> None:
        """Store that file, which is gone afterwards."""

    @abstractmethod
    def keep_picture(self, sha256: str, data: bytes) -> str:
        """Store a picture's file, and return its key."""

    def long_step(self) -> AbstractContextManager[None]:
        """Around what takes long and reports nothing."""
        return nullcontext()
