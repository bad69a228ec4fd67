import random
from datetime import timedelta

import pytest

from app.auth.key_text import new_key_text, prefix_of
from app.keys import service as keys
from store.clock import utcnow
from store.tables import ApiKey

JOBS = "/v1/jobs"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def mistyped(key: str) -> str:
    place = random.Random(0).randrange(len("pouf_"), len(key))
    return key[:place] + ("0" if key[place] != "0" else "1") + key[place + 1 :]


@pytest.fixture
def row_of(database):
    def find(key: str) -> ApiKey:
        with database.read() as session:
            return session.query(ApiKey).filter_by(prefix=prefix_of(key)).one()

    return find


def test_without_keys_everything_belongs_to_the_one_owner_of_the_settings(api, rows):
    job_id = rows.job()
    assert [job["id"] for job in api.get(JOBS).json()["data"]] == [job_id]
    assert api.get("/metrics").status_code == 200
    # a key is accepted where none is needed, too
    assert api.get(JOBS, headers=bearer(new_key_text())).status_code == 200


def test_from_the_first_key_on_a_running_service_asks_for_one(api, make_key, refused):
    assert api.get(JOBS).status_code == 200
    key = make_key("local")
    refused(api.get(JOBS), 401, "missing_api_key")
    assert api.get(JOBS, headers=bearer(key)).status_code == 200


def test_keys_are_still_needed_when_the_last_one_was_revoked(api, make_key, database, refused):
    keys.revoke(database, prefix_of(make_key()))
    refused(api.get(JOBS), 401, "missing_api_key")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic cG91Zjpwb3Vm", "{key}"])
def test_a_header_without_a_bearer_token_is_no_key(api, make_key, refused, header):
    key = make_key()
    headers = {} if header is None else {"Authorization": header.format(key=key)}
    response = api.get(JOBS, headers=headers)
    refused(response, 401, "missing_api_key")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(api, make_key, scheme):
    assert api.get(JOBS, headers={"Authorization": f"{scheme} {make_key()}"}).status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        mistyped,
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key.upper(),
        lambda key: "sk" + key,
        lambda key: prefix_of(key),
        lambda key: f"{key} {key}",
        lambda key: "ü" * 8,
    ],
)
def test_a_mistyped_key_is_refused_without_a_query(api, make_key, application, refused, monkeypatch, spoil):
    key = make_key()
    assert api.get(JOBS, headers=bearer(key)).status_code == 200
    monkeypatch.setattr(application.state.pouf.database, "read", lambda: pytest.fail("the database was asked"))
    response = api.get(JOBS, headers={"Authorization": f"Bearer {spoil(key)}".encode()})
    problem = refused(response, 401, "invalid_api_key")
    assert response.headers["www-authenticate"] == "Bearer"
    assert key not in str(problem)


def test_a_well_formed_key_that_was_never_made_is_refused(api, make_key, refused):
    make_key()
    refused(api.get(JOBS, headers=bearer(new_key_text())), 401, "invalid_api_key")


def test_a_key_with_the_beginning_of_another_does_not_learn_what_became_of_it(api, make_key, database, refused):
    from app.auth.key_text import _checksum

    key = make_key()
    keys.revoke(database, prefix_of(key))
    body = prefix_of(key) + "0" * (len(key) - len(prefix_of(key)) - 8)
    refused(api.get(JOBS, headers=bearer(body + _checksum(body))), 401, "invalid_api_key")
    refused(api.get(JOBS, headers=bearer(key)), 401, "revoked_api_key")


def test_a_revoked_key_ends_at_once(api, make_key, database, refused):
    key, other = make_key(), make_key()
    assert api.get(JOBS, headers=bearer(key)).status_code == 200
    keys.revoke(database, prefix_of(key))
    refused(api.get(JOBS, headers=bearer(key)), 401, "revoked_api_key")
    assert api.get(JOBS, headers=bearer(other)).status_code == 200


def test_a_key_ends_when_it_expires(api, make_key, refused, monkeypatch):
    end = utcnow() + timedelta(hours=1)
    key = make_key(expires_at=end)
    assert api.get(JOBS, headers=bearer(key)).status_code == 200
    monkeypatch.setattr("app.auth.authentication.utcnow", lambda: end)
    refused(api.get(JOBS, headers=bearer(key)), 401, "expired_api_key")


def test_only_the_hash_of_a_key_is_stored(settings, make_key, row_of, database):
    key = make_key()
    assert len(row_of(key).digest) == 64
    database.dispose()
    files = [path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()]
    assert any(prefix_of(key).encode() in content for content in files)
    secret = key.removeprefix(prefix_of(key))
    assert not any(secret[:20].encode() in content for content in files)


def test_another_secret_makes_another_hash(settings, database, make_key, row_of, tmp_path):
    key = make_key()
    elsewhere = settings.model_copy(update={"key_pepper_file": tmp_path / "other-pepper"})
    first = row_of(key).digest
    made, _ = keys.create(elsewhere, database, keys.NewKey("alice", "test", ["read"]), key)
    assert made.digest != first


def test_the_last_use_is_written_once_a_minute(api, make_key, row_of, database):
    key = make_key()
    assert row_of(key).last_used_at is None
    api.get(JOBS, headers=bearer(key))
    first = row_of(key).last_used_at
    assert utcnow() - first < timedelta(seconds=30)
    api.get(JOBS, headers=bearer(key))
    assert row_of(key).last_used_at == first
    with database.write() as session:
        session.query(ApiKey).update({"last_used_at": utcnow() - timedelta(seconds=61)})
    api.get(JOBS, headers=bearer(key))
    assert row_of(key).last_used_at >= first


def test_a_refused_key_is_not_noted_as_used(api, make_key, row_of, database):
    key = make_key()
    keys.revoke(database, prefix_of(key))
    api.get(JOBS, headers=bearer(key))
    assert row_of(key).last_used_at is None


def test_a_request_without_a_valid_key_is_refused_before_its_body_is_parsed(api, make_key, refused):
    make_key()
    refused(api.post(JOBS, content=b"{ no JSON"), 401, "missing_api_key")
    refused(api.put("/v1/datasets/ds_1/archive", content=b"no archive"), 401, "missing_api_key")
    refused(api.get("/v1/nowhere"), 401, "missing_api_key")


def test_the_documentation_says_how_to_authenticate(api):
    document = api.get("/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["paths"]["/v1/jobs"]["post"]["security"] == [{"API key": ["write"]}]
    assert "security" not in document["paths"]["/health/live"]["get"]
