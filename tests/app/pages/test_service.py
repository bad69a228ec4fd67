"""Pages about the service: health and usage, keys, webhooks; and two jobs compared."""

import re

import pytest

from app.keys import service as keys
from app.keys.service import NewKey
from store import heartbeats
from tests.app.predicted.conftest import predict, predicted

__all__ = ["predict", "predicted"]  # fixtures
SCRIPTED = {"HX-Request": "true"}


def test_everything_of_the_service_is_shown_to_whoever_runs_it(api, rows, database):
    rows.dataset(item_count=1234, extracted_bytes=5_000_000)
    rows.dataset(item_count=7, owner="bob")
    rows.job("running")
    with database.write() as session:
        heartbeats.beat(session, "worker-1", "train")
    page = api.get("/service").text
    for shown in ("Running", "worker-1", "1,234", "5 MB", "bob", "have to stay free"):
        assert shown in page, shown
    assert "not ready" in page  # there is no broker


def test_the_part_that_is_looked_at_again_and_again_adds_up_no_owners(api, rows, monkeypatch):
    rows.dataset(item_count=7, owner="bob")
    assert "bob" in api.get("/service").text
    monkeypatch.delattr("store.usage.by_owner")
    again = api.get("/service", headers=SCRIPTED).text
    assert "have to stay free" in again and "bob" not in again


def test_owners_see_their_own_usage_with_its_limits(api, rows, make_key):
    rows.dataset(item_count=55, owner="alice")
    rows.dataset(item_count=7777, owner="bob")
    key = make_key("alice", "read", items=1000)
    page = api.get("/service", headers={"Authorization": f"Bearer {key}"}).text
    assert 'max="1000" high="900.0" value="55"' in page
    for hidden in ("bob", "7,777", "Workers", 'href="/keys"'):
        assert hidden not in page, hidden


def test_a_key_is_shown_once_and_revoked(api, database):
    first = {"name": "<b>mine", "owner": "local", "scopes": ["admin"], "days": "30"}
    made = api.post("/keys", data=first, headers=SCRIPTED).text
    text = re.search(r"<code>(pouf_\w+)</code>", made)[1]
    assert ("every page asks for a key" in made, "&lt;b&gt;mine" in made, "<b>" in made) == (True, True, False)
    assert api.get("/keys", follow_redirects=False).status_code == 303
    signed = {"Authorization": f"Bearer {text}"}
    page = api.get("/keys", headers=signed).text
    assert (text in page, text[:8] in page, "until 20" in page, "<b>" in page) == (False, True, True, False)
    (key,) = keys.list_all(database)
    assert (key.scopes, key.owner, key.expires_at is None) == (["admin"], "local", False)
    api.post(f"/keys/{key.id}/revoke", headers=signed)
    assert api.get("/keys", headers=signed, follow_redirects=False).status_code == 303


def test_of_many_keys_a_page_lists_some(api, database, settings):
    made = [keys.create(settings, database, NewKey("local", f"key {number:02}", ["admin"])) for number in range(25)]
    signed = {"Authorization": f"Bearer {made[0][1]}"}
    page = api.get("/keys", headers=signed).text
    assert ("key 24" in page, "key 05" in page, "key 04" in page) == (True, True, False)
    older = re.search(r'href="(/keys\?cursor=[^"]+)"', page)[1]
    page = api.get(older, headers=signed).text
    assert ("key 05" in page, "key 04" in page, "key 00" in page, "There is no key" in page) == (
        False,
        True,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"scopes": ["read"]}, "first_key_not_admin"),
        ({"scopes": []}, "invalid_value"),
        ({"owner": "<b>"}, "invalid_value"),
        ({"days": "0"}, "invalid_value"),
        ({"name": ""}, "invalid_value"),
        ({"name": "\u200b"}, "invalid_value"),
        ({"owner": "@mine"}, "invalid_value"),
    ],
)
def test_what_is_wrong_with_a_key_is_said(api, database, fields, code):
    form = {"name": "mine", "owner": "local", "scopes": ["admin"], **fields}
    answer = api.post("/keys", data=form, headers=SCRIPTED)
    assert (answer.status_code, answer.headers["hx-retarget"], code in answer.text) == (422, "#message", True)
    assert not keys.list_all(database)


def test_a_webhook_is_made_tried_and_deleted_in_its_page(api):
    form = {"url": "https://example.com/hook?secret=1", "event_types": ["job.succeeded", "job.failed"]}
    made = api.post("/webhooks", data=form, headers=SCRIPTED).text
    place = re.search(r'href="(/webhooks/whk_\w+)"', made)[1]
    assert "whsec_" in made
    assert "whsec_" not in api.get("/webhooks").text + api.get(place).text
    assert "Nothing was sent yet" in api.get(place).text
    api.post(f"{place}/test", headers=SCRIPTED)
    page = api.get(place).text
    assert ("a try" in page, "every 2s" in page) == (True, True)
    api.post(f"{place}/delete", headers=SCRIPTED)
    assert "There is no webhook yet" in api.get("/webhooks").text


def test_two_jobs_over_one_dataset_are_compared(api, predicted, predict):
    first = predicted(30)
    second = predict(first.dataset_id, first.names, seed=1)
    choice = api.get(f"/jobs/{first.job_id}").text
    assert f'<option value="{second.job_id}">' in choice
    page = api.get(f"/jobs/compare?first={first.job_id}&second={second.job_id}").text
    assert re.search(r"of \d+ they differ", page)
    assert page.count("A: <strong>") == page.count("B: <strong>") > 0
    assert "once some items have labels" in page
    other = predicted(5).job_id
    refused = api.get(f"/jobs/compare?first={first.job_id}&second={other}")
    assert (refused.status_code, "different_datasets" in refused.text) == (422, True)
