"""What an installation keeps to itself in what its users read."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from store.settings import Settings

REDACTED = "…"


def redact_paths(message: str, settings: Settings) -> str:
    """Return `message`, which a caller may read, without the directories of this installation.

    Libraries name files by their whole path. A base model's own path is no secret: whoever asks for the model names it.
    """
    storage = Path(settings.storage_url.removeprefix("file://"))
    for directory in (settings.data_dir, storage, Path(sys.prefix), Path(sys.base_prefix), Path.home()):
        if directory.is_absolute() and directory != Path(directory.anchor):
            whole = rf"(?<![\w.-]){re.escape(str(directory))}(?![\w-])"  # not within a user's longer name
            message = re.sub(whole, REDACTED, message)
    return message
