import re
import shutil

import pytest
from typer.testing import CliRunner

from app.auth.key_text import is_well_formed, prefix_of
from app.keys import service as keys
from cli.exit_codes import ExitCode
from cli.main import app
from store.database import Database
from store.settings import Settings


@pytest.fixture
def pouf(tmp_path, empty_database_file):
    """Runs `pouf` over a data directory of the test's own, in which a service has run before."""
    (tmp_path / "data").mkdir()
    shutil.copy(empty_database_file, tmp_path / "data" / "pouf.db")

    def run(*arguments):
        return CliRunner(env={"POUF_DATA_DIR": str(tmp_path / "data")}).invoke(app, [*map(str, arguments)])

    return run


@pytest.fixture
def rows(tmp_path):
    def read():
        database = Database(Settings(data_dir=tmp_path / "data").database_url)
        try:
            return keys.list_all(database)
        finally:
            database.dispose()

    return read


def test_a_key_is_printed_once_alone_on_its_output(pouf, rows):
    made = pouf("keys", "create", "--name", "laptop")
    assert made.exit_code == 0, made.stderr
    key = made.stdout.strip()
    assert is_well_formed(key)
    assert "local" in made.stderr
    assert key not in made.stderr
    (row,) = rows()
    assert (row.name, row.owner, row.scopes, row.expires_at) == ("laptop", "local", ["read", "write", "predict"], None)
    assert key not in pouf("keys", "list").stdout


def test_owner_scopes_expiry_and_limits_can_be_chosen(pouf, rows):
    limits = {"requests_per_minute": 5, "stored_bytes": 10**12, "items": 7, "concurrent_jobs": 8, "queued_jobs": 9}
    options = [word for name, value in limits.items() for word in (f"--{name.replace('_', '-')}", value)]
    chosen = ["--owner", "bob", "--scope", "read", "--scope", "predict", "--expires-in-days", 2, *options]
    assert pouf("keys", "create", "--name", "phone", *chosen).exit_code == 0
    (row,) = rows()
    assert (row.owner, row.scopes) == ("bob", ["read", "predict"])
    assert 1.99 < (row.expires_at - row.created_at).total_seconds() / 86400 < 2.01
    assert {name: getattr(row, name) for name in limits} == limits


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--name", "n" * 201], "1 to 200"),
        (["--name", "bootstrap"], "POUF_BOOTSTRAP_KEY"),
        (["--name", "x", "--owner", "a b"], "cannot be an owner"),
        (["--name", "x", "--scope", "everything"], "everything"),
        (["--name", "x", "--queued-jobs", "0"], "queued-jobs"),
        ([], "--name"),
    ],
)
def test_what_cannot_be_is_refused_and_no_key_made(pouf, tmp_path, options, reason):
    refused = pouf("keys", "create", *options)
    assert refused.exit_code != 0
    assert reason in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "data" / "key-pepper").exists()


def test_keys_are_revoked_by_id_or_beginning_and_the_list_says_so(pouf, rows):
    first, second, third = (pouf("keys", "create", "--name", name).stdout.strip() for name in ("a", "b", "c"))
    assert pouf("keys", "revoke", rows()[0].id).exit_code == 0
    assert pouf("keys", "revoke", prefix_of(second)).exit_code == 0
    lines = pouf("keys", "list").stdout.splitlines()
    state = {key: next(line for line in lines if prefix_of(key) in line) for key in (first, second, third)}
    assert "revoked" in state[first]
    assert "revoked" in state[second]
    assert "valid" in state[third]


def test_a_key_that_is_not_there_cannot_be_revoked(pouf):
    pouf("keys", "create", "--name", "laptop")
    refused = pouf("keys", "revoke", "key_0")
    assert refused.exit_code == ExitCode.NOT_FOUND
    assert "pouf keys list" in refused.stderr


@pytest.mark.parametrize("command", [["list"], ["revoke", "key_0"], ["create", "--name", "laptop"]])
def test_a_slip_in_the_data_directory_makes_no_empty_database(pouf, tmp_path, command):
    refused = pouf("keys", *command, "--data-dir", tmp_path / "tpyo")
    assert refused.exit_code == ExitCode.WRONG_USE
    assert "There is no database at" in refused.stderr
    assert not (tmp_path / "tpyo").exists()


def test_a_generated_key_is_not_in_the_database(pouf, tmp_path):
    assert is_well_formed(pouf("keys", "generate").stdout.strip())
    assert not (tmp_path / "data" / "key-pepper").exists()


def test_another_address_than_loopback_is_refused_until_there_is_a_key(pouf, tmp_path):
    refused = pouf("up", "--host", "0.0.0.0", "--port", 0)
    assert refused.exit_code == 1
    assert re.search(r"loopback only.*pouf keys create", refused.stderr)
    assert not list((tmp_path / "data" / "logs").iterdir())


def test_the_services_parts_find_the_secret_wherever_it_is(monkeypatch, tmp_path):
    from cli.data_directory import DataDirectory
    from cli.supervisor import Supervisor

    monkeypatch.chdir(tmp_path)
    settings = Settings(data_dir=tmp_path / "data", key_pepper_file="pepper")
    supervisor = Supervisor(settings, DataDirectory(settings.data_dir), print)
    assert supervisor._shared_environment()["POUF_KEY_PEPPER_FILE"] == str(tmp_path / "pepper")
