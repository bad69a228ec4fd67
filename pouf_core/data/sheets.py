"""Tables in workbooks and parquet files, read in a process of its own: they unpack to whatever their headers claim."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from pouf_core.contract.base_model import Modality
from pouf_core.contract.item_limits import DECODING_CPU_SECONDS, DECODING_MEMORY_BYTES
from pouf_core.data.file_kinds import PARQUET_SUFFIX, WORKBOOK_SUFFIXES, ArrowForm
from pouf_core.data.lifeline import tied
from pouf_core.data.limited_process import FEW_BYTES_AHEAD, describe_end, environment
from pouf_core.data.sheet_process import END
from pouf_core.errors import InvalidInput

_MODULE = "pouf_core.data.sheet_process"
_BYTES_PER_ALLOWANCE = 32 * 1024**2
_SCRATCH = "pouf-texts-"


@dataclass(frozen=True)
class ReadingLimits:
    """What reading a file may take: bytes of memory, and seconds of computing for 32 MiB of it, or 10,000 rows."""

    memory_bytes: int = DECODING_MEMORY_BYTES
    cpu_seconds: float = DECODING_CPU_SECONDS


USUAL_LIMITS = ReadingLimits()


@dataclass(frozen=True)
class Sheet:
    """A table of a workbook or of a parquet file.

    Attributes:
        name: of the sheet; None where there are none.
        unread: names of the other sheets that hold something.
        skipped: rows before the table.
        rows: its rows in order. Iterating raises `csv.Error` where the rest cannot be read.
    """

    name: str | None
    unread: tuple[str, ...]
    skipped: int
    rows: Iterator[list[str]]


@contextmanager
def opened_sheet(source: Path | IO[bytes], suffix: str, limits: ReadingLimits) -> Iterator[Sheet]:
    """The table of a workbook or a parquet file, read row by row while the block runs.

    Args:
        source: a path, or an open file.
        suffix: of its name.
        limits: what reading may take.

    Raises:
        InvalidInput: `malformed_table`, `parquet_not_installed`.
    """
    wanted = "workbook" if suffix in WORKBOOK_SUFFIXES else suffix.removeprefix(".")
    if wanted != "workbook":
        require_parquet(suffix)
    with _on_disk(source) as path, _reader(wanted, path, limits) as reader:
        assert reader.stdout is not None
        about = _line(reader, reader.stdout)
        yield Sheet(about["sheet"], tuple(about["unread"]), about["skipped"], _rows(reader, reader.stdout))


def kind_of_table(source: Path | IO[bytes], form: ArrowForm, limits: ReadingLimits) -> Modality:
    """What a table of columns holds by these; embeddings where pyarrow is not installed.

    Raises:
        InvalidInput: `malformed_table`.
    """
    if find_spec("pyarrow") is None:
        return "embedding"
    with _on_disk(source) as path, _reader(f"kind:{form}", path, limits) as reader:
        assert reader.stdout is not None
        kind: Modality = _line(reader, reader.stdout)
        return kind


def require_parquet(suffix: str = PARQUET_SUFFIX) -> None:
    """Raise `InvalidInput` `parquet_not_installed` where parquet files, and others of Arrow, cannot be read."""
    if find_spec("pyarrow") is None:
        message = f"Reading {suffix} needs pyarrow: pip install 'pouf-service[parquet]'; or send another format."
        raise InvalidInput("parquet_not_installed", message)


@contextmanager
def _on_disk(source: Path | IO[bytes]) -> Iterator[Path]:
    if isinstance(source, Path):
        yield source
        return
    with TemporaryDirectory(prefix=_SCRATCH) as folder:
        path = Path(folder) / "copy"
        with path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        yield path


@contextmanager
def _reader(wanted: str, path: Path, limits: ReadingLimits) -> Iterator[subprocess.Popen[bytes]]:
    seconds = limits.cpu_seconds * (1 + path.stat().st_size // _BYTES_PER_ALLOWANCE)
    arguments = (wanted, str(path), str(limits.memory_bytes), str(seconds))
    with tied(_MODULE, *arguments) as start:
        process = subprocess.Popen(
            start.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=start.pass_fds,
            env=environment() | FEW_BYTES_AHEAD,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _line(reader: subprocess.Popen[bytes], stream: IO[bytes]) -> Any:
    """The next value; raises `InvalidInput` where the reader says so, or ended."""
    line = stream.readline()
    try:
        value = json.loads(line)
    except ValueError as error:
        message = f"The file ends the process that reads it: {describe_end(reader.wait())}. Save it as .csv."
        raise InvalidInput("malformed_table", message) from error
    if isinstance(value, dict) and "code" in value:
        raise InvalidInput(str(value["code"]), str(value["message"]))
    return value


def _rows(reader: subprocess.Popen[bytes], stream: IO[bytes]) -> Iterator[list[str]]:
    while True:
        try:
            value = _line(reader, stream)
        except InvalidInput as error:
            raise csv.Error(error.message) from error
        if value == END:
            return
        yield value
