"""Pages say what the resources are, whatever people called them."""

import hashlib
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from pouf_core.contract.findings import finding
from pouf_core.contract.result import Evaluation
from store.tables import Dataset, DatasetItem, JobMetric
from tests.app.predicted.conftest import predict, predicted

__all__ = ["predict", "predicted"]  # fixtures

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}'&amp;"


class Page(HTMLParser):
    """What a browser makes of a page.

    Attributes:
        unsafe: scripts, styles and handlers within it, and addresses elsewhere.
        shown: texts and values of attributes.
    """

    def __init__(self, content: str) -> None:
        super().__init__()
        self.unsafe: list[str] = []
        self.shown: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = {name: value or "" for name, value in attrs}
        if tag == "style" or (tag == "script" and not fields.get("src", "").startswith("/assets/")):
            self.unsafe.append(tag)
        self.unsafe += [name for name in fields if name.startswith("on") or name == "style"]
        places = [fields[name] for name in ("href", "src", "action", "hx-get", "hx-post") if name in fields]
        self.unsafe += [place for place in places if not re.match(r"/(?!/)|#", place)]
        self.shown += fields.values()

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


@pytest.fixture
def evil(rows, database, predicted, predict) -> dict[str, str]:
    """A dataset, a job and a model whose every name is an attack, and what else shows names."""
    rows.dataset(owner=EVIL)
    first = predicted(names=[f"{number}{EVIL}" for number in range(9)], texts=[EVIL] * 9)
    reading = {"file": EVIL, "encoding": "utf-8", "encoding_confidence": 1.0, "header": [EVIL, "b"], "text_column": 0}
    reading |= {"first_rows": [{"text": EVIL, "text_pair": EVIL, "label": EVIL}], "label_column": 1, "rows": 1}
    dataset = rows.dataset(
        name=EVIL,
        modality="text",
        item_count=1,
        rejected_count=1,
        readings=[reading],
        rejections=[{"code": "c", "count": 1, "example_name": EVIL, "message": EVIL}],
        warnings=[finding("c", EVIL).model_dump()],
        suggested_class_names=[EVIL, "b"],
    )
    item = {"dataset_id": dataset, "name": EVIL, "text": EVIL, "text_pair": EVIL, "label": EVIL}
    with database.write() as session:
        session.add(DatasetItem(status="accepted", sha256=hashlib.sha256(b"").hexdigest(), **item))
        session.add(DatasetItem(status="rejected", code="c", message=EVIL, **item))
    said = {"class_names": [EVIL, "b"], "prompt_template": [EVIL + "{}"], "name": EVIL}
    told = {"warnings": [finding("c", EVIL)], "verdict": "harmful", "verdict_reasons": [finding("c", EVIL)]}
    failed = rows.job("running", "failed", dataset_id=dataset, error_code=EVIL, error_message=EVIL, **said, **told)
    return {
        "dataset": dataset,
        "failed": failed,
        "job": rows.job("running", "succeeded", dataset_id=dataset, **said, **told),
        "model": rows.model(job_id=failed, **said, **told),
        "first": first.job_id,
        "second": predict(first.dataset_id, first.names, seed=1).job_id,
        "webhook": rows.webhook(EVIL),
    }


def test_names_and_texts_of_people_are_shown_and_never_obeyed(api, evil):
    of_dataset = "/datasets/{dataset}"
    paths = ["/", "/datasets", of_dataset, *(f"{of_dataset}/items{query}" for query in ("", "?status=rejected"))]
    paths += ["/jobs", "/jobs/new?dataset={dataset}", "/jobs/{job}", "/jobs/{failed}", "/models", "/models/{model}"]
    paths += ["/jobs/compare?first={first}&second={second}", "/service", "/webhooks", "/webhooks/{webhook}"]
    for path in paths:
        answer = api.get(path.format(**evil))
        assert answer.status_code == 200, path
        page = Page(answer.text)
        assert any(EVIL in text for text in page.shown), path
        assert not page.unsafe, path


def test_errors_quote_what_was_asked_for_without_obeying_it(api):
    for headers in ({}, {"HX-Request": "true"}):
        answer = api.get("/jobs/%3Cscript%3Ealert(1)", headers=headers)
        assert (answer.status_code, "&lt;script&gt;alert(1)" in answer.text) == (404, True)
        assert not Page(answer.text).unsafe
    assert answer.headers["hx-retarget"] == "#message"
    assert not Page(api.get("/docs").text).unsafe


def test_assets_are_served_from_the_package_and_kept_by_browsers(api):
    for page in ("/", "/docs"):
        for path in re.findall(r'(?:src|href)="(/assets/[^"]+)"', api.get(page).text):
            answer = api.get(path)
            assert answer.status_code == 200, path
            again = api.get(path, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304, path
    assert api.get("/assets/../main.py").status_code == 404
    assert api.get("/assets/%2e%2e/main.py").status_code == 404


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat\r\n dog \n\n", ["cat", "dog"]),
        ("cat, dog,", ["cat", "dog"]),
        ("cats, big\ndogs", ["cats, big", "dogs"]),
        ("cat = a house cat\ndog=wolf", [{"name": "cat", "prompt": "a house cat"}, "dog=wolf"]),
        (" ", []),
    ],
)
def test_classes_are_read_as_people_write_them(text, expected):
    from app.pages.class_lists import parse_class_list

    assert parse_class_list(text) == expected


def test_a_job_is_made_from_the_form(api, rows):
    dataset = rows.dataset(name="My cats & dogs")
    form = api.get(f"/jobs/new?dataset={dataset}").text
    assert 'value="my-cats-dogs"' in form
    fields = {"dataset_id": dataset, "class_names": "cat\ndog = a wolf", "quality": "fast", "alias": "pets", "name": ""}
    made = api.post("/jobs", data={**fields, "base_model": "pouf-lite"}, headers={"HX-Request": "true"})
    job = api.get(f"/v1{made.headers['hx-redirect']}").json()
    assert job["class_names"] == ["cat", {"name": "dog", "prompt": "a wolf"}]
    assert (job["alias"], job["name"], job["dataset_id"]) == ("pets", None, dataset)


def test_what_is_wrong_with_a_job_is_said_in_the_page(api, rows):
    fields = {"dataset_id": rows.dataset(), "class_names": "cat", "alias": "no spaces"}
    answer = api.post("/jobs", data=fields, headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert answer.headers["hx-retarget"] == "#message"
    assert "<html" not in answer.text
    assert "too_few_classes" in answer.text or "class" in answer.text


def test_a_job_page_offers_what_can_be_done_and_does_it(api, rows):
    job_id = rows.job()
    for action, shown in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled"), ("retry", "queued")):
        assert f"/jobs/{job_id}/{action}" in api.get(f"/jobs/{job_id}").text
        assert api.post(f"/jobs/{job_id}/{action}", headers={"HX-Request": "true"}).status_code == 200
        page = api.get(f"/jobs/{job_id}").text
        assert f'class="badge {shown}"' in page
    assert "every 2s" in page
    assert api.post(f"/jobs/{job_id}/explode").status_code == 422


def test_a_finished_job_shows_what_it_predicts(api, predicted):
    made = predicted(30)
    page = api.get(f"/jobs/{made.job_id}").text
    before, after = made.stored.counts()
    for count in (*before.tolist(), *after.tolist()):
        assert f'<td class="number">{count}</td>' in page
    assert f"{int(made.stored.changed.sum())} of 30 items (" in page
    assert f"/v1/jobs/{made.job_id}/predictions?format=csv" in page
    changed = made.stored.rows(made.stored.changed)
    sureness = np.minimum(changed.records["probability"], changed.records["zero_shot_probability"])
    surest = changed.records[sureness.argmax()]["sha256"].tobytes().hex()
    first = re.search(r"/items/([0-9a-f]{64})/thumbnail", page)
    assert first is not None
    assert first[1] == surest
    assert "every 2s" not in page


def test_labels_that_speak_against_the_verdict_are_not_passed_over(api, rows):
    accuracies = {"zero_shot_accuracy": 0.6, "adapted_accuracy": 0.5, "n": 100, "unmatched": 0}
    evaluation = Evaluation(**accuracies, zero_shot_interval=(0.5, 0.7), adapted_interval=(0.4, 0.61))
    job_id = rows.job("running", "succeeded", verdict="improved", evaluation=evaluation)
    page = api.get(f"/jobs/{job_id}").text
    assert "These labels do not confirm that it helped" in page
    assert "small enough to be chance" in page


def test_a_dataset_that_is_being_read_is_looked_at_again(api, rows, database):
    dataset = rows.dataset("ingesting")
    assert "every 2s" in api.get(f"/datasets/{dataset}").text
    with database.write() as session:
        row = session.get_one(Dataset, dataset)
        row.status, row.error_code, row.error_message = "failed", "table_ambiguous", "Which column holds the text?"
    page = api.get(f"/datasets/{dataset}").text
    assert "every 2s" not in page
    assert "Which column holds the text?" in page


def test_a_person_says_which_column_was_meant(api, rows, database):
    candidates = [{"column": 3, "heading": "Inhalt", "examples": ["a cell"]}]
    problem = {"error_code": "table_ambiguous", "error_message": "Which one?", "candidates": candidates}
    warnings = [finding("files_rejected", "A file was not read: Which one?").model_dump(mode="json")]
    dataset = rows.dataset("failed", modality="text", warnings=warnings, **problem)
    page = api.get(f"/datasets/{dataset}").text
    assert "Choose it below." in page
    assert "Which one?" not in page  # in the words of the API
    assert 'name="text_column" value="3"' in page
    assert "<q>a cell</q>" in page
    api.post(f"/datasets/{dataset}/read-again", data={"text_column": "3", "labels": "none", "header": ""})
    with database.read() as session:
        row = session.get_one(Dataset, dataset)
    assert (row.status, row.text_column, row.labels, row.candidates) == ("ingesting", "3", "none", None)
    assert "Read again" not in api.get(f"/datasets/{dataset}").text


def test_a_model_is_tried_and_named_in_its_page(api, rows, picture):
    model_id = rows.model()
    scripted = {"HX-Request": "true"}
    tried = api.post(f"/models/{model_id}/try", files={"picture": ("a.png", picture("red"))}, headers=scripted)
    assert "<strong>red</strong>" in tried.text
    nothing = api.post(f"/models/{model_id}/try", data={"text": " "}, headers=scripted)
    assert (nothing.status_code, "Choose a picture" in nothing.text) == (422, True)
    api.post(f"/models/{model_id}/alias", data={"alias": "best"}, headers=scripted)
    page = api.get(f"/models/{model_id}").text
    assert page.count("http://testserver/v1/models/best/predict") == 3  # curl, Python, TypeScript
    refused = api.post(f"/models/{model_id}/alias", data={"alias": "a b"}, headers=scripted)
    assert (refused.status_code, refused.text.count("An alias has letters")) == (422, 1)
    assert "/alias" not in refused.text, "a pointer, where people look"
    assert refused.headers["hx-reselect"] == "unset", "else the parts of a page that choose from answers drop it"
    api.post(f"/models/{model_id}/alias/delete", data={"alias": "best"}, headers=scripted)
    assert "/v1/models/best/predict" not in api.get(f"/models/{model_id}").text


def test_a_model_page_shows_what_came_out_and_what_each_threshold_gives(api, rows, predicted):
    made = predicted(30)
    proposed = {"threshold": 0.6, "answered": 0.01, "accuracy": 0.95}  # for fewer items than the curve has a point of
    points = [{"threshold": 0.5, "answered": 0.4, "accuracy": 0.9}, {"threshold": 0, "answered": 1, "accuracy": 0.7}]
    found = {"points": points, "proposed": proposed}
    abstention = {"wished_accuracy": 0.95, "adapted": found, "zero_shot": found}
    model_id = rows.model_of(made.job_id, abstention=abstention)
    page = api.get(f"/models/{model_id}").text
    assert "of 30 items (" in page
    assert 'type="range" name="place" min="0" max="2" value="2"' in page
    assert f'hx-get="/models/{model_id}/map"' in page
    assert page.count('class="chart"') == 2
    assert not Page(page).unsafe
    answered, surest = (int((made.stored.records["probability"] >= least).sum()) for least in (0.5, 0.6))
    for place, count, accuracy in ((0, 30, "70.0"), (1, answered, "90.0"), (2, surest, "95.0"), (99, surest, "95.0")):
        shown = api.get(f"/models/{model_id}/threshold?place={place}").text
        assert f" {count} of 30 items get a class" in shown
        assert f"{accuracy}\u00a0%</strong> of those are right" in shown
        assert not Page(shown).unsafe
    assert "<svg" not in api.get(f"/models/{rows.model()}/threshold").text


def test_a_job_page_draws_what_training_lowered(api, rows, database):
    job_id = rows.job("running")
    with database.write() as session:
        session.add_all(JobMetric(job_id=job_id, step=step, data={"loss": 1 / step}) for step in range(1, 500))
    page = api.get(f"/jobs/{job_id}").text
    assert page.count('class="chart"') == 1
    assert ">loss</text>" in page
    assert ">step</text>" in page
    assert 150 < page.count(" L ") + page.count("L ") <= 500


@pytest.mark.parametrize("cursor", ["%00", "x" * 201, "!"])
@pytest.mark.parametrize("place", ["jobs", "datasets", "models"])
def test_lists_refuse_a_cursor_that_they_did_not_give(api, place, cursor):
    answer = api.get(f"/{place}?cursor={cursor}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")


def test_a_text_that_cannot_be_kept_is_refused_in_the_page(api, rows):
    for field in ("text", "text_pair"):
        given = {"text": "a", field: "a\0"}
        answer = api.post(f"/models/{rows.model()}/try", data=given, headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["hx-retarget"]) == (422, "#message")


def test_a_stale_page_takes_no_name_from_another_model(api, rows):
    first, second = rows.model(), rows.model()
    for model_id in (first, second):
        api.post(f"/models/{model_id}/alias", data={"alias": "best"})
    for model_id in (first, "mdl_\u0394"):
        refused = api.post(f"/models/{model_id}/alias/delete", data={"alias": "best"})
        assert (refused.status_code, "alias_moved" in refused.text) == (409, True)
    assert api.get("/v1/aliases/best").json()["model_id"] == second
    assert api.post(f"/models/{second}/alias/delete", data={"alias": "best"}).status_code in (200, 303)
    assert api.get("/v1/aliases/best").status_code == 404
    assert api.post(f"/models/{second}/alias/delete", data={"alias": "best"}).status_code == 404
