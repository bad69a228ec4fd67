from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from store.clock import utcnow
from store.heartbeats import REAPER, beat
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
