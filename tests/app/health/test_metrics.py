from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from app.http.metric_descriptions import DESCRIPTIONS
from store import webhook_messages as webhooks
from store.clock import utcnow
from store.heartbeats import REAPER, beat
from store.observations import count, observe
from store.tables import Heartbeat

COUNTED = {"pouf_predict_batches": "batches", "pouf_predict_items": "items", "pouf_batcher_restarts": "restarts"}
READ = {"pouf_disk_bytes", "pouf_jobs", "pouf_predict_queue_items", "pouf_model_cache"}


def scrape(api):
    """The type of each metric and the value of each sample without labels, by name."""
    families = list(text_string_to_metric_families(api.get("/metrics").text))
    types = {sample.name: family.type for family in families for sample in family.samples}
    values = {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}
    return types, values


def test_metrics_count_requests_by_route(api, rows):
    job_id = rows.job()
    api.get(f"/v1/jobs/{job_id}")
    api.get("/nowhere")
    text = api.get("/metrics").text
    assert 'pouf_http_requests_total{method="GET",route="/v1/jobs/{job_id}",status="200"} 1.0' in text
    assert 'pouf_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'pouf_jobs{kind="queued"} 1.0' in text


def test_methods_that_clients_make_up_are_counted_as_one(api):
    for number in range(20):
        api.request(f"MADEUP{number}", "/v1/jobs")
    text = api.get("/metrics").text
    assert 'method="other"' in text
    assert "MADEUP" not in text


def test_what_is_counted_is_a_counter_and_what_is_measured_a_gauge(api, rows):
    rows.job()
    types, _ = scrape(api)
    assert {f"{name}_total": types[f"{name}_total"] for name in COUNTED} == {
        f"{name}_total": "counter" for name in COUNTED
    }
    assert {name: types[name] for name in READ} == dict.fromkeys(READ, "gauge")


def test_counters_keep_their_former_names_beside_those_that_end_in_total(api, application):
    batcher = application.state.pouf.engine.batcher
    for value, attribute in enumerate(COUNTED.values(), 3):
        setattr(batcher, attribute, value)
    types, values = scrape(api)
    for value, name in enumerate(COUNTED, 3):
        assert (values[f"{name}_total"], values[name], types[name]) == (value, value, "unknown")


def test_the_wait_of_the_oldest_queued_job_is_told(api, rows):
    assert scrape(api)[1]["pouf_oldest_queued_seconds"] == 0
    rows.job(queued_at=utcnow() - timedelta(seconds=90))
    rows.job(queued_at=utcnow() - timedelta(hours=1), stage="waiting_for_dataset")
    rows.job()
    assert 90 <= scrape(api)[1]["pouf_oldest_queued_seconds"] < 120


def test_metrics_tell_who_was_last_seen_and_whether_the_storage_answers(api, database, settings):
    values = scrape(api)[1]
    assert values["pouf_storage_up"] == 1
    assert "pouf_reaper_lag_seconds" not in values  # none was ever seen
    with database.write() as session:
        beat(session, "train@host", "train")
        beat(session, "reaper@host", REAPER)
        session.get_one(Heartbeat, "reaper@host").seen_at -= timedelta(seconds=90)
    (settings.data_dir / "storage").rename(settings.data_dir / "elsewhere")
    values = scrape(api)[1]
    assert 90 <= values["pouf_reaper_lag_seconds"] < 120
    assert values["pouf_storage_up"] == 0
    assert 'pouf_worker_last_seen{kind="train",worker="train@host"}' in api.get("/metrics").text


def test_every_metric_is_described_with_its_type_and_labels(api, rows, database):
    rows.job()
    with database.write() as session:
        beat(session, "reaper@host", REAPER)
        observe(session, "job_seconds", "succeeded", 3)
        count(session, "job_failures", "out_of_memory")
        count(session, "owner_job_seconds", "local", 3)
        count(session, "webhooks", "delivered")
    api.get("/health/live")
    families = {family.name: family for family in text_string_to_metric_families(api.get("/metrics").text)}
    former = {f"pouf_{name}" for name in ("predict_batches", "predict_items", "batcher_restarts")}
    shown = {
        (family.name, family.type, frozenset(label for sample in family.samples for label in sample.labels) - {"le"})
        for family in families.values()
        if family.type != "unknown" and not family.name.endswith("_created")
    }
    described = {(each.name, each.type, frozenset(each.labels)) for each in DESCRIPTIONS}
    assert {each for each in shown if each[0] not in former} == {each for each in described if each[0] not in former}


def test_durations_are_histograms_and_failures_counters(api, database):
    with database.write() as session:
        for seconds in (0.5, 20, 20, 1e6):
            observe(session, "job_seconds", "succeeded", seconds)
        observe(session, "job_wait_seconds", "", 7)
        count(session, "job_failures", "worker_lost")
    text = api.get("/metrics").text
    buckets = {"1": 1, "15": 1, "60": 3, "86400": 3, "+Inf": 4}
    for bound, number in buckets.items():
        assert f'pouf_job_seconds_bucket{{le="{bound}",status="succeeded"}} {number}.0' in text
    assert 'pouf_job_seconds_sum{status="succeeded"} 1.0000405e+06' in text
    assert 'pouf_job_wait_seconds_bucket{le="15"} 1.0' in text
    assert 'pouf_job_failures_total{code="worker_lost"} 1.0' in text


def test_of_thousands_of_owners_only_those_with_most_are_named(api, rows, database, settings):
    named = settings.metrics_owners
    with database.write() as session:
        for number in range(3 * named):
            count(session, "owner_job_seconds", f"owner-{number}", number)
    for number in range(named + 2):
        rows.dataset(owner=f"owner-{number}", extracted_bytes=10 + number)
    rows.job(owner="owner-0")
    found = {}
    for family in text_string_to_metric_families(api.get("/metrics").text):
        found[family.name] = {sample.labels.get("owner"): sample.value for sample in family.samples}
    expected = {f"owner-{number}": float(number) for number in range(2 * named, 3 * named)}
    assert found["pouf_owner_job_seconds"] == expected
    stored = found["pouf_owner_stored_bytes"]
    assert (len(stored), stored["(others)"]) == (named + 1, 10 + 11)
    assert found["pouf_owner_unfinished_jobs"] == {"owner-0": 1, "(others)": 0}


def test_attempts_at_webhooks_are_counted_by_their_result(api, rows, database):
    now = utcnow()
    for most_attempts, error in ((8, None), (8, "No answer."), (1, "No answer.")):
        delivery = rows.delivery(rows.webhook())
        with database.write() as session:
            claimed = webhooks.claim(session, delivery, utcnow())
            webhooks.record(session, claimed, now, most_attempts, None, error)
    text = api.get("/metrics").text
    for result in ("delivered", "tried_again", "failed"):
        assert f'pouf_webhook_attempts_total{{result="{result}"}} 1.0' in text
    assert scrape(api)[1]["pouf_webhooks_pending"] == 1


def test_no_statement_reads_every_job(api, database, application):
    api.get("/metrics")  # what owners store is added up now and then only
    asked = []
    engine = application.state.pouf.database.engine
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
    api.get("/metrics")
    with database.engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
            for sql, values in asked
            if "SELECT" in sql
        ]
    steps = [step.detail for plan in plans for step in plan]
    assert any(step.startswith("SEARCH jobs") for step in steps)
    assert not [step for step in steps if step.startswith("SCAN jobs")]
