"""The web app as people meet it: from a folder to a CSV and a name to call, by a browser alone."""

import itertools

import httpx
import pytest
from playwright.sync_api import expect

from pouf_client import Client
from tests.browser.conftest import CLASSES, EVIL, JOB_MS, LONG, PICTURES_A_CLASS
from tests.waiting import WAIT_SECONDS

WIDTHS, SCHEMES = (375, 1280), ("light", "dark")


@pytest.fixture(scope="session")
def other_job(walked, service) -> str:
    """Another job over the dataset, that knows fewer classes and has a name that no line ends in."""
    with Client(service.url) as client:
        job = client.jobs.create(walked.dataset, class_names=list(CLASSES[:2]), name=LONG)
        return client.jobs.wait(job.id).id


@pytest.fixture(scope="session")
def webhook(service) -> str:
    """A webhook to an address where nobody answers, that was called to try it."""
    with httpx.Client(base_url=service.url, timeout=WAIT_SECONDS) as api:
        made = api.post("/v1/webhooks", json={"url": "https://example.com:9/hook"}).raise_for_status().json()
        api.post(f"/v1/webhooks/{made['id']}/test").raise_for_status()
    return made["id"]


def test_what_was_made_in_the_browser_is_served_by_its_name(walked, service, folder):
    with Client(service.url) as client:
        assert client.models.get("my-clip-art").id == walked.model
        served = client.predict([next((folder / "boat").iterdir())], model="my-clip-art")
        assert served.items[0].label in CLASSES


def use_as_everybody(seen, name):
    """Look at the page that is open in every width and colour scheme."""
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        seen.show(width, scheme)
        assert seen.findings() == [], (name, width, scheme)
        assert not seen.is_wider_than_the_screen(), (name, width, scheme)
        assert width < max(WIDTHS) or seen.hidden_columns() == [], name
        seen.picture(f"{name}-{width}-{scheme}")


def test_every_page_can_be_used_by_everybody(visit, walked, other_job, webhook):
    pages = {
        "start": "/",
        "datasets": "/datasets",
        "dataset": f"/datasets/{walked.dataset}",
        "left-out": f"/datasets/{walked.dataset}/items?status=rejected",
        "items": f"/datasets/{walked.dataset}/items?status=accepted",
        "new-job": f"/jobs/new?dataset={walked.dataset}",
        "jobs": "/jobs",
        "job": f"/jobs/{walked.job}",
        "models": "/models",
        "model": f"/models/{walked.model}",
        "comparison": f"/jobs/compare?first={walked.job}&second={other_job}",
        "service": "/service",
        "keys": "/keys",
        "webhooks": "/webhooks",
        "webhook": f"/webhooks/{webhook}",
        "error": "/jobs/none",
    }
    with visit() as seen:
        seen.expected_statuses.add(404)
        for name, path in pages.items():
            seen.open(path)
            if name == "new-job":
                seen.page.locator("#trial figcaption").first.wait_for()
            use_as_everybody(seen, name)
        # its policy lets no script run, and so not axe: the same text at an address that has no policy
        report = seen.page.request.get(f"{seen.url}/v1/jobs/{walked.job}/report").text()
        seen.page.goto("about:blank")
        seen.page.set_content(report)
        use_as_everybody(seen, "report")


def test_the_reference_can_be_read_by_everybody_and_needs_nothing_from_elsewhere(visit):
    with visit() as seen:
        seen.open("/docs")
        seen.page.locator(".opblock-summary-control").first.click()
        seen.page.locator(".opblock-body .responses-wrapper").wait_for()
        for width in WIDTHS:
            seen.page.set_viewport_size({"width": width, "height": 800})
            assert seen.findings() == []
            assert not seen.is_wider_than_the_screen()
        seen.picture("reference")


def test_a_model_page_has_a_map_and_a_slider_for_mouse_and_keyboard(visit, walked):
    with visit() as seen:
        seen.open(f"/models/{walked.model}")
        answered = seen.page.locator("#answered p").first
        before = answered.inner_text()
        seen.page.locator("#threshold").focus()
        seen.page.keyboard.press("End")
        expect(answered).not_to_have_text(before)
        assert f"of {len(CLASSES) * PICTURES_A_CLASS} items get a class" in answered.inner_text()
        dots = seen.page.locator("[data-map] circle")
        seen.page.get_by_text("Map of the items").scroll_into_view_if_needed()
        dots.first.wait_for()
        assert dots.count() == len(CLASSES) * PICTURES_A_CLASS
        shown = seen.page.locator("#pointed img")
        dots.last.hover()
        shown.wait_for()
        by_mouse = shown.get_attribute("src")
        seen.page.locator("[data-map] svg").focus()
        seen.page.keyboard.press("ArrowLeft")
        seen.page.keyboard.press("ArrowRight")
        seen.page.keyboard.press("ArrowUp")
        expect(shown).not_to_have_attribute("src", by_mouse)
        assert seen.findings() == []
        seen.picture("map")


def test_a_model_is_tried_in_its_page(visit, walked, folder):
    with visit() as seen:
        seen.open(f"/models/{walked.model}")
        seen.page.locator("#picture").set_input_files(next((folder / "boat").iterdir()))
        seen.click("button", "Classify")
        seen.page.locator("#tried table").wait_for()
        assert seen.page.locator("#tried tbody tr").count() == len(CLASSES)
        assert seen.findings() == []


def test_class_names_are_tried_while_they_are_typed(visit, walked):
    with visit() as seen:
        seen.open(f"/jobs/new?dataset={walked.dataset}")
        seen.page.locator("#trial figcaption strong").first.wait_for()
        assert seen.page.locator("#trial figure").count() == len(CLASSES) * PICTURES_A_CLASS
        seen.page.locator("#class_names").fill("boat\nboats")
        seen.page.locator("#trial .notice").filter(has_text="nearly the same").wait_for()
        assert seen.findings() == []
        seen.page.locator("#class_names").fill("boat")
        seen.page.locator("#trial").filter(has_text="at least two class names").wait_for()


def test_the_keyboard_reaches_everything_in_order(visit, walked):
    with visit() as seen:
        seen.open(f"/jobs/new?dataset={walked.dataset}")
        reached = []
        seen.page.locator("body").press("Tab")
        for _ in range(30):
            name = seen.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
            reached.append(name)
            if name == "Start the job":
                break
            seen.page.keyboard.press("Tab")
        assert reached[0] == "Skip to the content"
        assert reached[-1] == "Start the job"
        assert [name for name in reached if name in ("class_names", "job-name", "alias")] == [
            "class_names",
            "job-name",
            "alias",
        ]


def test_a_file_that_is_dropped_is_uploaded_and_its_evil_name_obeyed_by_nobody(visit):
    drop = """(name) => {
        const files = new DataTransfer();
        files.items.add(new File(["good film\\nbad film\\n<script>alert(2)</script>\\n"], name + ".txt"));
        const event = new DragEvent("drop", { dataTransfer: files, cancelable: true });
        document.querySelector("[data-drop]").dispatchEvent(event);
    }"""
    with visit() as seen:
        seen.open("/datasets")
        seen.page.evaluate(drop, EVIL.replace("/", ""))
        seen.page.get_by_role("link", name="New job").wait_for()
        assert EVIL in seen.page.locator("h1").inner_text()
        assert "<script>alert(2)</script>" in seen.page.locator(".texts").inner_text()
        seen.click("link", "New job")
        seen.page.locator("#class_names").fill(f"{EVIL}\nbad = not good")
        seen.click("button", "Start the job")
        seen.page.wait_for_url("**/jobs/job_*")
        seen.page.get_by_role("link", name="Use the model").or_(seen.page.locator(".notice.bad")).first.wait_for(
            timeout=JOB_MS
        )
        assert EVIL in seen.page.locator("main").inner_text()


def test_what_is_wrong_with_a_form_is_said_in_words_and_nothing_is_lost(visit, walked):
    with visit() as seen:
        seen.expected_statuses.add(422)
        seen.open(f"/jobs/new?dataset={walked.dataset}")
        seen.page.locator("#class_names").fill("only one")
        seen.click("button", "Start the job")
        seen.page.locator("#message .notice").wait_for()
        assert seen.page.locator("#class_names").input_value() == "only one"
        assert seen.findings() == []
        seen.picture("refused")


def test_options_of_an_upload_that_cannot_be_are_told_by_their_names(visit):
    with visit() as seen:
        seen.expected_statuses = {422}
        seen.open("/datasets")
        seen.page.get_by_text("Tables of texts: say how").click()
        seen.page.get_by_label("Character between columns").fill("ab")
        seen.page.get_by_label("Encoding").fill("klingon")
        table = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"text\none\n"}
        seen.page.locator("input[type=file]:not([webkitdirectory])").set_input_files(table)
        said = seen.page.locator("#message .notice")
        said.wait_for()
        assert "encoding: " in said.inner_text()
        assert "/encoding" not in said.inner_text()


def test_items_are_reviewed_by_the_keyboard_alone(visit, walked):
    with visit() as seen:
        seen.open(f"/jobs/{walked.job}")
        seen.page.locator("#review-size").fill("6")
        seen.page.keyboard.press("Enter")
        progress = seen.page.locator("#review label")
        seen.page.get_by_text("0 of 6 items looked at").wait_for()
        assert seen.findings() == []
        seen.picture("review")
        for number, key in enumerate("123n?", start=1):
            seen.page.keyboard.press(key)
            seen.page.get_by_text(f"{number} of 6 items looked at").wait_for()
        seen.page.keyboard.press("z")
        seen.page.wait_for_url("**at=4")
        seen.page.keyboard.press("1")
        seen.page.locator('a[href$="at=4"]').wait_for()  # the next item
        seen.page.keyboard.press("1")
        seen.page.get_by_text("everything has been looked at").wait_for()
        assert progress.inner_text() == "6 of 6 items looked at"
        assert seen.findings() == []
        seen.picture("reviewed")


def test_with_keys_a_browser_signs_in_works_and_signs_out(visit, walked):
    """The last one: from the first key on, every page asks for one."""
    with visit() as seen:
        seen.open("/keys")
        seen.page.locator("#key-name").fill("browser")
        seen.click("button", "Make the key")
        key = seen.page.locator("#made code").inner_text()
        assert seen.findings() == []
        seen.picture("key-made")
    with visit(375) as seen:
        seen.expected_statuses.add(401)
        seen.open(f"/models/{walked.model}")
        assert "/sign-in?next=/models/" in seen.page.url
        assert seen.findings() == []
        seen.picture("sign-in")
        seen.page.get_by_label("API key").fill("pouf_wrong")
        seen.click("button", "Sign in")
        assert "no API key" in seen.page.locator(".notice.bad").inner_text()
        seen.page.get_by_label("API key").fill(key)
        seen.click("button", "Sign in")
        seen.page.wait_for_url(f"**/models/{walked.model}")
        seen.page.locator("#alias").fill("second-name")
        seen.click("button", "Add the name")
        seen.page.get_by_text("second-name", exact=True).wait_for()
        seen.open(f"/datasets/{walked.dataset}")
        shown = seen.page.locator(".gallery img").first
        shown.scroll_into_view_if_needed()
        shown.evaluate("picture => picture.decode()")
        assert seen.page.evaluate("document.cookie") == ""
        seen.click("button", "Sign out")
        seen.page.wait_for_url("**/sign-in")
        seen.open("/jobs")
        assert "/sign-in" in seen.page.url
