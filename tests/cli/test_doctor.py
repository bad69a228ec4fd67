import json

import pytest
from typer.testing import CliRunner

from cli.exit_codes import ExitCode
from cli.main import app
from store.database import upgrade
from tests.app.conftest import application, server

__all__ = ["application", "server"]  # fixtures


@pytest.fixture
def doctor(monkeypatch, tmp_path):
    """Runs `pouf doctor` over a data directory of the test's own; returns what it found of each part."""
    for name, value in {"POUF_DATA_DIR": tmp_path / "data", "POUF_DEVICE": "cpu", "POUF_PORT": 9}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("POUF_URL", raising=False)

    def run(*options, **environment):
        ran = CliRunner().invoke(app, ["doctor", "--json", *options], env=environment)
        return ran.exit_code, {found["part"]: found for found in map(json.loads, ran.stdout.splitlines())}

    return run


def test_what_was_never_started_is_said_to_be_new_and_nothing_is_made(doctor, tmp_path):
    code, found = doctor()
    assert code == 0, found
    assert {part: each["state"] for part, each in found.items()} == {
        "data directory": "note",
        "disk": "ok",
        "database": "note",
        "broker": "ok",
        "storage": "note",
        "GPU": "ok",
        "base models": "ok",
        "service": "note",
    }
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("part", "setting", "value"),
    [
        ("disk", "POUF_MIN_FREE_BYTES", str(10**18)),
        ("broker", "POUF_REDIS_URL", "redis://127.0.0.1:9/0"),
        ("database", "POUF_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none"),
        ("base models", "POUF_BASE_MODELS", "pouf-heavy"),
    ],
)
def test_what_is_amiss_is_told_with_advice(doctor, part, setting, value):
    code, found = doctor(**{setting: value})
    assert code == ExitCode.FAILED
    assert {name for name, each in found.items() if each["state"] == "amiss"} == {part}
    assert found[part]["advice"] or "POUF_DATABASE_URL" in found[part]["said"]


def test_a_database_of_another_version_is_noticed_and_left_as_it_is(doctor, tmp_path):
    url = f"sqlite:///{tmp_path / 'data' / 'pouf.db'}"
    upgrade(url, "0021")
    for _ in range(2):
        code, found = doctor()
        assert (code, found["database"]["state"]) == (0, "note")
    upgrade(url)
    assert doctor()[1]["database"]["state"] == "ok"


def test_a_running_service_is_asked_about_its_parts(doctor, server):
    _, found = doctor("--url", str(server.base_url))
    assert found["service"]["state"] == "ok"
    assert found["database"]["state"] == "ok"
    assert found["broker"]["state"] == "amiss"  # this one has none


def test_a_data_directory_that_is_named_goes_before_the_service_of_the_environment(doctor, tmp_path):
    _, found = doctor("--data-dir", str(tmp_path / "here"), POUF_URL="http://127.0.0.1:9")
    assert str(tmp_path / "here") in found["data directory"]["said"]
