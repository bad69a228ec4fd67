"""Asks a process of its own to read files: none can exhaust the memory or time of the service, or crash it."""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE
from typing import Self, TypedDict, TypeVar

from pouf_core.data.deadline_pipes import DeadlineExpired, DeadlinePipes, StoodStill
from pouf_core.data.decoder import START_SECONDS
from pouf_core.data.lifeline import tied
from pouf_core.data.limited_process import (
    CLOCK_SECONDS_PER_CPU_SECOND,
    FEW_BYTES_AHEAD,
    ReaderUnavailable,
    describe_end,
    end,
    environment,
)
from pouf_core.data.reading.protocol import (
    ANSWER,
    ANSWERS_PER_ALLOWANCE,
    LONGEST_ANSWER,
    READY,
    REQUEST,
    AnyQuestion,
    Fault,
    Kind,
    Refusal,
)
from pouf_core.data.sheets import ReadingLimits
from pouf_core.data.text_tables import AmbiguousTable
from pouf_core.errors import InvalidInput

logger = logging.getLogger(__name__)

MODULE = "pouf_core.data.reading.process"
TIMED_OUT = "reading_timed_out"
CRASHED = "reading_crashed"
#: On a busy machine reading takes longer than it computes; less than a holder of a lease may take without getting on.
_MOST_CLOCK_SECONDS = 500.0
_ATTEMPTS = 2
_OTHER_FILES_BYTES = 1024**2  # temporary ones, beside a copy

PartT = TypeVar("PartT")
AboutT = TypeVar("AboutT")
RowT = TypeVar("RowT")


class Asked(TypedDict):
    """What every question has."""

    path: Path | None
    size: int
    memory_bytes: int
    cpu_seconds: float
    file_bytes: int


class _Died(Exception):
    """The process ended before it answered, or answered what is no answer."""


class FileReader:
    """One process, started when first needed and again after one that was killed; used by one thread at a time.

    Args:
        limits: what reading may take.
        scratch: a directory to work in.
        check: called about every second while an answer is waited for; raises to end that.
    """

    def __init__(self, limits: ReadingLimits, scratch: Path, check: Callable[[], None] = lambda: None) -> None:
        self._limits = limits
        self._scratch = scratch
        self._check = check
        self._process: subprocess.Popen[bytes] | None = None
        self._is_answering = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._end()

    def another(self) -> FileReader:
        """A reader with a process of its own, for one file, whose parser is not trusted with others."""
        return FileReader(self._limits, self._scratch, self._check)

    @property
    def pid(self) -> int | None:
        """The process's id; None when there is none."""
        return self._process.pid if self._process is not None else None

    def asked(self, source: Path | bytes, file_bytes: int | None = None) -> Asked:
        """What every question about a file has; copies of the file may be made, unless `file_bytes` says how much."""
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        return {
            "path": source if isinstance(source, Path) else None,
            "size": size,
            "memory_bytes": self._limits.memory_bytes,
            "cpu_seconds": self._limits.cpu_seconds,
            "file_bytes": size + _OTHER_FILES_BYTES if file_bytes is None else file_bytes,
        }

    def answers(
        self, question: AnyQuestion, source: Path | bytes, parse: Callable[[Kind, bytes], PartT]
    ) -> Iterator[PartT]:
        """The parts of the answer to a question about a file.

        Args:
            question: what is asked.
            source: the file, or its path.
            parse: makes a part of an `ABOUT` or of `ROWS`; raises `ValueError`, `LookupError` or `InvalidInput` of what
                is none, as a process may answer that a file has taken over.

        Raises:
            InvalidInput: what is wrong with the file, or `reading_out_of_memory`, `reading_timed_out`,
                `reading_crashed`.
            ReaderUnavailable: no file can be read; its cause is an `OSError` where the system refuses something.
        """
        given = b"" if isinstance(source, Path) else source
        passed_on = 0
        for attempt in range(1, _ATTEMPTS + 1):
            self.start()
            self._is_answering, expired = True, False
            try:
                for number, part in enumerate(self._exchange(question, given, parse), start=1):
                    if number > passed_on:
                        passed_on = number
                        yield part
                return
            except _Died:
                logger.debug("The reader died of a file of %d bytes.", question.size)
            except DeadlineExpired as error:  # whoever stands still once was stopped, and no file is the cause
                expired = attempt == _ATTEMPTS or not isinstance(error, StoodStill)
            status = self._end()
            logger.warning("The reader ended at a file of %d bytes; %s.", question.size, describe_end(status))
            if expired or -status == signal.SIGXCPU:
                message = f"Reading the file takes more than {question.seconds:g} seconds without getting on."
                raise InvalidInput(TIMED_OUT, message)
            if attempt == _ATTEMPTS:  # one death may be the system's doing, for example when memory ran out
                break
        raise InvalidInput(CRASHED, "The file ends the process that reads it.")

    def gathered(
        self,
        question: AnyQuestion,
        source: Path | bytes,
        about_of: Callable[[bytes], AboutT],
        rows_of: Callable[[bytes], list[RowT]],
        most: int,
    ) -> tuple[AboutT | None, list[RowT]]:
        """As `answers`: what comes before the rows, if anything does, and the rows, no more than just beyond `most`."""

        def parsed(kind: Kind, content: bytes) -> tuple[AboutT | None, list[RowT]]:
            return (about_of(content), []) if kind is Kind.ABOUT else (None, rows_of(content))

        about: AboutT | None = None
        rows: list[RowT] = []
        for told, part in self.answers(question, source, parsed):
            about = told if told is not None else about
            rows += part
            if len(rows) > most:
                break  # which is refused
        return about, rows

    def start(self) -> None:
        """Have a process that waits for a question; raises `ReaderUnavailable`."""
        if self._process is not None and self._is_answering:  # what nobody waits for any more
            self._end()
        if self._process is not None:
            return
        with ExitStack() as stack:
            start = stack.enter_context(tied(MODULE, str(self._limits.memory_bytes)))
            self._process = subprocess.Popen(
                start.command,
                stdin=PIPE,
                stdout=PIPE,
                bufsize=0,
                pass_fds=start.pass_fds,
                env=environment() | {"TMPDIR": str(self._scratch)} | FEW_BYTES_AHEAD,
                start_new_session=True,
            )
            self._lifeline = stack.pop_all()
        self._is_answering = True  # until it is ready
        self._pipes = DeadlinePipes(self._process, self._check)
        if not self._pipes.says(READY, START_SECONDS):
            raise ReaderUnavailable(f"The reader of files did not start; {describe_end(self._end())}.")
        self._is_answering = False

    def _exchange(self, question: AnyQuestion, given: bytes, parse: Callable[[Kind, bytes], PartT]) -> Iterator[PartT]:
        """The parts of one answer, waiting for no more than some times the seconds that may be computed."""
        seconds = left = min(question.seconds * CLOCK_SECONDS_PER_CPU_SECOND, _MOST_CLOCK_SECONDS)
        asked, answered = question.model_dump_json().encode(), 0
        try:
            self._pipes.allow(seconds)
            self._pipes.write(REQUEST.pack(len(asked), len(given)) + asked)
            self._pipes.write(given)
            while True:
                began = time.monotonic()
                self._pipes.allow(left)
                kind, content = self._answer()
                left -= time.monotonic() - began
                if kind is Kind.END:
                    break
                answered += kind is Kind.ROWS
                if answered and answered % ANSWERS_PER_ALLOWANCE == 0:
                    left = seconds
                yield _checked(kind, content, parse)
        except EOFError as error:
            raise _Died from error
        except InvalidInput:
            self._is_answering = False
            raise
        self._is_answering = False

    def _answer(self) -> tuple[Kind, bytes]:
        number, size = ANSWER.unpack(self._pipes.read(ANSWER.size))
        try:
            kind = Kind(number)
        except ValueError as error:
            raise _Died from error
        if size > LONGEST_ANSWER:
            raise _Died
        return kind, bytes(self._pipes.read(size))

    def _end(self) -> int:
        """Kill the process, forget it and return its exit status."""
        process, self._process = self._process, None
        assert process is not None
        status = end(process)
        self._lifeline.close()
        return status


def _checked(kind: Kind, content: bytes, parse: Callable[[Kind, bytes], PartT]) -> PartT:
    """A part; raises what a refusal or a fault says instead."""
    try:
        if kind not in (Kind.REFUSED, Kind.FAULT):
            return parse(kind, content)
        refusal = Refusal.model_validate_json(content) if kind is Kind.REFUSED else None
        fault = Fault.model_validate_json(content) if kind is Kind.FAULT else None
    except (ValueError, LookupError, InvalidInput) as error:
        raise _Died from error
    if fault is not None:
        cause = OSError(fault.number, fault.said)
        raise ReaderUnavailable(f"The reader of files lacks what it works with: {cause}.") from cause
    assert refusal is not None
    if refusal.candidates is not None:
        raise AmbiguousTable(refusal.message, refusal.candidates)
    raise InvalidInput(refusal.code, refusal.message, field=refusal.field)
