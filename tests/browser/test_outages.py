"""Pages that are open while the service is away: they say so, and go on by themselves."""

from playwright.sync_api import expect

from pouf_client import Client
from tests.browser.conftest import CLASSES, WAIT_MS
from tests.waiting import processes_with


class _Forgiving(list):  # type: ignore[type-arg]
    """A service that is away is reported by browsers; that is what the tests are about."""

    def append(self, _: object) -> None:
        return


def test_a_page_goes_on_by_itself_when_the_api_was_away(visit, walked, service):
    with Client(service.url) as client:
        job = client.jobs.create(walked.dataset, class_names=list(CLASSES))
        client.jobs.pause(job.id)
        with visit() as seen:
            seen.wrong = _Forgiving()
            seen.open(f"/jobs/{job.id}")
            [api] = processes_with("app.main:app", service.pid)
            api.kill()
            seen.page.locator("#message .notice").wait_for()
            expect(seen.page.locator("#message .notice")).to_have_count(0, timeout=WAIT_MS)
            client.jobs.cancel(job.id)
            seen.page.locator(".badge.cancelled").wait_for()


def test_a_part_of_a_page_comes_once_the_service_is_back_and_what_a_proxy_says_meanwhile_is_not_shown(visit, walked):
    def is_away(route):
        route.abort()

    def is_away_behind_a_proxy(route):
        route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>")

    answers = iter([is_away, is_away_behind_a_proxy])
    with visit() as seen:
        seen.wrong = _Forgiving()
        seen.page.route("**/models/*/map", lambda route: next(answers, lambda route: route.continue_())(route))
        seen.open(f"/models/{walked.model}")
        seen.page.get_by_text("Map of the items").scroll_into_view_if_needed()
        seen.page.get_by_text("This page tries again by itself.").wait_for()
        seen.page.locator("[data-map] circle").first.wait_for()
        assert next(answers, None) is None
        assert seen.page.get_by_text("Bad gateway").count() == 0
        assert seen.page.locator("#message .notice").count() == 0


def test_what_a_person_was_answered_stays_while_the_page_asks_by_itself(visit, walked, service):
    def refuse(route):
        route.continue_(url=f"{service.url}/jobs/job_none/resume")

    with Client(service.url) as client:
        job = client.jobs.create(walked.dataset, class_names=list(CLASSES))
        client.jobs.pause(job.id)
        with visit() as seen:
            seen.expected_statuses = {404}
            seen.page.route("**/resume", refuse)
            seen.open(f"/jobs/{job.id}")
            seen.click("button", "Resume")
            said = seen.page.get_by_text("There is no job")
            said.wait_for()
            for _ in range(2):
                with seen.page.expect_response(f"**/jobs/{job.id}"):
                    pass
            assert said.count() == 1
        client.jobs.cancel(job.id)


def test_what_a_proxy_refuses_is_not_told_as_a_service_that_is_away(visit, walked):
    with visit() as seen:
        seen.wrong = _Forgiving()
        seen.page.route("**/models/*/map", lambda route: route.fulfill(status=403, body="<h1>Forbidden</h1>"))
        seen.open(f"/models/{walked.model}")
        seen.page.get_by_text("Map of the items").scroll_into_view_if_needed()
        seen.page.get_by_text("refused this (403)").wait_for()
        assert seen.page.get_by_text("does not answer").count() == 0
