"""What was found in uploads so far, counted and bounded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pouf_core.contract.rejections import SkipReason
from pouf_core.data.item_names import ItemName
from pouf_core.data.losses import Losses, Lost, Undecoded
from pouf_core.data.shown_text import showable
from pouf_core.data.texts import TextItem
from pouf_core.data.uploads.keeper import FoundItem, Keeper, TooManyBytes, TooManyItems, TooManyRows
from pouf_core.data.uploads.limits import UploadLimits

#: Why an entry was rejected may name what a file holds, as much as its header claims.
LONGEST_MESSAGE = 2000


@dataclass
class FoundItems:
    """What one reading has found so far.

    Attributes:
        keeper: takes it.
        accepted: content hashes.
        skipped: how many files were passed over, by reason.
        losses: the rejections by cause.
        extracted_bytes: what is stored beside the uploads.
    """

    keeper: Keeper
    limits: UploadLimits
    accepted: set[str] = field(default_factory=set)
    duplicates: int = 0
    rejected: int = 0
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    losses: Losses = field(default_factory=Losses)
    extracted_bytes: int = 0
    _count: int = 0

    @property
    def used(self) -> int:
        """How many entries were accepted, or had been before."""
        return len(self.accepted) + self.duplicates

    def check(self) -> None:
        """As `Keeper.check`."""
        self.keeper.check()

    def extract(self, size: int) -> None:
        """Count bytes that are about to be stored beside the uploads.

        Raises:
            TooManyBytes: they may not be stored.
            OSError: too little space would stay free.
        """
        if self.extracted_bytes + size > self.limits.extracted_bytes:
            raise TooManyBytes
        self.extracted_bytes += size
        self.keeper.extract(self.extracted_bytes)

    def note_if_duplicate(self, name: ItemName, sha256: str, size: int, text: TextItem | None = None) -> bool:
        """Note an item whose content was accepted before; return whether it was. Of a `text` its beginning is shown."""
        if sha256 in self.accepted:
            self._note(FoundItem(name.text, "duplicate", sha256, size, text=text))
            self.duplicates += 1
            return True
        return False

    def accept(
        self,
        name: ItemName,
        sha256: str,
        size: int,
        key: str,
        text: TextItem | None = None,
        label: str | None = None,
    ) -> None:
        """Note an item that is stored, or will be before the reading ends; with the label that its entry shall have."""
        self._note(FoundItem(name.text, "accepted", sha256, size, key=key, text=text, label=label))
        self.accepted.add(sha256)

    def require_room_for_item(self) -> None:
        """Raise `TooManyItems` when no further item may be accepted."""
        if len(self.accepted) >= self.limits.items:
            raise TooManyItems

    def reject(
        self,
        name: ItemName,
        code: str,
        message: str,
        sha256: str | None = None,
        size: int | None = None,
        *,
        lost: Lost = "item",
        undecoded: Undecoded | None = None,
    ) -> None:
        """Note what cannot be used; `lost` and `undecoded` are as for `Losses.note`."""
        message = _shown(message)
        self._note(FoundItem(name.text, "rejected", sha256, size, code, message))
        self.rejected += 1
        self.losses.note(name.text, code, message, lost, undecoded)

    def reject_afterwards(self, name: ItemName, code: str, message: str) -> None:
        """As `reject`, of a file whose loss is known when no more is read."""
        message = _shown(message)
        self.keeper.add(FoundItem(name.text, "rejected", code=code, message=message))
        self.rejected += 1
        self.losses.note(name.text, code, message, "rest")

    def skip(self, reason: SkipReason) -> None:
        """Count a file that is passed over."""
        self.check()
        self.skipped[reason] += 1

    def _note(self, item: FoundItem) -> None:
        self.check()
        self._count += 1
        if self._count > self.limits.rows:
            raise TooManyRows
        self.keeper.add(item)


def _shown(message: str) -> str:
    return showable(message[:LONGEST_MESSAGE])
