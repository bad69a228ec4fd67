"""Exchanges with a process that answers late, in pieces, or never."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pouf_core.data import process_watch
from pouf_core.data.deadline_pipes import DeadlineExpired, DeadlinePipes, StoodStill

LARGE = b"0123456789" * 300_000


@contextmanager
def running(*command: str) -> Iterator[DeadlinePipes]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            pipes = DeadlinePipes(process)
            pipes.allow(20)
            yield pipes
        finally:
            process.kill()


def test_what_a_pipe_cannot_hold_at_once_comes_back_whole() -> None:
    with running("sh", "-c", "head -c 3000006 > /dev/null; printf 'line\\nrest'; head -c 100000 /dev/zero") as pipes:
        pipes.write(b"line\n" + LARGE + b"\n")
        assert pipes.read_line(100) == b"line\n"
        assert pipes.read(100_004) == b"rest" + bytes(100_000)


def test_a_line_is_read_no_further_than_allowed() -> None:
    with running("sh", "-c", "printf 'without end'; cat") as pipes:
        assert pipes.read_line(7) == b"without"
        assert pipes.read(4) == b" end"


def test_a_process_that_neither_reads_nor_answers_is_waited_for_until_the_deadline() -> None:
    with running("sleep", "60") as pipes:
        pipes.allow(0.05)
        with pytest.raises(DeadlineExpired):
            pipes.write(LARGE)
        pipes.allow(0.05)
        with pytest.raises(DeadlineExpired):
            pipes.read(1)


def test_a_process_that_does_nothing_at_all_is_waited_for_no_longer_than_it_may_stand_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process_watch, "STILL_SECONDS", process_watch.LOOK_SECONDS)
    with running("sleep", "1000") as pipes:
        pipes.allow(900)
        with pytest.raises(StoodStill):
            pipes.read(1)


def test_the_end_of_a_process_is_told() -> None:
    with running("true") as pipes:
        with pytest.raises(EOFError):
            pipes.read(1)
        with pytest.raises(EOFError):
            pipes.write(LARGE)


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="only Linux says how much a pipe holds")
def test_what_pipes_of_a_user_may_hold_is_spent_on_answers_alone() -> None:
    usual = os.pipe()
    try:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
            DeadlinePipes(process)
            asked, answered, plain = (
                fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) for pipe in (process.stdin, process.stdout, usual[0])
            )
            process.kill()
    finally:
        for end in usual:
            os.close(end)
    assert asked == plain <= answered
