from contextlib import ExitStack

import pytest

from cli import CommandError, temporary_service
from cli.data_directory import DataDirectory
from cli.temporary_service import shared_service

URL = "http://127.0.0.1:1"


def test_a_service_that_is_still_starting_is_waited_for(tmp_path, monkeypatch):
    answers = ["status 503", "status 503", None]
    monkeypatch.setattr(temporary_service, "why_not_ready", lambda url: answers.pop(0))
    with DataDirectory(tmp_path).locked(URL), shared_service(tmp_path, print) as url:
        assert (url, answers) == (URL, [])


def test_a_service_that_ends_while_it_starts_is_told(tmp_path, monkeypatch):
    running = ExitStack()
    running.enter_context(DataDirectory(tmp_path).locked(URL))

    def ends(url):
        running.close()
        return "status 503"

    monkeypatch.setattr(temporary_service, "why_not_ready", ends)
    with pytest.raises(CommandError, match="ended before it was ready"), shared_service(tmp_path, print):
        pass


def test_a_slow_start_is_told_of_and_waited_for(tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(temporary_service, "TELL_SECONDS", 0.0)
    monkeypatch.setattr(temporary_service, "why_not_ready", lambda url: None if len(said) > 1 else "status 503")
    with DataDirectory(tmp_path).locked(URL), shared_service(tmp_path, said.append):
        assert "The service is still starting (status 503)" in said
