"""Files and folders that people name."""

from __future__ import annotations

import os
from pathlib import Path

from pouf_client.errors import InvalidInput, MissingFile

_PICTURES = "jpg jpeg jpe jfif png gif bmp tif tiff webp heic heif avif ppm pgm pbm pnm tga jp2 ico"
_TEXTS = "txt csv tsv jsonl ndjson json xlsx xlsm xlsb xls ods parquet arrow feather"
PICTURE_SUFFIXES = frozenset(f".{suffix}" for suffix in _PICTURES.split(" "))
TEXT_SUFFIXES = frozenset(f".{suffix}" for suffix in _TEXTS.split(" "))

PathLike = str | os.PathLike[str]


def expanded(path: PathLike) -> Path:
    """The path, `~` in it as the home; as it is where nobody has that home, as for the file `~$x.jpg`."""
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError):
        return Path(path)


def portable_name(name: str) -> str:
    """The name of a file as archives and requests can hold it: bytes that are no UTF-8 as `%XX`."""
    return "".join(f"%{ord(each) - 0xDC00:02X}" if "\udc80" <= each <= "\udcff" else each for each in name)


def is_file(text: str) -> bool:
    """Whether a text is the path of a file; texts that are too long for a path are not."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def existing(path: PathLike, hint: str = "") -> Path:
    """The path of a file or folder that is there; `~` is the home.

    Raises:
        MissingFile: it is not there.
    """
    found = expanded(path)
    try:
        if found.exists():
            return found
    except (OSError, ValueError):  # no path at all: too long, or with a null character
        pass
    shown = str(path) if len(str(path)) <= 80 else f"{str(path)[:80]}…"
    raise MissingFile(f"There is no file or folder {shown!r} here{hint}.", code="file_not_found", field="source")


def visible_files(folder: Path) -> list[Path]:
    """The files below a folder in the order of their names, without hidden ones and those in hidden folders.

    Raises:
        InvalidInput: there is none.
    """
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        what = "folder" if folder.is_dir() else "place"
        raise InvalidInput(f"The {what} {str(folder)!r} has no file.", code="empty_folder", field="source")
    return files


def pictures_below(folder: Path) -> list[Path]:
    """The pictures below a folder, as their names tell.

    Raises:
        InvalidInput: there is none.
    """
    pictures = [path for path in visible_files(folder) if path.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        message = f"The folder {str(folder)!r} has no picture, such as a .jpg or .png."
        raise InvalidInput(message, code="no_pictures", field="inputs")
    return pictures
