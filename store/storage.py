"""Object storage over fsspec: keys are relative paths, values are files or directories."""

from __future__ import annotations

import copy
import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Concatenate, NamedTuple, ParamSpec, TypeVar

from fsspec.implementations.local import LocalFileSystem

from pouf_core.system.durable_files import sync, whole_file
from store.ids import new_id
from store.local_files import files_below, same_device
from store.outages import StorageUnavailable, is_storage_error, never, patiently
from store.remote_files import Watched, remote_file_system
from store.storage_cache import StorageCache
from store.storage_root import StorageRoot

if TYPE_CHECKING:
    from store.settings import Settings

logger = logging.getLogger(__name__)

COPY_CHUNK = 1024 * 1024

P = ParamSpec("P")
T = TypeVar("T")


def _told_apart(method: Callable[Concatenate[Storage, P], T]) -> Callable[Concatenate[Storage, P], T]:
    """Raise `StorageUnavailable` in an outage, or wait it out where the storage is patient."""

    @functools.wraps(method)
    def call(self: Storage, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._attempt(lambda: method(self, *args, **kwargs))

    return call


class NotStored(FileNotFoundError):
    """Nothing of that key is in the storage, which is there; the message is the key."""


class StoredFile(NamedTuple):
    """A file's key, its size in bytes, and when it was stored, in seconds since 1970."""

    key: str
    size: int
    stored_at: float


class Storage:
    """Files by key below `url`; with ``file://`` every write is atomic (temporary file, fsync, rename).

    Args:
        url: of fsspec.
        cache_dir: where copies of a remote storage's files are kept.
        timeout: seconds that a remote storage gets to accept a connection, and to send something.
        cache_bytes: what those copies may take; None without a limit.

    Raises:
        StorageUnavailable: by every method, when the storage cannot be reached or refuses to work.
    """

    def __init__(
        self, url: str, cache_dir: Path | None = None, timeout: float = 30.0, cache_bytes: int | None = None
    ) -> None:
        self.url = url
        self._fs, root = remote_file_system(url, timeout)
        self._check: Callable[[], None] | None = None
        self._root = root.rstrip("/")
        self._is_local = isinstance(self._fs, LocalFileSystem)
        self.cache = StorageCache(cache_dir or Path(tempfile.gettempdir()) / "pouf-storage-cache", cache_bytes)
        memory = cache_dir.with_name("storage-known") if cache_dir is not None else None
        self.directory = StorageRoot(Path(self._root), memory) if self._is_local else None

    @classmethod
    def of(cls, settings: Settings) -> Storage:
        """The storage that the settings name."""
        return cls(settings.storage_url, settings.cache_dir, settings.storage_timeout, settings.storage_cache_bytes)

    def patient(self, check: Callable[[], None]) -> Storage:
        """The same storage, which waits as long as an outage lasts.

        Args:
            check: called meanwhile, and while files are fetched; raises to give up.
        """
        other = copy.copy(self)
        other._check = check
        return other

    @contextmanager
    def in_use(self, *keys: str) -> Iterator[None]:
        """Keep copies on this host of what belongs to the keys from being removed while the block runs."""
        with ExitStack() as held:
            for key in [] if self._is_local else keys:
                held.enter_context(self.cache.in_use(key))
            yield

    @_told_apart
    def ping(self) -> None:
        """Raise `StorageUnavailable` unless the storage answers, and can be written to where it is a directory."""
        if self._is_local:
            if not os.access(self._root, os.W_OK | os.X_OK):
                raise StorageUnavailable(f"{self._root} cannot be written to")
            return
        with suppress(FileNotFoundError):  # nothing was stored yet
            self._fs.ls(self._root, detail=False)

    def discard(self, key: str) -> None:
        """Delete, or in an outage leave it to housekeeping, which removes what no row refers to."""
        try:
            self.delete(key)
        except StorageUnavailable as error:
            logger.warning("%s is left to housekeeping: %s", key, error)

    @property
    def local_root(self) -> Path | None:
        """The directory on this machine that everything is below, None with a remote storage."""
        return Path(self._root) if self._is_local else None

    @_told_apart
    def put_file(self, key: str, local_path: Path, *, move: bool = False) -> None:
        """Store a copy of `local_path`, or the file itself with `move` (it is gone afterwards)."""
        if not self._is_local:
            self._fs.put_file(str(local_path), self._path(key))
            if move:
                local_path.unlink()
            return
        target = self._prepare(key)
        if move and same_device(local_path, target.parent):
            sync(local_path)
            os.utime(local_path)  # its time is when it was stored, not when its upload began
            local_path.replace(target)
            sync(target.parent)
            return
        with local_path.open("rb") as source, whole_file(target) as stream:
            shutil.copyfileobj(source, stream, COPY_CHUNK)
        if move:
            local_path.unlink()

    @_told_apart
    def put_stream(self, key: str, chunks: Iterable[bytes]) -> None:
        """Store the concatenation of `chunks`."""
        if not self._is_local:
            with self._fs.open(self._path(key), "wb") as remote:
                for chunk in chunks:
                    remote.write(chunk)
            return
        with whole_file(self._prepare(key)) as stream:
            for chunk in chunks:
                stream.write(chunk)

    @_told_apart
    def open(self, key: str) -> IO[bytes]:
        """Open for reading; raises `FileNotFoundError`."""
        stream: IO[bytes] = self._fs.open(self._path(key), "rb")
        return stream

    @_told_apart
    def local(self, key: str) -> Path:
        """Return a path to read the file at: itself with ``file://``, else a cached copy; raises `NotStored`."""
        if self._is_local:
            path = Path(self._path(key))
            if not path.exists():
                raise NotStored(key)
            return path
        return self._cached(key, self._fs.get_file)

    @_told_apart
    def put_directory(self, key: str, path: Path) -> None:
        """Store the directory's files below `key`; with ``file://`` it appears whole or not at all."""
        if not self._is_local:
            for file in files_below(path):
                self._fs.put_file(str(file), self._path(f"{key}/{file.relative_to(path).as_posix()}"))
            return
        target = self._prepare(key)
        temporary = target.with_name(f".{new_id('tmp')}")
        try:
            shutil.copytree(path, temporary)
            for file in files_below(temporary):
                sync(file)
            if target.exists():
                shutil.rmtree(target)
            temporary.replace(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync(target.parent)

    @_told_apart
    def local_directory(self, key: str) -> Path:
        """Return a path to read the directory at: itself with ``file://``, else a cached copy; raises `NotStored`."""
        if self._is_local:
            path = Path(self._path(key))
            if not path.is_dir():
                raise NotStored(key)
            return path
        return self._cached(key, functools.partial(self._fs.get, recursive=True))

    @_told_apart
    def copy_out(self, key: str, target: Path) -> None:
        """Copy the file or directory to `target`, a path on this machine; raises `NotStored`."""
        path = self._path(key)
        if not self._fs.exists(path):
            raise NotStored(key)
        self._fs.get(path, str(target), recursive=self._fs.isdir(path))

    @_told_apart
    def delete(self, key: str) -> None:
        """Remove the file or directory; nothing happens when there is none."""
        path = self._path(key)
        with suppress(FileNotFoundError):  # deleted by another process meanwhile
            if self._fs.exists(path):
                self._fs.rm(path, recursive=True)
        if not self._is_local:
            self.cache.forget(key)

    @_told_apart
    def exists(self, key: str) -> bool:
        """Tell whether a file or directory is there."""
        return bool(self._fs.exists(self._path(key)))

    @_told_apart
    def size(self, key: str) -> int:
        """Return a file's bytes; raises `FileNotFoundError`."""
        return int(self._fs.size(self._path(key)))

    @_told_apart
    def names(self, key: str) -> list[str]:
        """Return the names right below a directory, those of unfinished writes too; none when there is no directory."""
        try:
            paths = self._fs.ls(self._path(key), detail=False)
        except FileNotFoundError:
            return []
        return sorted({str(path).rstrip("/").rpartition("/")[2] for path in paths})

    def files(self, key: str) -> Iterator[StoredFile]:
        """Yield every file below a directory, those of unfinished writes too."""
        top = self._path(key)
        if not self._is_local:
            for path, entry in self._attempt(lambda: self._fs.find(top, detail=True)).items():
                if entry["type"] == "directory":  # on S3, what is not there, and what is being deleted
                    continue
                moment = entry.get("LastModified") or self._fs.modified(path)  # S3 lists it
                yield StoredFile(key + str(path)[len(top) :], entry["size"], moment.timestamp())
            return
        for folder, _, names in os.walk(top):
            for path in (Path(folder) / name for name in names):
                with suppress(FileNotFoundError):  # removed, or finished, while we looked
                    status = path.stat()
                    yield StoredFile(key + str(path)[len(top) :], status.st_size, status.st_mtime)

    def _attempt(self, work: Callable[[], T]) -> T:
        return self._once(work) if self._check is None else patiently(lambda: self._once(work), self._check)

    def _once(self, work: Callable[[], T]) -> T:
        try:
            self._require_directory()
            result = work()
            self._require_directory()  # else what was written is where nobody looks
            return result
        except StorageUnavailable:
            raise
        except Exception as error:
            self._require_directory()
            if not is_storage_error(error):
                raise
            raise StorageUnavailable(f"the storage is not available: {type(error).__name__}: {error}") from error

    def _require_directory(self) -> None:
        if self.directory is not None:
            self.directory.require()

    def _path(self, key: str) -> str:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts:
            raise ValueError(f"not a storage key: {key!r}")
        return f"{self._root}/{'/'.join(parts)}"

    def _prepare(self, key: str) -> Path:
        target = Path(self._path(key))
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _cached(self, key: str, fetch: Callable[..., object]) -> Path:
        if not self.cache.has(key) and not self._fs.exists(self._path(key)):
            raise NotStored(key)
        watched = Watched(self._check or never)
        return self.cache.path(key, lambda target: fetch(self._path(key), target, callback=watched))
