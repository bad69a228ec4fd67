import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from store.setting_names import MistypedSetting, check_names
from store.settings import Settings
from store.settings_table import settings_table


def test_urls_default_to_the_data_directory(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/pouf.db"
    assert settings.storage_url == f"file://{tmp_path}/storage"
    assert settings.redis_url is None


def test_environment_variables_carry_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POUF_PORT", "1234")
    monkeypatch.setenv("POUF_DATABASE_URL", "postgresql://db/pouf")
    monkeypatch.setenv("POUF_LOG_LEVEL", "debug")
    settings = Settings()
    assert (settings.port, settings.database_url, settings.log_level) == (1234, "postgresql://db/pouf", "DEBUG")


def test_connections_leave_half_of_the_open_files_to_others() -> None:
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (120, most))
    try:
        assert (Settings(max_connections=500).connections, Settings(max_connections=40).connections) == (60, 40)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))


@pytest.mark.parametrize("value", ["pouf-lite, open_clip:*", '["pouf-lite", "open_clip:*"]'])
def test_base_models_are_a_list_in_either_form(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("POUF_BASE_MODELS", value)
    settings = Settings()
    assert settings.base_models == ["pouf-lite", "open_clip:*"]
    assert settings.allows_base_model("pouf-lite")
    assert settings.allows_base_model("open_clip:ViT-B-16/openai")
    assert not settings.allows_base_model("pouf-lite-2")


@pytest.mark.parametrize(
    "values",
    [
        {"device": "tpu"},
        {"port": 70000},
        {"base_models": []},
        {"lease_seconds": 0},
        {"redis_url": "localhost:6379"},
        {"threads": 100_000},
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**values)


def test_the_table_names_every_setting_with_its_meaning() -> None:
    lines = settings_table().splitlines()
    assert len(lines) == 2 + len(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert field.description
        assert any(line.startswith(f"| `POUF_{name.upper()}` |") and field.description in line for line in lines)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("POUF_DATABSE_URL", "POUF_DATABASE_URL"),
        ("POUF_LEASE_SECOND", "POUF_LEASE_SECONDS"),
        ("POUF_LOG_LEVLE", "POUF_LOG_LEVEL"),
        ("POUF_BASEMODEL", "POUF_BASE_MODELS"),
        ("pouf_prot", "POUF_PORT"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_refused_by_the_settings_name(name: str, meant: str) -> None:
    with pytest.raises(MistypedSetting, match=f"{name} is no setting; did you mean {meant}"):
        check_names({name: "1", "PATH": "/bin"}, Settings.model_fields)


def test_other_unknown_variables_are_warned_of_and_known_ones_are_not(caplog: pytest.LogCaptureFixture) -> None:
    names = ["POUF_SERVICE_HOST", "POUF_API_KEY", "POUF_URL", "POUF_PORT", "pouf_host", "OTHER", "POUF"]
    check_names(dict.fromkeys(names, "1"), Settings.model_fields)
    assert [record.getMessage() for record in caplog.records] == [
        "POUF_SERVICE_HOST is no setting of this version and does nothing"
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "cli.main", "migrate"],
        pytest.param(["-c", "from app.main import app"], marks=pytest.mark.slow),  # for their imports
        pytest.param(["-c", "import worker.celery_app"], marks=pytest.mark.slow),
    ],
)
def test_no_part_starts_on_a_mistyped_setting_and_each_says_so_in_a_line(command: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "POUF_DATA_DIR": str(tmp_path), "POUF_DATABSE_URL": "sqlite:///x"}
    ran = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "POUF_DATABSE_URL is no setting; did you mean POUF_DATABASE_URL?" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.iterdir())
