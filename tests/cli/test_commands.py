import io
import os
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from cli import adapt, main
from cli.data_directory import DataDirectory
from cli.exit_codes import ExitCode
from cli.main import app
from cli.processes import marked_processes
from store.clock import utcnow
from store.database import Database, upgrade
from store.ids import new_id
from store.tables import Dataset


def pouf(*arguments, **environment):
    """Runs `pouf` in a process of its own, which a command needs that starts others."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def invoked(*arguments, **environment):
    """Runs `pouf` in this process."""
    return CliRunner(env=environment).invoke(app, [*map(str, arguments)])


def test_help_loads_no_server_and_no_large_library():
    heavy = "{'torch', 'app', 'worker', 'numpy', 'pydantic', 'PIL', 'sqlalchemy', 'httpx'}"
    script = f"import sys, cli.main; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


@pytest.mark.parametrize(("chosen", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_leave_the_processor_to_others_unless_told_otherwise(monkeypatch, chosen, policy):
    monkeypatch.setenv("OMP_WAIT_POLICY", chosen or "")
    if chosen is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(main, "app", lambda: None)
    main.main()
    assert os.environ["OMP_WAIT_POLICY"] == policy


def test_a_folder_is_adapted_and_the_model_predicts(folder, tmp_path):
    out = tmp_path / "model"
    options = ["--class-names", "computer, smiley face", "--max-steps", 1, "--threads", 1, "--device", "cpu"]
    ran = pouf("adapt", folder, *options, "--out", out, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert ran.returncode == 0, ran.stderr
    assert list((tmp_path / "cache" / "pouf" / "features").rglob("*.features"))
    assert str(out) in ran.stdout.replace("\n", "")
    picture = str(folder / "00fdfebaa3e3.jpg")
    predicted = CliRunner().invoke(app, ["predict", str(out), picture, "--top-k", "2", "--device", "cpu"])
    assert predicted.stdout.startswith(f"{picture}: smiley face 0.")


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ([], {"type": "pouf"}),
        (["--method", "zero-shot"], {"type": "zero-shot"}),
        (["--tune", "head", "--max-steps", "3"], {"type": "pouf", "tune": "head", "max_steps": 3}),
    ],
)
def test_only_settings_that_were_given_reach_the_method(monkeypatch, tmp_path, options, method):
    asked = []
    monkeypatch.setattr(adapt, "adapt_data", lambda wanted: asked.append(wanted.method))
    arguments = ["adapt", str(tmp_path), "--class-names", "a,b", "--out", str(tmp_path / "model"), *options]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    assert asked == [method]


def test_the_database_is_migrated(tmp_path):
    for _ in range(2):
        assert invoked("migrate", POUF_DATA_DIR=str(tmp_path / "new")).exit_code == 0
    assert (tmp_path / "new" / "pouf.db").is_file()


def test_a_taken_port_is_reported_before_anything_starts(tmp_path):
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


def test_an_invalid_setting_is_reported_without_a_traceback(tmp_path):
    ran = pouf("up", "--data-dir", tmp_path, POUF_DEVICE="abacus")
    assert ran.returncode == 1
    assert "POUF_DEVICE" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_database_that_cannot_be_opened_ends_the_start(tmp_path):
    missing = tmp_path / "no" / "such" / "folder"
    missing.parent.parent.write_text("a file, so that no folder can be made here")
    ran = pouf("up", "--port", 0, "--data-dir", tmp_path / "data", POUF_DATABASE_URL=f"sqlite:///{missing}/pouf.db")
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert "The database cannot be used" in line
    assert marked_processes((tmp_path / "data").resolve()) == []


def test_what_is_too_old_is_counted_and_removed(tmp_path):
    url = f"sqlite:///{tmp_path / 'pouf.db'}"
    upgrade(url)
    database = Database(url)
    long_ago = utcnow() - timedelta(days=400)
    with database.write() as session:
        session.add(
            Dataset(
                id=new_id("ds"), owner="local", modality="image", status="uploading", updated_at=long_ago,
                meta={"note": "x" * 1_000_000},
            )
        )  # fmt: skip
    ran = invoked("prune", "--dry-run", "--data-dir", tmp_path)
    assert ran.exit_code == 0, ran.stderr
    assert "1  unfinished datasets" in ran.stdout
    for expected in ("1  unfinished datasets", "0  unfinished datasets"):
        ran = invoked("prune", "--data-dir", tmp_path)
        assert (ran.exit_code, expected in ran.stdout) == (0, True), ran.stderr
    with database.write() as session:
        session.scalars(select(Dataset)).one().deleted_at = long_ago
    before = (tmp_path / "pouf.db").stat().st_size
    assert "1  deleted datasets" in invoked("prune", "--data-dir", tmp_path).stdout
    database.dispose()
    assert (tmp_path / "pouf.db").stat().st_size < before - 900_000


def test_orphans_are_listed_and_removed_when_told_to(tmp_path):
    database_url = f"sqlite:///{tmp_path / 'pouf.db'}"
    upgrade(database_url)
    database = Database(database_url)
    with database.write() as session:
        session.add(Dataset(id=new_id("ds"), owner="local", modality="image", status="ready"))
    database.dispose()
    left = tmp_path / "storage" / "models" / new_id("mdl") / "adapter.safetensors"
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(1234))
    os.utime(left, (0, 0))
    for arguments, found in ([], "Found 1 file "), (["--delete"], "Removed 1 file "), ([], "Found 0 files "):
        there = left.exists()
        ran = invoked("orphans", *arguments, "--data-dir", tmp_path)
        assert ran.exit_code == 0, ran.stderr
        assert found in ran.stdout
        assert (left.parent.name in ran.stdout, left.exists()) == (there, there and not arguments)


def test_what_the_terminal_has_no_place_for_is_written_in_escapes(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr("sys.argv", ["pouf", "label", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "--classes", "a,b"])
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(written, "ascii"))
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert (ended.value.code, b"'caf\\xe9' does not exist" in written.getvalue()) == (ExitCode.WRONG_USE, True)
