"""Keys and pruning at a service, or here."""

import json

import pytest

from cli.exit_codes import ExitCode
from cli.remote.connection import operated_url


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch):
    for variable in ("POUF_DATA_DIR", "POUF_DATABASE_URL"):
        monkeypatch.delenv(variable, raising=False)


def test_a_key_is_made_listed_and_revoked_at_a_service(pouf, make_key, monkeypatch):
    monkeypatch.setenv("POUF_API_KEY", make_key("operator"))
    made = pouf("keys", "create", "--name", "ci", "--owner", "birds", "--scope", "predict", "--items", 7)
    assert made.exit_code == 0, made.stderr
    secret = made.stdout.strip()
    (key, _) = json.loads(pouf("keys", "list", "--json").stdout)["data"]
    assert (key["owner"], key["scopes"], key["limits"]["items"]) == ("birds", ["predict"], 7)
    assert secret.startswith(key["prefix"])
    assert pouf("keys", "revoke", key["id"]).exit_code == 0
    assert "revoked" in pouf("keys", "list").stdout
    assert pouf("keys", "revoke", "key_0").exit_code == ExitCode.NOT_FOUND


def test_a_key_without_the_scope_may_neither_make_keys_nor_prune(pouf, make_key, monkeypatch):
    monkeypatch.setenv("POUF_API_KEY", make_key("alice", "read", "write", "predict"))
    for command in (["keys", "create", "--name", "ci"], ["keys", "list"], ["keys", "revoke", "key_0"], ["prune"]):
        refused = pouf(*command)
        assert refused.exit_code == ExitCode.FORBIDDEN, command
        assert "admin" in refused.stderr


def test_what_is_too_old_is_counted_at_a_service(pouf, make_key, monkeypatch):
    monkeypatch.setenv("POUF_API_KEY", make_key("operator"))
    counted = pouf("prune", "--dry-run")
    assert counted.exit_code == 0, counted.stderr
    assert "unfinished datasets" in counted.stdout


def test_what_is_here_is_meant_where_its_place_is_named(pouf, server, tmp_path, monkeypatch):
    url = str(server.base_url)
    assert operated_url(None, None) == url
    assert operated_url(None, tmp_path) is None
    monkeypatch.setenv("POUF_DATA_DIR", str(tmp_path))
    assert operated_url(None, None) is None
    assert operated_url(url, None) == url
    both = pouf("keys", "list", "--url", url, "--data-dir", tmp_path)
    assert both.exit_code == ExitCode.WRONG_USE
