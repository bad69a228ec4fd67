"""`/v1/webhooks`: created with a secret that is shown once, deleted, their messages listed and redelivered."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.http.schemas import ListDocument
from app.webhooks.schemas import CreatedWebhookDocument, DeliveryDocument, WebhookDocument
from app.webhooks.service import MAX_WEBHOOKS
from store.clock import utcnow
from store.tables import OutboxMessage, Webhook, WebhookDelivery

URL = "https://example.com/hook"


def test_the_secret_is_shown_when_a_webhook_is_created_and_never_again(api):
    answer = api.post("/v1/webhooks", json={"url": URL})
    made = answer.json()
    assert answer.status_code == 201
    CreatedWebhookDocument.model_validate(made)
    assert made["secret"].startswith("whsec_")
    assert made["event_types"] == ["job.succeeded", "job.failed", "job.cancelled"]
    assert answer.headers["location"] == f"/v1/webhooks/{made['id']}"
    for path in (made["urls"]["self"], "/v1/webhooks"):
        assert "secret" not in api.get(path).text
    WebhookDocument.model_validate(api.get(made["urls"]["self"]).json())
    assert api.post("/v1/webhooks", json={"url": URL}).json()["secret"] != made["secret"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://localhost/", "http://[::1]/", "ftp://example.com/"])
def test_a_private_address_or_another_scheme_is_refused(api, refused, url):
    refused(api.post("/v1/webhooks", json={"url": url}), 422, "webhook_target_refused", "/url")


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({}, "missing_field", "/url"),
        ({"url": URL, "event_types": []}, "invalid_value", "/event_types"),
        ({"url": URL, "event_types": ["job.exploded"]}, "invalid_value", "/event_types/0"),
        ({"url": URL, "secret": "mine"}, "unknown_field", "/secret"),
    ],
)
def test_an_invalid_field_of_a_webhook_is_named(api, refused, body, code, pointer):
    refused(api.post("/v1/webhooks", json=body), 422, code, pointer)


def test_the_number_of_webhooks_of_an_owner_is_limited(api, rows, refused):
    made = [rows.webhook() for _ in range(MAX_WEBHOOKS)]
    refused(api.post("/v1/webhooks", json={"url": URL}), 409, "too_many_webhooks")
    assert api.delete(f"/v1/webhooks/{made[0]}").status_code == 204
    assert api.post("/v1/webhooks", json={"url": URL}).status_code == 201


def test_messages_that_have_ended_go_with_their_webhook(api, rows, database):
    hook, other = rows.webhook(), rows.webhook()
    rows.delivery(hook, status="delivered", finished_at=utcnow())
    kept = {rows.delivery(hook), rows.delivery(other, status="failed", finished_at=utcnow())}
    assert api.delete(f"/v1/webhooks/{hook}").status_code == 204
    with database.read() as session:
        assert set(session.scalars(select(WebhookDelivery.id))) == kept


def test_a_repeated_request_makes_one_webhook(api):
    answers = [api.post("/v1/webhooks", json={"url": URL}, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len(api.get("/v1/webhooks").json()["data"]) == 1


def test_a_deleted_webhook_is_gone_with_its_secret(api, rows, database, refused):
    hook = rows.webhook()
    assert api.delete(f"/v1/webhooks/{hook}").status_code == 204
    for path in (f"/v1/webhooks/{hook}", f"/v1/webhooks/{hook}/deliveries"):
        refused(api.get(path), 404, "webhook_not_found")
    refused(api.delete(f"/v1/webhooks/{hook}"), 404, "webhook_not_found")
    with database.read() as session:
        assert session.get_one(Webhook, hook).secret == ""


def test_a_transition_made_by_the_api_is_sent_to_the_webhook(api, rows, database):
    hook = api.post("/v1/webhooks", json={"url": URL, "event_types": ["job.cancelled"]}).json()
    job = rows.job()
    api.post(f"/v1/jobs/{job}/cancel")
    [delivery] = api.get(hook["urls"]["deliveries"]).json()["data"]
    assert (delivery["job_id"], delivery["event_type"], delivery["status"]) == (job, "job.cancelled", "pending")
    assert delivery["message"]["data"]["status"] == "cancelled"
    ListDocument[DeliveryDocument].model_validate(api.get(hook["urls"]["deliveries"]).json())
    with database.read() as session:
        queues = session.scalars(select(OutboxMessage.queue).where(OutboxMessage.task == "pouf.notify")).all()
    assert queues == ["notify"]


def test_deliveries_are_filtered_and_paged(api, rows):
    hook = rows.webhook()
    made = [rows.delivery(hook, status=status) for status in ("failed", "delivered", "failed")]
    url = f"/v1/webhooks/{hook}/deliveries"
    assert [row["id"] for row in api.get(url, params={"status": "failed"}).json()["data"]] == [made[2], made[0]]
    first = api.get(url, params={"limit": 2}).json()
    rest = api.get(url, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [row["id"] for row in first["data"] + rest["data"]] == made[::-1]


def test_a_redelivered_message_gets_all_its_attempts_again(api, rows, database):
    hook = rows.webhook()
    ended = utcnow() - timedelta(days=1)
    message = rows.delivery(hook, status="failed", attempts=8, next_attempt_at=ended, finished_at=ended)
    answer = api.post(f"/v1/webhooks/{hook}/deliveries/{message}/redeliver")
    assert (answer.status_code, answer.json()["status"], answer.json()["finished_at"]) == (202, "pending", None)
    with database.read() as session:
        row = session.get_one(WebhookDelivery, message)
        assert (row.attempts, row.attempts_before) == (8, 8)
        assert session.scalars(select(OutboxMessage.payload)).all() == [{"delivery_id": message}]


def test_a_message_to_another_webhook_is_not_found(api, rows, refused):
    message = rows.delivery(rows.webhook())
    answer = api.post(f"/v1/webhooks/{rows.webhook()}/deliveries/{message}/redeliver")
    refused(answer, 404, "delivery_not_found")


def test_a_webhook_is_tried_by_a_message_about_no_job(api, rows, database):
    hook = rows.webhook()
    answer = api.post(f"/v1/webhooks/{hook}/test")
    tried = answer.json()
    DeliveryDocument.model_validate(tried)
    assert (answer.status_code, tried["event_type"], tried["job_id"]) == (202, "webhook.test", None)
    assert (tried["message"]["data"], "job" in tried["urls"]) == ({"webhook_id": hook}, False)
    assert api.get(f"/v1/webhooks/{hook}/deliveries").json()["data"] == [tried]
    with database.read() as session:
        assert session.scalars(select(OutboxMessage.payload)).all() == [{"delivery_id": tried["id"]}]
