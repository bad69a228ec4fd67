"""Making one file of the files to upload."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

Source = str | Path | Sequence[str | Path]


@contextmanager
def as_archive(source: Source) -> Iterator[Path]:
    """The one file to send: `source` itself when it is a file, whose kind the service tells; else a temporary zip.

    Args:
        source: a file; a folder, whose files keep their relative names; or a list of files, which keep only their
            names.

    Raises:
        FileNotFoundError: something named is not there.
        ValueError: there is no file to send, or two files of a list share a name.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_file():
            yield path
            return
        entries = _folder_entries(path) if path.is_dir() else _file_entries([path])
    else:
        entries = _file_entries([Path(entry) for entry in source])
    with TemporaryDirectory(prefix="pouf-upload-") as folder:
        archive = Path(folder) / "files.zip"
        _write(archive, entries)
        yield archive


def _folder_entries(folder: Path) -> dict[str, Path]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths if not path.name.startswith(".")}


def _file_entries(paths: list[Path]) -> dict[str, Path]:
    entries = {path.name: path for path in paths}
    if len(entries) != len(paths):
        raise ValueError("Two of the files have the same name; put them in one folder and send that.")
    return entries


def _write(archive: Path, entries: dict[str, Path]) -> None:
    if not entries:
        raise ValueError("There is no file to send.")
    # Pictures are compressed already, so they are stored as they are.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, strict_timestamps=False) as file:
        for name, path in entries.items():
            file.write(path, name)
