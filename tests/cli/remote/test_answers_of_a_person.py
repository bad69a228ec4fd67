"""What a person says while a command runs: no, or Ctrl-C."""

import io
import sys

import pytest

from cli import CommandError
from cli.remote import label, listing
from pouf_client import ClientError


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_is_deleted_when_a_person_says_no(monkeypatch):
    deleted = []
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    with pytest.raises(CommandError, match="Nothing was deleted"):
        listing.remove(["job_1"], "jobs", deleted.append, sure=False)
    assert not deleted


def test_an_interrupt_stays_one_when_the_job_has_ended_just_now(monkeypatch):
    class EndedJobs:
        jobs = property(lambda self: self)

        def cancel(self, job_id):
            raise ClientError("it has ended")

    def interrupted(client, job_id):
        raise KeyboardInterrupt

    monkeypatch.setattr(label, "follow", interrupted)
    with pytest.raises(KeyboardInterrupt):
        label._finished(EndedJobs(), "job_1")
