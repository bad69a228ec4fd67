import csv
import os
import shutil
import subprocess
import sys

import pytest

from cli.data_directory import DataDirectory
from cli.exit_codes import ExitCode
from tests.e2e.conftest import CLASSES


def pouf(*arguments, **options):
    command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def pictures(clipart, tmp_path):
    """Named as a person's folder would be, with a file that is broken."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in clipart.labels:
        shutil.copy(clipart.folder / name, folder)
    (folder / "broken.jpg").write_text("no picture")
    return folder


def rows_of(path):
    with path.open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_one_command_leads_from_a_folder_to_a_table_of_labels(service, clipart, pictures, tmp_path):
    environment = {**os.environ, "POUF_URL": service.url}
    classes = tmp_path / "classes.txt"
    classes.write_text("\n".join(CLASSES) + "\n\n")
    ran = pouf("label", pictures, "--classes", f"@{classes}", cwd=tmp_path, env=environment)
    assert ran.returncode == ExitCode.PARTLY, ran.stderr
    assert "broken.jpg: Not a picture" in ran.stderr
    assert "Verdict:" in ran.stderr
    rows = rows_of(tmp_path / "pictures-labels.csv")
    assert rows.keys() == clipart.labels.keys()
    right = sum(rows[name]["label"] == label for name, label in clipart.labels.items())
    assert right > len(rows) / 2
    again = pouf("label", pictures, "--classes", f"@{classes}", cwd=tmp_path, env=environment)
    assert again.returncode == ExitCode.WRONG_USE
    assert "say with -o where to write" in again.stderr


@pytest.mark.slow
def test_without_a_service_one_is_started_for_the_time_and_keeps_what_it_made(clipart, pictures, tmp_path):
    (pictures / "broken.jpg").unlink()
    environment = {**os.environ, "POUF_PORT": "1"}  # where nobody listens
    environment.pop("POUF_URL", None)
    options = ["--classes", ",".join(CLASSES), "--out", "-"]
    ran = pouf("label", pictures, *options, cwd=tmp_path, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "Starting a service for the time" in ran.stderr
    assert {row["name"] for row in csv.DictReader(ran.stdout.splitlines())} == clipart.labels.keys()
    assert (tmp_path / ".pouf" / "pouf.db").is_file()


@pytest.mark.slow
def test_the_second_of_two_goes_on_when_the_first_that_started_the_service_is_killed(clipart, pictures, tmp_path):
    (pictures / "broken.jpg").unlink()
    environment = {**os.environ, "POUF_PORT": "1", "POUF_DATA_DIR": str(tmp_path / "data")}
    environment.pop("POUF_URL", None)
    command = [sys.executable, "-m", "cli.main", "label", str(pictures), "--classes", ",".join(CLASSES), "-o"]
    first = subprocess.Popen([*command, str(tmp_path / "a.csv")], env=environment, stderr=subprocess.PIPE, text=True)
    assert "Starting a service" in first.stderr.readline()
    second = subprocess.Popen([*command, str(tmp_path / "b.csv")], env=environment, stderr=subprocess.PIPE, text=True)
    assert "Using the service" in second.stderr.readline()
    first.kill()
    first.communicate()
    assert second.communicate()[1]
    assert second.returncode == 0
    assert rows_of(tmp_path / "b.csv").keys() == clipart.labels.keys()
    assert DataDirectory(tmp_path / "data").served_at() is None
