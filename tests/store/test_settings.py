from pathlib import Path

import pytest
from pydantic import ValidationError

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


@pytest.mark.parametrize("value", ["pouf-lite, open_clip:*", '["pouf-lite", "open_clip:*"]'])
def test_base_models_are_a_list_in_either_form(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("POUF_BASE_MODELS", value)
    settings = Settings()
    assert settings.base_models == ["pouf-lite", "open_clip:*"]
    assert settings.allows_base_model("pouf-lite")
    assert settings.allows_base_model("open_clip:ViT-B-16/openai")
    assert not settings.allows_base_model("pouf-lite-2")


@pytest.mark.parametrize("values", [{"device": "tpu"}, {"port": 70000}, {"base_models": []}, {"lease_seconds": 0}])
def test_values_that_cannot_work_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**values)


def test_the_table_names_every_setting_with_its_meaning() -> None:
    lines = settings_table().splitlines()
    assert len(lines) == 2 + len(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert field.description
        assert any(line.startswith(f"| `POUF_{name.upper()}` |") and field.description in line for line in lines)
