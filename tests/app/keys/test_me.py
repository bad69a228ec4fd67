from datetime import UTC, datetime, timedelta

import pytest


def ask(api, key):
    return api.get("/v1/me", headers={"Authorization": f"Bearer {key}"}).json()


@pytest.mark.parametrize(
    ("scopes", "may"),
    [(["predict"], ["predict"]), (["read", "write"], ["read", "write"]), ([], ["read", "write", "predict", "admin"])],
)
def test_a_key_of_any_scope_may_ask_who_it_is(api, make_key, scopes, may):
    expires = datetime.now(UTC) + timedelta(days=1)
    key = make_key("alice", *scopes, expires_at=expires)
    me = ask(api, key)
    assert (me["owner"], me["scopes"], me["key"]["name"]) == ("alice", may, "test")
    assert key.startswith(me["key"]["prefix"])
    assert datetime.fromisoformat(me["key"]["expires_at"]) == expires
    assert key not in str(me)


def test_a_key_learns_what_is_taken_of_its_limits(api, make_key, rows):
    dataset = rows.dataset(owner="alice", item_count=7, extracted_bytes=100)
    rows.job(owner="alice", dataset_id=dataset)
    rows.job("running", owner="alice", dataset_id=dataset)
    rows.job("running", "succeeded", owner="alice", dataset_id=dataset)
    rows.job(owner="bob")
    key = make_key("alice", requests_per_minute=50, items=1000)
    ask(api, key)
    me = ask(api, key)
    assert (me["limits"]["requests_per_minute"], me["limits"]["items"]) == (50, 1000)
    assert set(me["usage"]) == set(me["limits"])
    assert me["usage"] | {"database_bytes": 0} == {
        "requests_per_minute": 2,
        "stored_bytes": 100,
        "items": 7,
        "concurrent_jobs": 2,
        "queued_jobs": 1,
        "database_bytes": 0,
    }
    assert me["usage"]["database_bytes"] > 0


def test_without_keys_everybody_is_the_owner_of_the_settings_and_has_no_limits(api, settings):
    me = api.get("/v1/me").json()
    assert (me["owner"], me["key"], me["limits"]) == (settings.owner, None, None)
    assert me["usage"]["requests_per_minute"] is None
