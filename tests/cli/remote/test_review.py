import json

import pytest

from cli.exit_codes import ExitCode

CLASSES = ["red", "green", "blue"]


@pytest.fixture
def job_id(rows, predicted):
    job = predicted(20)
    rows.model_of(job.job_id)
    return job.job_id


def answers_of(server, job_id):
    (audit,) = server.get(f"/v1/jobs/{job_id}/audits").json()["data"]
    answers = server.get(f"/v1/jobs/{job_id}/audits/{audit['id']}/answers").json()["data"]
    return audit, [answer for answer in answers if answer["counts"]]


def test_a_key_answers_one_undoes_and_what_was_answered_is_kept_when_one_quits(pouf, server, job_id):
    begun = pouf("review", job_id, "--size", 4, "--seed", 1, stdin="1u2x0q")
    assert begun.exit_code == 0, begun.stderr
    assert "'x' means nothing here" in begun.stderr
    audit, answers = answers_of(server, job_id)
    assert [answer["label"] or answer["answer"] for answer in answers] == ["green", "none_of_these"]
    assert "Answered: 2 of 4." in begun.stdout
    goes_on = pouf("review", job_id, "--json", stdin="?/bl\n")
    assert "1 of 2" in goes_on.stderr
    assert json.loads(goes_on.stdout[goes_on.stdout.index("{") :])["id"] == audit["id"]  # after what was typed
    _, answers = answers_of(server, job_id)
    assert [answer["label"] or answer["answer"] for answer in answers] == [
        "green",
        "none_of_these",
        "cant_tell",
        "blue",
    ]


@pytest.mark.parametrize("typed", [["1\n"], ["1", "\n", "\x04"], ["\x1b[A", "1\n\x04"]])
def test_keys_that_come_at_once_count_each_and_the_end_of_the_input_quits(pouf, server, job_id, monkeypatch, typed):
    keys = iter(typed)

    def getchar():
        if (key := next(keys, "\x04")) == "\x04":
            raise EOFError  # as a terminal does
        return key

    monkeypatch.setattr("typer.getchar", getchar)
    begun = pouf("review", job_id, "--size", 4, "--seed", 1)
    assert begun.exit_code == 0, begun.stderr
    assert "Answered: 2 of 4." in begun.stdout


def test_enter_takes_the_proposed_class_and_accuracy_is_measured(pouf, server, job_id):
    ran = pouf("review", job_id, "--size", 20, "--seed", 1, stdin="\n" * 20)
    assert "Answered: 20 of 20." in ran.stdout
    assert "adapted     100.0%" in ran.stdout
    assert "folder/" not in ran.stderr  # its name may be that of a class
    assert "--confirm" in ran.stderr
    assert pouf("review", job_id, "--confirm").exit_code == 0
    assert server.get(f"/v1/jobs/{job_id}").json()["verdict"] == "improved"


def test_what_nobody_reviewed_is_not_confirmed(pouf, job_id):
    assert pouf("review", job_id, "--confirm").exit_code == ExitCode.CONFLICT
