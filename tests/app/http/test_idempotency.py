import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from app.http.idempotency_keys import Answer, Claim, KeyInFlight, KeyReused, Keys, complete
from store.clock import utcnow
from store.database import Database, upgrade
from store.tables import Dataset, IdempotencyKey, Job

KEY = {"Idempotency-Key": "k1"}


def count(database, table):
    with database.read() as session:
        return session.query(table).count()


def post_job(api, dataset_id, headers=KEY, **body):
    body = {"dataset_id": dataset_id, "class_names": ["a", "b"], **body}
    return api.post("/v1/jobs", json=body, headers=headers)


def test_the_same_job_is_created_once_and_answered_twice(api, rows, database):
    dataset_id = rows.dataset()
    first = post_job(api, dataset_id)
    rows.move(first.json()["id"], "running")
    again = post_job(api, dataset_id, seed=0)  # the default, spelt out, is the same content
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert count(database, Job) == 1


def test_other_content_under_the_same_key_is_refused(api, rows, refused, database):
    dataset_id = rows.dataset()
    post_job(api, dataset_id)
    refused(post_job(api, dataset_id, seed=1), 422, "idempotency_key_reused")
    assert count(database, Job) == 1


def test_the_same_key_on_another_route_is_refused(api, rows, refused):
    post_job(api, rows.dataset())
    response = api.post("/v1/datasets", files={"files": ("a", b"a")}, headers=KEY)
    refused(response, 422, "idempotency_key_reused")


def test_an_upload_is_recognised_by_its_content_not_by_its_boundary(api, database, refused):
    def upload(boundary, content=b"picture", name="n"):
        body = (
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n'
                f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
            ).encode()
            + content
            + f"\r\n--{boundary}--\r\n".encode()
        )
        headers = KEY | {"content-type": f"multipart/form-data; boundary={boundary}"}
        return api.post("/v1/datasets", content=body, headers=headers)

    first = upload("one")
    assert upload("two").json() == first.json()
    refused(upload("three", content=b"another"), 422, "idempotency_key_reused")
    refused(upload("four", name="another"), 422, "idempotency_key_reused")
    assert count(database, Dataset) == 1


def test_adding_files_twice_under_one_key_is_answered_alike(api, rows):
    dataset_id = rows.dataset("uploading")
    first = api.post(f"/v1/datasets/{dataset_id}/files", files={"files": ("a", b"a")}, headers=KEY)
    api.post(f"/v1/datasets/{dataset_id}/files", files={"files": ("b", b"b")})
    again = api.post(f"/v1/datasets/{dataset_id}/files", files={"files": ("a", b"a")}, headers=KEY)
    assert again.json() == first.json()


def test_a_refused_request_frees_its_key(api, rows, refused, database):
    dataset_id = rows.dataset("failed")
    refused(post_job(api, dataset_id), 409, "dataset_failed")
    with database.write() as session:
        session.get_one(Dataset, dataset_id).status = "ready"
    assert post_job(api, dataset_id).status_code == 202


def test_requests_at_the_same_time_create_one_job(api, rows, database):
    dataset_id = rows.dataset()
    barrier = threading.Barrier(8)

    def go(_):
        barrier.wait()
        return post_job(api, dataset_id)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(go, range(8)))
    created = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    refusals = {(answer.status_code, answer.json().get("code")) for answer in answers if answer.status_code != 202}
    assert len(set(created)) == 1
    assert refusals <= {(409, "idempotency_key_in_flight")}
    assert count(database, Job) == 1


def test_a_key_whose_request_still_runs_asks_to_come_back(api, rows, database, refused):
    dataset_id = rows.dataset()
    post_job(api, dataset_id)
    with database.write() as session:
        session.query(IdempotencyKey).update({"state": "in_flight", "created_at": utcnow()})
    response = post_job(api, dataset_id)
    refused(response, 409, "idempotency_key_in_flight")
    assert (response.headers["x-should-retry"], response.headers["retry-after"]) == ("true", "1")


@pytest.mark.parametrize("hours", [-1, 1])  # ahead: the clock was set back after the crash
def test_a_key_whose_request_crashed_does_not_block_for_ever(api, rows, database, hours):
    dataset_id = rows.dataset()
    post_job(api, dataset_id)
    with database.write() as session:
        then = utcnow() + timedelta(hours=hours)
        session.query(IdempotencyKey).update({"state": "in_flight", "created_at": then})
    assert post_job(api, dataset_id).status_code == 202
    assert count(database, Job) == 2


def test_a_key_may_be_used_anew_after_a_day(api, rows, database):
    dataset_id = rows.dataset()
    first = post_job(api, dataset_id)
    with database.write() as session:
        session.query(IdempotencyKey).update({"created_at": utcnow() - timedelta(hours=25)})
    assert post_job(api, dataset_id, seed=5).json()["id"] != first.json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_of_impossible_length_is_refused(api, rows, refused, key):
    refused(post_job(api, rows.dataset(), headers={"Idempotency-Key": key}), 422, "invalid_value")


def test_two_keys_of_one_request_are_refused(api, rows, refused, database):
    refused(post_job(api, rows.dataset(), headers=[*KEY.items(), ("Idempotency-Key", "k2")]), 422, "invalid_value")
    assert count(database, Job) == 0


class TestKeys:
    """The store's part, on both databases."""

    @pytest.fixture(params=["sqlite", "postgresql"])
    def database(self, request, tmp_path):
        sqlite = request.param == "sqlite"
        url = f"sqlite:///{tmp_path}/keys.db" if sqlite else request.getfixturevalue("postgres_url")
        upgrade(url)
        database = Database(url)
        yield database
        database.dispose()

    def test_one_of_many_gets_the_key(self, database, request):
        keys = Keys(database, request.node.name, timedelta(hours=1), timedelta(minutes=1))

        def begin(_):
            try:
                return keys.begin("k", "r", "h")
            except KeyInFlight:
                return None

        with ThreadPoolExecutor(8) as pool:
            claims = [claim for claim in pool.map(begin, range(16)) if claim is not None]
        assert len(claims) == 1

    def test_a_request_that_lost_its_key_cannot_answer(self, database, request):
        keys = Keys(database, request.node.name, timedelta(hours=1), timedelta(0))
        slow = keys.begin("k", "r", "h")
        later = keys.begin("k", "r", "h")
        assert isinstance(slow, Claim)
        assert isinstance(later, Claim)
        with database.write() as session:
            complete(session, later, Answer(202, {"by": "later"}, {}))
        with pytest.raises(KeyInFlight), database.write() as session:
            complete(session, slow, Answer(202, {"by": "slow"}, {}))
        keys.abandon(slow)
        assert keys.begin("k", "r", "h") == Answer(202, {"by": "later"}, {})
        with pytest.raises(KeyReused):
            keys.begin("k", "r", "other")
