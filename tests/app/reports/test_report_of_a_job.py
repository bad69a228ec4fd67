"""The page about a job, with the reviews of its items."""

from tests.app.predicted.conftest import predicted

__all__ = ["predicted"]


def test_the_page_tells_what_people_measured_and_what_was_confirmed(api, rows, predicted):
    job = predicted(60)
    rows.model_of(job.job_id)
    url = f"/v1/jobs/{job.job_id}"
    assert "Checked by people" not in api.get(f"{url}/report").text
    audit = api.post(f"{url}/audits", json={"size": 40, "seed": 1}).json()
    page = api.get(f"{url}/report").text
    assert "40 items drawn, 0 answered" in page and "Right by the base model alone" not in page
    answers = [{"item": item["sha256"], "label": item["zero_shot_label"]} for item in audit["items"]]
    found = api.put(audit["urls"]["answers"], json={"answers": answers}).json()
    page = api.get(f"{url}/report").text
    assert "40 answered" in page and "by 1 person" in page
    value = found["estimate"]["adapted"]["value"]
    assert f"{100 * value:.1f}\u00a0%</td>" in page
    assert "Proposed: harmful" in page and "no threshold would keep" in page
    api.post(audit["urls"]["confirm"])
    page = api.get(f"{url}/report").text
    assert "Confirmed: harmful; the base model alone is used" in page and "Proposed" not in page
