"""What one encoder made of one view of items: a folder of volumes, and where in them an item's features are."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.feature_files import SUFFIX, new_file_name
from pouf_core.data.private_directory import make_private
from pouf_core.feature_cache.place import FeaturePlace
from pouf_core.feature_cache.volume import (
    DIGEST_BYTES,
    Digests,
    Rows,
    Volume,
    VolumeWriter,
    row_type,
)
from pouf_core.system.durable_files import whole_file

logger = logging.getLogger(__name__)

Places = npt.NDArray[np.int64]
"""[n] numbers that a shelf gives its records; -1 for none."""

VOLUME_BYTES = 64 * 1024**2
_CHECKED_AT_ONCE = 4096
_ABOUT = "about.json"
_FORMAT = 2  # another number where equal keys would mean other features


class Shelf:
    """The features of one key. Several processes may use one at a time.

    Args:
        place: where features are kept.
        key: equal keys mean that equal items have equal features.

    Attributes:
        engine: what made them, once there are some.

    Raises:
        OSError: the folder cannot be read.
    """

    def __init__(self, place: FeaturePlace, key: str) -> None:
        self._place = place
        self._key = f"{_FORMAT} {key}"
        self._folder = place.directory / hashlib.sha256(self._key.encode()).hexdigest()[:40]
        self.engine: EngineUsed | None = None
        self._row: np.dtype[Any] | None = None
        self._volumes: list[Volume] = []
        self._writer: VolumeWriter | None = None
        self._written_to = 0
        self._digests: list[Digests] = []
        self._volume_of: list[Places] = []
        self._record_of: list[Places] = []
        self._checked: list[npt.NDArray[np.bool_]] = []
        self._index: _Index | None = None
        if self._folder.is_dir() and self._read_about():
            for path in sorted(self._folder.glob(f"*{SUFFIX}")):
                self._open(path)

    @property
    def number_type(self) -> np.dtype[Any]:
        """Of one number; there must be features."""
        assert self._row is not None
        return self._row.base

    def find(self, digests: Digests) -> Places:
        """Where the features of items are; a volume that turns out to be damaged is removed."""
        while True:
            self._gather()
            if self._index is None:
                self._index = _Index(self._digests[0])
            places = self._index.find(digests)
            damaged = self._damaged(places[places >= 0])
            if damaged is None:
                return places
            self._drop(damaged)

    def rows(self, places: Places) -> Rows:
        """A copy of the features [b, d] at places, none of which is -1."""
        assert self._row is not None
        if self._writer is not None:
            self._volumes[self._written_to].map(self._writer.descriptor)
        self._gather()
        found = np.empty((len(places), *self._row.shape), self.number_type)
        volumes, records = self._volume_of[0][places], self._record_of[0][places]
        for number in np.unique(volumes).tolist():
            wanted = volumes == number
            found[wanted] = self._volumes[number].rows(records[wanted])
        return found

    def forget_pages(self) -> None:
        """Let the system take back the memory of features that were read."""
        for volume in self._volumes:
            volume.forget_pages()

    def add(self, digests: Digests, rows: Rows, engine: EngineUsed | None) -> bool:
        """Keep features [b, d], unless there is no room.

        Raises:
            OSError: the disk is full, for one.
        """
        if self._row is None:
            self._write_about(rows, engine)
        assert self._row is not None
        if not self._place.grants(len(rows) * self._row.itemsize, {volume.path for volume in self._volumes}):
            return False
        writer = self._writer or self._begin_volume()
        first = writer.count
        writer.append(digests, rows)
        self._note(digests, self._written_to, first, checked=True)
        if writer.size >= VOLUME_BYTES:
            self.close()
        return True

    def close(self) -> None:
        """Let others append to what this process appended to."""
        if self._writer is not None:
            self._volumes[self._written_to].map(self._writer.descriptor)
            self._writer.close()
            self._writer = None

    def _begin_volume(self) -> VolumeWriter:
        """A volume of this shelf that has room and no writer, or a new one."""
        assert self._row is not None
        for number, volume in enumerate(self._volumes):
            try:
                if volume.path.stat().st_size < VOLUME_BYTES:
                    self._writer, self._written_to = VolumeWriter(volume.path, self._row, new=False), number
                    return self._writer
            except (BlockingIOError, FileNotFoundError):
                continue
        path = self._folder / new_file_name()
        self._writer, self._written_to = VolumeWriter(path, self._row, new=True), len(self._volumes)
        self._volumes.append(Volume(path, self._row))
        return self._writer

    def _note(self, digests: Digests, volume: int, first: int, checked: bool) -> None:
        self._digests.append(digests.copy())
        self._volume_of.append(np.full(len(digests), volume, np.int64))
        self._record_of.append(np.arange(first, first + len(digests)))
        self._checked.append(np.full(len(digests), checked))
        self._index = None

    def _gather(self) -> None:
        """Put what is known of every place into one array each."""
        if len(self._digests) != 1:
            self._digests = [np.concatenate([np.empty((0, DIGEST_BYTES), np.uint8), *self._digests])]
            self._volume_of = [np.concatenate([np.empty(0, np.int64), *self._volume_of])]
            self._record_of = [np.concatenate([np.empty(0, np.int64), *self._record_of])]
            self._checked = [np.concatenate([np.empty(0, bool), *self._checked])]

    def _damaged(self, places: Places) -> int | None:
        """The number of a volume that is not what was written, as far as these places show."""
        checked, volumes, records = self._checked[0], self._volume_of[0], self._record_of[0]
        unchecked = places[~checked[places]]
        for number in np.unique(volumes[unchecked]).tolist():
            of_volume = unchecked[volumes[unchecked] == number]
            for start in range(0, len(of_volume), _CHECKED_AT_ONCE):
                part = of_volume[start : start + _CHECKED_AT_ONCE]
                if not self._volumes[number].is_whole(records[part]):
                    return int(number)
                checked[part] = True
            if len(of_volume) >= _CHECKED_AT_ONCE:
                self._volumes[number].forget_pages()
        return None

    def _drop(self, number: int) -> None:
        """Remove a volume; its places are never found again."""
        volume = self._volumes[number]
        logger.warning("The features in %s are damaged; what was in it is encoded again.", volume.path)
        volume.remove()
        self._digests[0][self._volume_of[0] == number] = 0
        self._index = None

    def _open(self, path: Path) -> None:
        """Take a volume in."""
        assert self._row is not None
        volume = Volume(path, self._row)
        try:
            digests = volume.read()
            os.utime(path)  # used now
        except FileNotFoundError:  # removed for room meanwhile
            return
        self._volumes.append(volume)
        self._note(digests, len(self._volumes) - 1, 0, checked=False)

    def _read_about(self) -> bool:
        """Whether the folder says what its volumes hold; one that does not is removed."""
        try:
            about = json.loads((self._folder / _ABOUT).read_text())
        except FileNotFoundError:  # it is being made
            return False
        except (OSError, ValueError):
            about = {}
        try:
            if about["key"] != self._key:
                raise ValueError("another key")
            engine = about["engine"]
            self.engine = None if engine is None else EngineUsed.model_validate(engine)
            self._row = row_type(about["type"], int(about["width"]))
        except (ValueError, KeyError, TypeError):
            logger.warning("The features in %s do not say what they are, and are made again.", self._folder)
            shutil.rmtree(self._folder, ignore_errors=True)
            self.engine = self._row = None
        return self._row is not None

    def _write_about(self, rows: Rows, engine: EngineUsed | None) -> None:
        make_private(self._folder)
        about = {
            "key": self._key,
            "type": rows.dtype.newbyteorder("<").str,
            "width": rows.shape[1],
            "engine": None if engine is None else engine.model_dump(mode="json"),
        }
        with whole_file(self._folder / _ABOUT) as file:
            file.write(json.dumps(about).encode())
        self.engine, self._row = engine, row_type(about["type"], rows.shape[1])


class _Index:
    """Finds content hashes [n, 32] by their first 8 bytes, and compares the rest."""

    def __init__(self, digests: Digests) -> None:
        self._digests = digests
        beginnings = _beginnings(digests)
        self._order = np.argsort(beginnings, kind="stable")
        self._sorted = beginnings[self._order]

    def find(self, digests: Digests) -> Places:
        """Places of digests [m, 32]; -1 where there is none."""
        if not len(self._digests):
            return np.full(len(digests), -1, np.int64)
        slots = np.minimum(np.searchsorted(self._sorted, _beginnings(digests)), len(self._sorted) - 1)
        places: Places = self._order[slots].astype(np.int64)
        places[(self._digests[places] != digests).any(axis=1)] = -1
        return places


def _beginnings(digests: Digests) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(digests[:, :8]).view(">u8").reshape(-1).astype(np.uint64)
