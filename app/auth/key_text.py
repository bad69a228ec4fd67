"""The text of an API key: ``pouf_``, 48 hexadecimal digits of secret, 8 of checksum (CRC-32 of what precedes them).

The fixed beginning lets secret scanners find keys; the checksum tells a mistyped key without asking the database.
"""

import hashlib
import hmac
import re
import secrets
import zlib

SECRET_BYTES = 24
# what identifies a key in lists and logs, and finds its row; the other 160 bits stay secret
PREFIX_LENGTH = len("pouf_") + 8
PATTERN = re.compile(r"pouf_[0-9a-f]{56}", re.ASCII)


def new_key_text() -> str:
    """Return a new key with 192 random bits."""
    body = f"pouf_{secrets.token_hex(SECRET_BYTES)}"
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Tell whether `text` looks like a key and its checksum is right."""
    return PATTERN.fullmatch(text) is not None and text[-8:] == _checksum(text[:-8])


def prefix_of(text: str) -> str:
    """Return the part of a well-formed key that may be shown."""
    return text[:PREFIX_LENGTH]


def digest(text: str, pepper: bytes) -> str:
    """Return what is stored in place of the key: its HMAC-SHA256 under `pepper`, in hex."""
    return hmac.new(pepper, text.encode(), hashlib.sha256).hexdigest()


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
