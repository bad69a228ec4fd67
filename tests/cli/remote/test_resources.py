import csv
import json
import os
import pty
import subprocess
import sys
import zipfile

import pytest

from cli.exit_codes import ExitCode
from cli.predictions import batches
from tests.app.colour_engine import COLOURS


def test_a_folder_is_pushed_listed_shown_and_deleted(pouf, picture, tmp_path):
    folder = tmp_path / "colours"
    folder.mkdir()
    for colour in COLOURS:
        (folder / f"{colour}.png").write_bytes(picture(colour))
    pushed = pouf("datasets", "push", folder, "--no-wait", "--labels", "none")
    assert pushed.exit_code == 0, pushed.stderr
    dataset_id = pushed.stdout.strip()
    assert json.loads(pouf("datasets", "show", dataset_id, "--json").stdout)["name"] == "colours"
    listed = json.loads(pouf("datasets", "ls", "--json").stdout)
    assert [each["id"] for each in listed["data"]] == [dataset_id]
    assert dataset_id in pouf("datasets", "ls").stdout
    kept = pouf("datasets", "rm", dataset_id, stdin="n\n")
    assert kept.exit_code == ExitCode.WRONG_USE
    assert "--yes" in kept.stderr
    assert pouf("datasets", "rm", dataset_id, "--yes").exit_code == 0
    assert json.loads(pouf("datasets", "ls", "--json").stdout)["data"] == []


def test_items_of_a_dataset_and_what_was_rejected_are_listed(pouf, rows, predicted):
    dataset_id = predicted(3).dataset_id
    names = [
        item["name"] for item in json.loads(pouf("datasets", "show", dataset_id, "--items", "--json").stdout)["data"]
    ]
    assert "folder/0.png" in names
    assert json.loads(pouf("datasets", "show", dataset_id, "--rejected", "--json").stdout)["data"] == []
    assert "folder/0.png" in pouf("datasets", "show", dataset_id, "--items").stdout


def test_a_list_says_that_there_is_more(pouf, rows):
    ids = [rows.dataset() for _ in range(3)]
    short = pouf("datasets", "ls", "--limit", 2, "--json")
    assert [each["id"] for each in json.loads(short.stdout)["data"]] == ids[:0:-1]
    assert json.loads(short.stdout)["has_more"]
    assert "--limit 0" in pouf("datasets", "ls", "--limit", 2).stderr
    assert not json.loads(pouf("datasets", "ls", "--limit", 0, "--json").stdout)["has_more"]


def test_a_job_is_started_stopped_and_deleted(pouf, rows):
    dataset_id = rows.dataset()
    options = ["--classes", "boat,bird", "--method", "tune=prompt", "--method", "max_steps=3", "--no-wait", "--json"]
    started = pouf("jobs", "run", dataset_id, *options)
    assert started.exit_code == 0, started.stderr
    job = json.loads(started.stdout)
    assert (job["class_names"], job["method"]["max_steps"]) == (["boat", "bird"], 3)
    assert "boat, bird" in pouf("jobs", "show", job["id"]).stdout
    assert pouf("jobs", "rm", job["id"], "--yes").exit_code == ExitCode.CONFLICT
    assert "paused" in pouf("jobs", "pause", job["id"]).stderr
    assert "queued" in pouf("jobs", "resume", job["id"]).stderr
    assert "cancelled" in pouf("jobs", "cancel", job["id"]).stderr
    waited = pouf("jobs", "wait", job["id"])
    assert waited.exit_code == ExitCode.JOB_FAILED
    assert f"{job['id']} was cancelled" in waited.stderr
    assert "queued" in pouf("jobs", "retry", job["id"]).stderr
    assert pouf("jobs", "cancel", job["id"]).exit_code == 0
    assert [each["id"] for each in json.loads(pouf("jobs", "ls", "--json").stdout)["data"]] == [job["id"]]
    assert pouf("jobs", "rm", job["id"], "--yes").exit_code == 0


def test_what_happened_to_a_job_is_printed_event_by_event(pouf, rows):
    job_id = rows.job("running", "succeeded")
    followed = [json.loads(line) for line in pouf("jobs", "logs", job_id, "-f", "--json").stdout.splitlines()]
    past = [json.loads(line) for line in pouf("jobs", "logs", job_id, "--json").stdout.splitlines()]
    assert followed == past
    assert [event["seq"] for event in past] == list(range(1, len(past) + 1))
    assert all(
        event["type"] in line
        for event, line in zip(past, pouf("jobs", "logs", job_id).stdout.splitlines(), strict=True)
    )


def test_predictions_are_saved_and_two_jobs_compared(pouf, predicted, predict, tmp_path):
    first = predicted(12)
    second = predict(first.dataset_id, first.names, seed=1)
    saved = pouf("jobs", "predictions", first.job_id, "-o", tmp_path / "labels.csv")
    assert saved.exit_code == 0, saved.stderr
    with (tmp_path / "labels.csv").open(newline="") as file:
        assert {row["name"] for row in csv.DictReader(file)} == set(first.names.values())
    assert pouf("jobs", "predictions", first.job_id, "-o", "-").stdout.startswith("name,")
    compared = pouf("jobs", "compare", first.job_id, second.job_id)
    assert compared.exit_code == 0, compared.stderr
    agreement = json.loads(pouf("jobs", "compare", first.job_id, second.job_id, "--json").stdout)["agreement"]
    assert f"{agreement:.1%}" in compared.stdout


def test_texts_give_the_terminal_that_their_labels_go_to_no_commands(pouf, server, predicted):
    job_id = predicted(1, texts=["\x1b[2Jcleared"], names=["a.csv:2"]).job_id
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli.main", "jobs", "predictions", job_id, "-o", "-"]
    subprocess.run(command, stdout=theirs, check=True, env=os.environ | {"POUF_URL": str(server.base_url)})
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "\N{REPLACEMENT CHARACTER}[2Jcleared" in shown
    assert "\x1b" not in shown
    assert "\x1b[2Jcleared" in pouf(*command[3:]).stdout  # programs get the texts as they are


def test_a_model_is_named_fetched_and_deleted(pouf, rows, tmp_path):
    model_id = rows.model(name="m")
    assert pouf("models", "alias", "best", model_id).exit_code == 0
    assert pouf("models", "alias", "best").stdout.strip() == model_id
    assert pouf("models", "rename", "best", "birds").exit_code == 0
    shown = json.loads(pouf("models", "show", "best", "--json").stdout)
    assert (shown["id"], shown["name"], shown["aliases"]) == (model_id, "birds", ["best"])
    assert "birds" in pouf("models", "ls").stdout
    target = tmp_path / "fetched"
    assert pouf("models", "pull", "best", target).exit_code == 0
    assert list(target.iterdir())
    assert pouf("models", "pull", "best", target).exit_code == ExitCode.WRONG_USE
    assert pouf("models", "pull", "best", "-o", tmp_path / "again").exit_code == 0
    assert {path.name for path in (tmp_path / "again").iterdir()} == {path.name for path in target.iterdir()}
    kept = pouf("models", "rm", model_id, "--yes")
    assert kept.exit_code == ExitCode.CONFLICT
    for number in range(25):  # more than a model's document names
        assert pouf("models", "alias", f"other{number}", model_id).exit_code == 0
    assert "…" in pouf("models", "show", "best").stdout
    assert pouf("models", "rm", model_id, "--yes", "--with-aliases").exit_code == 0
    assert pouf("models", "alias", "best").exit_code == ExitCode.NOT_FOUND


@pytest.fixture
def served_model(rows):
    return rows.model(name="colours")


def test_a_service_predicts_what_lies_here_and_a_broken_file_is_named(pouf, served_model, picture, tmp_path):
    folder = tmp_path / "data"
    (folder / "more").mkdir(parents=True)
    (folder / "more" / "r.png").write_bytes(picture("red"))
    (folder / "broken.png").write_text("no picture")
    with zipfile.ZipFile(folder / "packed.zip", "w") as packed:
        packed.writestr("b.png", picture("blue"))
    ran = pouf("predict", served_model, folder, "--top-k", 2, "--json")
    assert ran.exit_code == ExitCode.PARTLY, ran.stderr
    said = {each["name"]: each for each in map(json.loads, ran.stdout.splitlines())}
    assert {name: each.get("label") for name, each in said.items()} == {
        "broken.png": None,
        "more/r.png": "red",
        "b.png": "blue",
    }
    assert len(said["more/r.png"]["top_k"]) == 2
    assert said["broken.png"]["error"]["code"] == "undecodable_image"
    nothing = pouf("predict", served_model, folder / "broken.png")
    assert nothing.exit_code == ExitCode.WRONG_USE
    assert "broken.png: Not a picture" in nothing.stderr


def test_files_that_are_broken_one_after_another_stop_nothing(pouf, served_model, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "AT_ONCE", 2)
    for number in range(3):
        (tmp_path / f"{number}.png").write_text("no picture")
    (tmp_path / "3.png").write_bytes(picture("red"))
    ran = pouf("predict", served_model, *(tmp_path / f"{number}.png" for number in range(4)))
    assert ran.exit_code == ExitCode.PARTLY
    assert ran.stdout.startswith(f"{tmp_path / '3.png'}: red")
    assert "3 of 4 could not be read" in ran.stderr


def test_a_key_is_asked_whose_it_is(pouf, make_key, monkeypatch):
    monkeypatch.setenv("POUF_API_KEY", make_key("alice", "read"))
    assert json.loads(pouf("keys", "whoami", "--json").stdout)["owner"] == "alice"
    assert "alice" in pouf("keys", "whoami").stdout
