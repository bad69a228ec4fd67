"""What the owner of a job is told of a failure: what happened, and no place on the machine where it did."""

from __future__ import annotations

import sys
from pathlib import Path

from store.settings import Settings

HIDDEN = "…"


def without_places(message: str, settings: Settings) -> str:
    """Return `message` with the directories of this installation left out of the paths in it.

    Libraries name files whole. A base model's own path is no secret: whoever asks for the model has to name it.
    """
    storage = Path(settings.storage_url.removeprefix("file://"))
    for place in (settings.data_dir, storage, Path(sys.prefix), Path(sys.base_prefix), Path.home()):
        if place.is_absolute() and place != Path(place.anchor):
            message = message.replace(str(place), HIDDEN)
    return message
