"""The secret under which API keys are hashed, in a file of its own: a stolen database alone cannot test a guess."""

import os
import secrets
from pathlib import Path

PEPPER_BYTES = 32


class PepperMissing(Exception):
    """There are keys, but the file with the secret they were hashed under is not there or is empty."""


def read_pepper(path: Path) -> bytes:
    """Return the secret in `path`; raises `PepperMissing`."""
    try:
        pepper = path.read_bytes().strip()
    except FileNotFoundError:
        pepper = b""
    if not pepper:
        raise PepperMissing(
            f"The secret that API keys are hashed under is not in {path}: restore that file, or name its place in "
            "POUF_KEY_PEPPER_FILE. Without it no key can be checked."
        )
    return pepper


def make_pepper(path: Path) -> bytes:
    """Return the secret in `path`, which is made, for its owner's eyes only, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _publish(path, secrets.token_hex(PEPPER_BYTES))
    return read_pepper(path)


def _publish(path: Path, text: str) -> None:
    """Write the file whole or not at all; of several processes that try, one wins and the others leave it alone."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()
