import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli.adapt import adapt_folder, predict_pictures
from cli.data_directory import DataDirectory
from cli.errors import CommandError
from cli.processes import marked_processes

IMAGES = Path(__file__).parent.parent.parent / "examples" / "clipart" / "images"


def pouf(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pictures")
    for path in sorted(IMAGES.iterdir())[:6]:
        shutil.copy(path, made)
    return made


def test_help_loads_no_server_and_no_pytorch():
    heavy = "{'torch', 'app', 'worker', 'pouf_core', 'sqlalchemy', 'httpx'}"
    script = f"import sys, cli.main; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


def test_a_folder_is_adapted_and_the_model_predicts(folder, tmp_path, capsys):
    out = tmp_path / "model"
    options = ["--class-names", "computer, smiley face", "--max-steps", 1, "--threads", 1, "--device", "cpu"]
    ran = pouf("adapt", folder, *options, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert str(out) in ran.stdout.replace("\n", "")
    predict_pictures(out, [folder / "00fdfebaa3e3.jpg"], 2, "adapted", "cpu")
    assert capsys.readouterr().out.startswith(f"{folder / '00fdfebaa3e3.jpg'}: smiley face 0.")


@pytest.mark.parametrize(
    ("class_names", "base_model", "tune", "reason"),
    [
        ("one", "pouf-lite", "prompt", "too_few_classes"),
        ("a,b", "none", "prompt", "unknown_base_model"),
        ("a,b", "pouf-lite", "everything", "tune: Input should be 'prompt'"),
    ],
)
def test_what_cannot_be_adapted_is_told(folder, tmp_path, class_names, base_model, tune, reason):
    with pytest.raises(CommandError, match=reason):
        adapt_folder(folder, class_names, tmp_path / "model", base_model, None, {"tune": tune}, 0, "cpu", None)
    assert not (tmp_path / "model").exists()


def test_a_folder_that_is_no_model_is_told(folder):
    with pytest.raises(CommandError, match="artifact_not_found"):
        predict_pictures(folder, [folder / "00fdfebaa3e3.jpg"], 1, "adapted", "cpu")


def test_the_database_is_migrated(tmp_path):
    for _ in range(2):
        assert pouf("migrate", POUF_DATA_DIR=str(tmp_path / "new")).returncode == 0
    assert (tmp_path / "new" / "pouf.db").is_file()


def test_a_taken_port_is_told_before_anything_starts(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ran = pouf("up", "--port", port, "--data-dir", tmp_path)
    assert ran.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in ran.stderr
    assert not (tmp_path / "pouf.db").exists()


def test_a_second_service_on_a_data_directory_is_refused(tmp_path):
    directory = DataDirectory(tmp_path)
    directory.create()
    with directory.locked("http://127.0.0.1:1234"):
        ran = pouf("up", "--port", 0, "--data-dir", tmp_path)
    assert ran.returncode == 1
    assert f"process {os.getpid()}, http://127.0.0.1:1234" in ran.stderr


@pytest.mark.parametrize(
    ("variable", "value"), [("POUF_DATABASE_URL", "sqlite:///here.db"), ("POUF_STORAGE_URL", "file://here")]
)
def test_relative_paths_in_urls_are_refused(tmp_path, variable, value):
    ran = pouf("up", "--data-dir", tmp_path, **{variable: value})
    assert ran.returncode == 1
    assert f"{variable} needs an absolute path" in ran.stderr


def test_a_setting_that_makes_no_sense_is_told(tmp_path):
    ran = pouf("up", "--data-dir", tmp_path, POUF_DEVICE="abacus")
    assert ran.returncode == 1
    assert "POUF_DEVICE" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_database_that_cannot_be_opened_ends_the_start(tmp_path):
    missing = tmp_path / "no" / "such" / "folder"
    missing.parent.parent.write_text("a file, so that no folder can be made here")
    ran = pouf("up", "--port", 0, "--data-dir", tmp_path / "data", POUF_DATABASE_URL=f"sqlite:///{missing}/pouf.db")
    assert ran.returncode == 1
    assert "The database cannot be used" in ran.stderr
    assert marked_processes((tmp_path / "data").resolve()) == []
