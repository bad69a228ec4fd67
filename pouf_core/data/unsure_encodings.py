"""Files of texts that may have another encoding than they were read in."""

from __future__ import annotations

from pouf_core.contract.findings import Finding, finding, listed
from pouf_core.data.losses import shown_encoding
from pouf_core.data.text_files import Reading

_SURE = 0.6
"""Share that the encoding of a file has against the next likeliest; with less it may well be the other."""
_MOST_FILES = 100  # that are told of: an archive may hold thousands, a text each


class UnsureEncodings:
    """Gathers such files while they are read."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self._encodings: set[str] = set()

    def note(self, file: str, reading: Reading) -> None:
        """A file was read so; one in UTF-8 is none, since its rows that are not are told of as lost."""
        encoding = reading.encoding
        if encoding is None or encoding.confidence >= _SURE or encoding.name in ("utf-8", "utf-8-sig"):
            return
        if len(self._files) < _MOST_FILES:
            self._files.append(file)
            self._encodings.add(shown_encoding(encoding.name))

    def warnings(self) -> list[Finding]:
        """One that names them, where there are any."""
        if not self._files:
            return []
        message = (
            f"Nothing says which encoding {listed(self._files)} has, and its bytes fit several: it was read as "
            f"{', '.join(sorted(self._encodings))}. Look at its texts, and if letters are wrong, read it again with "
            "`encoding`."
        )
        return [finding("encoding_unsure", message)]
