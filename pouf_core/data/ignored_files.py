"""Files and folders that systems leave among a person's own; they are skipped, not refused."""

from __future__ import annotations

from collections.abc import Sequence

_LEFT_BEHIND = frozenset(
    (
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "@eadir",  # thumbnails of a NAS
        "#recycle",
        "@recycle",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
    )
)
_TEMPORARY = "~$"  # what office programs have open


def is_left_behind(parts: Sequence[str]) -> bool:
    """Whether a path leads to a hidden file, or to one that a system or a program made for itself.

    Args:
        parts: folders and file name.
    """
    return any(part.startswith((".", _TEMPORARY)) or part.casefold() in _LEFT_BEHIND for part in parts)
