"""Files and folders that systems leave among a person's own; they are skipped and counted, not refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from pouf_core.contract.rejections import SkipReason

_LEFT_BEHIND = frozenset(
    (
        "__macosx",
        "icon\r",
        "icon\N{REPLACEMENT CHARACTER}",  # as it is shown
        "network trash folder",
        "temporary items",
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "picasa.ini",
        "zbthumbnail.info",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "found.000",
        "lost+found",
        "@eadir",  # thumbnails of a NAS
        "#recycle",
        "@recycle",
        "@recently-snapshot",
        "#snapshot",
        "__pycache__",
    )
)
_TEMPORARY = "~$"  # what office programs have open
_HIDDEN_OF_SYSTEMS = (
    "._",  # what macOS knows of a file, on disks of others
    ".ds_store",
    ".appledouble",
    ".spotlight-v100",
    ".fseventsd",
    ".trash",
    ".thumbnails",
    ".picasa",
    ".ipynb_checkpoints",
    ".directory",
    ".nomedia",
    ".~lock.",
)
#: The last are examples of answers to a competition, in which all labels are made up.
_DESCRIPTIONS = ("readme", "license", "licence", "copying", "sample_submission", "samplesubmission")
_OF_DESCRIPTIONS = ("", ".txt", ".md", ".rst", ".html", ".pdf", ".csv")
#: What Hugging Face's `datasets` says of the files beside it.
_OF_DATASETS = frozenset(("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"))
_OF_A_NAS = ("@synoeastream", "@synoresource")


def left_behind(parts: Sequence[str]) -> SkipReason | None:
    """Why a path is passed over: it leads to what a system or a program made, to a hidden file, or to a description.

    Args:
        parts: folders and file name.
    """
    if any(_is_of_a_system(part.casefold()) for part in parts):
        return "system_file"
    if any(part.startswith(".") for part in parts):
        return "hidden_file"
    return "description" if parts and _describes(parts[-1].casefold()) else None


def _describes(name: str) -> bool:
    """Whether a file says of the data what it is, as `README.md`, `LICENSE` and `readme.dataset.txt` do."""
    if name in _OF_DATASETS:
        return True
    return PurePosixPath(name).suffix in _OF_DESCRIPTIONS and name.partition(".")[0] in _DESCRIPTIONS


def _is_of_a_system(part: str) -> bool:
    return part in _LEFT_BEHIND or part.startswith((_TEMPORARY, *_HIDDEN_OF_SYSTEMS)) or part.endswith(_OF_A_NAS)
