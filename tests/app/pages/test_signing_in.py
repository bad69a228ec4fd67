from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from app.auth import authentication
from app.auth.key_text import prefix_of
from app.keys import service as keys
from store.clock import utcnow
from store.retention import prune
from store.tables import WebSession

ORIGIN = {"Origin": "http://testserver"}
HTML = {"follow_redirects": False}


def sign_in(api: TestClient, key: str, **fields: str):
    return api.post("/sign-in", data={"key": key, **fields}, headers=ORIGIN, **HTML)


def token_in(page: str) -> str:
    return page.partition('name="csrf-token" content="')[2].partition('"')[0]


@pytest.fixture
def signed_in(api, make_key):
    """The headers that pages send along, for a browser signed in by a key of alice's."""

    def enter(*scopes: str) -> dict[str, str]:
        assert sign_in(api, make_key("alice", *scopes)).status_code == 303
        return ORIGIN | {"X-CSRF-Token": token_in(api.get("/").text)}

    return enter


def sessions_in(database) -> int:
    with database.read() as session:
        return session.scalars(select(func.count()).select_from(WebSession)).one()


def test_without_keys_pages_need_no_signing_in(api):
    assert api.get("/").status_code == 200
    assert api.get("/sign-in", **HTML).headers["location"] == "/"


def test_without_keys_other_sites_pages_may_do_nothing(api, rows):
    answer = api.post(f"/jobs/{rows.job()}/cancel", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert "origin_not_allowed" in answer.text


def test_pages_lead_to_where_a_key_is_asked_for_and_back(api, make_key, rows):
    job_id, key = rows.job(owner="alice"), make_key()
    sent = api.get(f"/jobs/{job_id}", **HTML)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/sign-in?next=/jobs/{job_id}")
    assert f'value="/jobs/{job_id}"' in api.get(sent.headers["location"]).text
    assert sign_in(api, key, next=f"/jobs/{job_id}").headers["location"] == f"/jobs/{job_id}"
    assert job_id in api.get(f"/jobs/{job_id}").text


def test_who_reviews_is_kept_while_signing_in(api, make_key):
    key, place = make_key(), "/jobs/job_1/reviews/aud_1?person=Ann%20%26%20Bob&at=3"
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{place}"}
    sent = api.get(place, **HTML).headers["location"]
    assert sent == api.get("/jobs/job_1", headers=headers).headers["hx-redirect"]
    assert f'value="{place.replace("&", "&amp;")}"' in api.get(sent).text
    assert sign_in(api, key, next=place).headers["location"] == place


def test_scripts_are_told_where_to_sign_in(api, make_key):
    make_key()
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/jobs/job_1"}
    assert api.get("/jobs/job_1", headers=headers).headers["hx-redirect"] == "/sign-in?next=/jobs/job_1"


def test_signing_in_leads_to_pages_of_this_service_alone(api, make_key):
    key = make_key()
    for place in ("https://evil.example/", "//evil.example", "/\\evil.example", "x", "/a\nb", ""):
        assert sign_in(api, key, next=place).headers["location"] == "/", place


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(application, make_key, scheme, secure):
    with TestClient(application, base_url=f"{scheme}://testserver") as api:
        answer = api.post("/sign-in", data={"key": make_key()}, headers={"Origin": f"{scheme}://testserver"}, **HTML)
    parts = [part.strip().lower() for part in answer.headers["set-cookie"].split(";")]
    assert {"httponly", "samesite=strict", "path=/", f"max-age={12 * 3600}"} <= set(parts)
    assert ("secure" in parts) == secure


def test_neither_the_key_nor_the_id_of_the_session_is_stored(api, make_key, settings):
    key = make_key()
    sign_in(api, key)
    stored = b"".join(path.read_bytes() for path in settings.data_dir.glob("pouf.db*"))
    assert prefix_of(key).encode() in stored
    assert key.encode() not in stored
    assert api.cookies["pouf_session"].encode() not in stored


def test_a_browser_sees_its_owners_resources_and_no_others(api, signed_in, rows):
    own, other = rows.job(owner="alice"), rows.job(owner="bob")
    signed_in()
    assert [job["id"] for job in api.get("/v1/jobs").json()["data"]] == [own]
    assert api.get(f"/jobs/{own}").status_code == 200
    assert api.get(f"/jobs/{other}").status_code == 404


def test_a_browser_may_do_what_its_keys_scopes_allow(api, signed_in, rows, refused):
    job_id, page = rows.job(owner="alice"), signed_in("read")
    assert api.get(f"/jobs/{job_id}").status_code == 200
    refused(api.post(f"/v1/jobs/{job_id}/cancel", headers=page), 403, "insufficient_scope")
    answer = api.post(f"/jobs/{job_id}/cancel", headers=page)
    assert (answer.status_code, "insufficient_scope" in answer.text) == (403, True)


def test_what_another_sites_page_makes_a_browser_send_is_refused(api, signed_in, rows, refused, settings):
    job_id, page = rows.job(owner="alice"), signed_in()
    settings.allowed_hosts.clear()  # else pages of those names may do it, too
    origins = (
        None,
        "null",
        "https://evil.example",
        "http://testserver:81",
        "http://testserver.evil.example",
        "http://[",
    )
    for origin in origins:
        headers = {name: value for name, value in {**page, "Origin": origin}.items() if value is not None}
        refused(api.post(f"/v1/jobs/{job_id}/cancel", headers=headers), 403, "origin_not_allowed")
    for token in (None, "", "0" * 64, "ü".encode()):
        headers = {name: value for name, value in {**page, "X-CSRF-Token": token}.items() if value is not None}
        refused(api.post(f"/v1/jobs/{job_id}/cancel", headers=headers), 403, "csrf_token_mismatch")
    assert api.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"


def test_pages_of_the_service_change_what_they_show(api, signed_in, rows):
    job_id, page = rows.job(owner="alice"), signed_in()
    assert api.post(f"/v1/jobs/{job_id}/cancel", headers=page).status_code == 200


def test_programs_need_no_token_whatever_cookies_they_send(api, signed_in, make_key, rows):
    signed_in()
    bearer = {"Authorization": f"Bearer {make_key('alice')}"}
    assert api.post(f"/v1/jobs/{rows.job(owner='alice')}/cancel", headers=bearer).status_code == 200


def test_a_session_ends_with_its_key(api, make_key, database, refused):
    key = make_key("alice")
    sign_in(api, key)
    keys.revoke(database, prefix_of(key))
    refused(api.get("/v1/jobs"), 401, "revoked_api_key")
    assert api.get("/", **HTML).headers["location"] == "/sign-in?next=/"


def test_a_session_ends_after_twelve_hours_and_is_then_removed(api, signed_in, database, storage, settings, refused):
    signed_in()
    with database.write() as session:
        lifetime = session.scalars(select(WebSession)).one()
        assert lifetime.expires_at - lifetime.created_at == timedelta(hours=12)
        session.execute(update(WebSession).values(expires_at=utcnow()))
    refused(api.get("/v1/jobs"), 401, "signed_out")
    assert prune(database, storage, settings, utcnow(), remove=False)["expired sign-ins"] == 1
    assert prune(database, storage, settings, utcnow())["expired sign-ins"] == 1
    assert sessions_in(database) == 0


def test_signing_out_ends_the_session_for_good(api, signed_in, database, refused):
    page, cookie = signed_in(), api.cookies["pouf_session"]
    api.post("/sign-out", headers=page)
    assert sessions_in(database) == 0
    refused(api.get("/v1/jobs", headers={"Cookie": f"pouf_session={cookie}"}), 401, "signed_out")


def test_a_wrong_key_is_refused_in_words(api, make_key):
    make_key()
    for key in ("", "pouf_123", "<script>alert(1)</script>"):
        answer = sign_in(api, key)
        assert answer.status_code == 401
        assert "This is no API key of this service." in answer.text
        assert "<script>alert" not in answer.text
        assert "set-cookie" not in answer.headers


def test_an_expired_key_signs_nobody_in(api, make_key):
    answer = sign_in(api, make_key(expires_at=utcnow() - timedelta(seconds=1)))
    assert (answer.status_code, "has expired" in answer.text) == (401, True)


def test_tries_to_sign_in_are_limited(api, make_key):
    key = make_key()
    for _ in range(authentication.SIGN_INS_PER_MINUTE):
        assert sign_in(api, "pouf_0").status_code == 401
    answer = sign_in(api, key)
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)


def test_another_sites_form_signs_nobody_in(api, make_key, settings):
    settings.allowed_hosts.clear()
    answer = api.post("/sign-in", data={"key": make_key()}, headers={"Origin": "https://evil.example"}, **HTML)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
