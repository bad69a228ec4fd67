"""The guide as the service shows it; what is in it is tested in `tests/docs`."""

import pytest

from app.http.security_headers import DOCS
from app.pages import guide


@pytest.fixture
def built(tmp_path, monkeypatch):
    folder = tmp_path / "guide"
    (folder / "search").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Guide</h1>")
    (folder / "search" / "search_index.json").write_text("{}")
    monkeypatch.setattr(guide, "BUILT", folder)
    return folder


def test_the_guide_needs_no_key_and_obeys_the_policy_of_the_reference(api, built, make_key):
    make_key()
    page = api.get("/guide")
    assert (page.url.path, page.status_code, page.text) == ("/guide/index.html", 200, "<h1>Guide</h1>")
    assert page.headers["content-security-policy"] == DOCS
    assert "unsafe" not in DOCS
    assert api.get("/guide/search/search_index.json").json() == {}


def test_browsers_ask_for_a_page_again_only_when_it_has_changed(api, built):
    page = api.get("/guide/index.html")
    again = api.get("/guide/index.html", headers={"If-None-Match": page.headers["etag"]})
    assert (page.headers["cache-control"], again.status_code) == ("no-cache", 304)


@pytest.mark.parametrize("path", ["none.html", "%2e%2e/pouf.db", "search"])
def test_what_is_not_in_the_guide_is_a_page_that_says_so(api, built, path):
    answer = api.get(f"/guide/{path}")
    assert (answer.status_code, "<html" in answer.text) == (404, True)


def test_without_a_built_guide_the_service_says_how_to_build_it(api, monkeypatch, tmp_path):
    monkeypatch.setattr(guide, "BUILT", tmp_path / "none")
    answer = api.get("/guide")
    assert (answer.status_code, "make guide" in answer.text) == (404, True)
