"""Object storage over fsspec: keys are relative paths, values are files or directories."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from store.ids import new_id

COPY_CHUNK = 1024 * 1024


class StoredFile(NamedTuple):
    """A file's key, its size in bytes, and when it was stored, in seconds since 1970."""

    key: str
    size: int
    stored_at: float


class Storage:
    """Files by key below `url`; with ``file://`` every write is atomic (temporary file, fsync, rename)."""

    def __init__(self, url: str, cache_dir: Path | None = None) -> None:
        self.url = url
        self._fs, root = url_to_fs(url)
        self._root = str(root).rstrip("/")
        self._is_local = isinstance(self._fs, LocalFileSystem)
        self._cache_dir = cache_dir or Path(tempfile.gettempdir()) / "pouf-storage-cache"
        if self._is_local:
            Path(self._root).mkdir(parents=True, exist_ok=True)

    @property
    def local_root(self) -> Path | None:
        """The directory on this machine that everything is below, None with a remote storage."""
        return Path(self._root) if self._is_local else None

    def put_file(self, key: str, local_path: Path, *, move: bool = False) -> None:
        """Store a copy of `local_path`, or the file itself with `move` (it is gone afterwards)."""
        if not self._is_local:
            self._fs.put_file(str(local_path), self._path(key))
            if move:
                local_path.unlink()
            return
        target = self._prepare(key)
        if move and _same_device(local_path, target.parent):
            with local_path.open("rb") as stream:
                os.fsync(stream.fileno())
            os.utime(local_path)  # its time is when it was stored, not when its upload began
            local_path.replace(target)
            _sync_directory(target.parent)
            return
        with local_path.open("rb") as stream:
            self.put_stream(key, iter(lambda: stream.read(COPY_CHUNK), b""))
        if move:
            local_path.unlink()

    def put_stream(self, key: str, chunks: Iterable[bytes]) -> None:
        """Store the concatenation of `chunks`."""
        if not self._is_local:
            with self._fs.open(self._path(key), "wb") as remote:
                for chunk in chunks:
                    remote.write(chunk)
            return
        target = self._prepare(key)
        temporary = target.with_name(f".{new_id('tmp')}")
        try:
            with temporary.open("wb") as stream:
                for chunk in chunks:
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(target.parent)

    def open(self, key: str) -> IO[bytes]:
        """Open for reading; raises `FileNotFoundError`."""
        stream: IO[bytes] = self._fs.open(self._path(key), "rb")
        return stream

    def local(self, key: str) -> Path:
        """Return a path to read the file at: the file itself with ``file://``, else a cached copy."""
        if self._is_local:
            path = Path(self._path(key))
            if not path.exists():
                raise FileNotFoundError(key)
            return path
        return self._cached(key, self._fs.get_file)

    def put_directory(self, key: str, path: Path) -> None:
        """Store the directory's files below `key`; with ``file://`` it appears whole or not at all."""
        if not self._is_local:
            for file in _files(path):
                self._fs.put_file(str(file), self._path(f"{key}/{file.relative_to(path).as_posix()}"))
            return
        target = self._prepare(key)
        temporary = target.with_name(f".{new_id('tmp')}")
        try:
            shutil.copytree(path, temporary)
            for file in _files(temporary):
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
            if target.exists():
                shutil.rmtree(target)
            temporary.replace(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync_directory(target.parent)

    def local_directory(self, key: str) -> Path:
        """Return a path to read the directory at: itself with ``file://``, else a cached copy."""
        if self._is_local:
            path = Path(self._path(key))
            if not path.is_dir():
                raise FileNotFoundError(key)
            return path
        return self._cached(key, lambda source, target: self._fs.get(source, target, recursive=True))

    def copy_out(self, key: str, target: Path) -> None:
        """Copy the file or directory to `target`, a path on this machine; raises `FileNotFoundError`."""
        path = self._path(key)
        if not self._fs.exists(path):
            raise FileNotFoundError(key)
        self._fs.get(path, str(target), recursive=self._fs.isdir(path))

    def delete(self, key: str) -> None:
        """Remove the file or directory; nothing happens when there is none."""
        path = self._path(key)
        with suppress(FileNotFoundError):  # deleted by another process meanwhile
            if self._fs.exists(path):
                self._fs.rm(path, recursive=True)
        cached = self._cache_dir / key
        if not self._is_local and cached.exists():
            shutil.rmtree(cached) if cached.is_dir() else cached.unlink()

    def exists(self, key: str) -> bool:
        """Tell whether a file or directory is there."""
        return bool(self._fs.exists(self._path(key)))

    def names(self, key: str) -> list[str]:
        """Return the names right below a directory, those of unfinished writes too; none when there is no directory."""
        self._fs.invalidate_cache()
        try:
            paths = self._fs.ls(self._path(key), detail=False)
        except FileNotFoundError:
            return []
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in paths})

    def files(self, key: str) -> Iterator[StoredFile]:
        """Yield every file below a directory, those of unfinished writes too."""
        top = self._path(key)
        if not self._is_local:
            self._fs.invalidate_cache()
            for path, entry in self._fs.find(top, detail=True).items():
                moment = entry.get("LastModified") or self._fs.modified(path)  # S3 lists it
                yield StoredFile(key + str(path)[len(top) :], entry["size"], moment.timestamp())
            return
        for folder, _, names in os.walk(top):
            for path in (Path(folder) / name for name in names):
                with suppress(FileNotFoundError):  # removed, or finished, while we looked
                    status = path.stat()
                    yield StoredFile(key + str(path)[len(top) :], status.st_size, status.st_mtime)

    def _path(self, key: str) -> str:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts:
            raise ValueError(f"not a storage key: {key!r}")
        return f"{self._root}/{'/'.join(parts)}"

    def _prepare(self, key: str) -> Path:
        target = Path(self._path(key))
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _cached(self, key: str, fetch: Callable[[str, str], object]) -> Path:
        target = self._cache_dir / key
        if not target.exists():
            if not self.exists(key):
                raise FileNotFoundError(key)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{new_id('tmp')}")
            fetch(self._path(key), str(temporary))
            try:
                temporary.replace(target)
            except OSError:
                # another process fetched the same directory first
                shutil.rmtree(temporary)
        return target


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _same_device(path: Path, directory: Path) -> bool:
    return path.stat().st_dev == directory.stat().st_dev


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
