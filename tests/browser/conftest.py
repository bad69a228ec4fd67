"""A real service, and a real Chromium that looks at it. Without one, everything here skips."""

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from cli.temporary_service import RunningService, temporary_service
from tests.waiting import WAIT_SECONDS

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "clipart"
CLASSES = ("boat", "computer", "smiley face")
PICTURES_A_CLASS = 8
EVIL = "<img src=x onerror=alert(1)>"
LONG = "Donaudampfschifffahrtsgesellschaft" * 4
JOB_MS = 240_000

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
#: What browsers and htmx write of refusals, which have a list of their own.
REFUSALS = ("Failed to load resource", "Response Status Error Code")
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "screenshots"
WAIT_MS = 1000 * WAIT_SECONDS
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """An installed Chromium; Playwright brings none."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        # as root Chromium has no sandbox
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps everything."""
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="session")
def service(data_dir: Path) -> Iterator[RunningService]:
    """`pouf up`, with its workers and its broker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POUF_THREADS", "1")
        patch.setenv("POUF_DEVICE", "cpu")
        with temporary_service(data_dir) as running:
            yield running


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A folder with a folder of pictures for each class, and what a person left beside them."""
    root = tmp_path_factory.mktemp("upload") / "my clip art"
    with (EXAMPLE / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for row in [row for row in rows if row["label"] == name][:PICTURES_A_CLASS]:
            shutil.copy(EXAMPLE / "images" / row["file"], root / name)
    boat = next((root / "boat").iterdir())
    boat.rename(boat.with_name(f"{LONG}{boat.suffix}"))
    (root / f"{EVIL}.jpg").write_bytes(b"not a picture")
    return root


@dataclass(frozen=True)
class Walked:
    """What the whole way came to."""

    dataset: str
    job: str
    model: str


@pytest.fixture(scope="session")
def walked(browser, service, folder, tmp_path_factory) -> Walked:
    """The whole way, by the fewest clicks; nothing is typed, since folders suggest the class names."""
    page = browser.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(service.url)
    clicks = ["a folder"]
    page.locator("input[webkitdirectory]").set_input_files(folder)
    for link in ("New job", "Start the job", "Download predictions (CSV)", "Use the model"):
        found = page.get_by_role("button" if link.startswith("Start") else "link", name=link)
        found.wait_for(timeout=JOB_MS)
        clicks.append(link)
        if link == "New job":
            dataset = page.url.rpartition("/")[2]
        if not link.startswith("Download"):
            found.click()
            continue
        job = page.url.rpartition("/")[2]
        with page.expect_download() as download:
            found.click()
        with Path(download.value.path()).open(newline="") as file:
            rows = list(csv.DictReader(file))
    assert len(clicks) <= 8
    assert len(rows) == len(CLASSES) * PICTURES_A_CLASS
    assert {row["label"] for row in rows} <= set(CLASSES)
    page.wait_for_url("**/models/*")
    walked = Walked(dataset, job, page.url.rpartition("/")[2])
    page.close()
    return walked


@dataclass
class Visit:
    """A page that is looked at, and everything about it that should not be."""

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)
    expected_statuses: set[int] = field(default_factory=set)
    clicks: int = 0

    def open(self, path: str) -> None:
        """Go to a page of the service."""
        self.page.goto(self.url + path)

    def click(self, role: Any, name: str) -> None:
        """Click what has that role and name."""
        self.clicks += 1
        self.page.get_by_role(role, name=name).first.click()

    def show(self, width: int, scheme: Any) -> None:
        """Show the page in that width and colour scheme, at once: axe would measure colours on their way."""
        self.page.set_viewport_size({"width": width, "height": 800})
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    def findings(self) -> list[tuple[str, str]]:
        """What axe has to say of the page that is serious, with an example."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        violations = self.page.evaluate("axe.run().then((found) => found.violations)")
        serious = [found for found in violations if found["impact"] in ("serious", "critical")]
        return [(found["id"], found["nodes"][0]["html"]) for found in serious]

    def is_wider_than_the_screen(self) -> bool:
        """Tell whether a reader has to scroll sideways."""
        root = "document.documentElement"
        return bool(self.page.evaluate(f"{root}.scrollWidth > {root}.clientWidth"))

    def hidden_columns(self) -> list[str]:
        """The names of tables that a reader has to scroll sideways."""
        wide = "[...document.querySelectorAll('.scroll')].filter((table) => table.scrollWidth > table.clientWidth)"
        return list(self.page.evaluate(f"{wide}.map((table) => table.ariaLabel)"))

    def picture(self, name: str) -> None:
        """Keep a screenshot, to be looked at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture
def visit(browser: Browser, service: RunningService) -> Callable[..., Any]:
    """Opens a browser's window; in the end nothing may have gone wrong in it, nor have left this host."""

    @contextmanager
    def begin(width: int = 1280, scheme: Any = "light") -> Iterator[Visit]:
        context: BrowserContext = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        context.set_default_timeout(WAIT_MS)
        seen = Visit(context.new_page(), service.url)

        def note_request(request: Any) -> None:
            if not request.url.startswith((service.url, "blob:", "data:")):
                seen.wrong.append(f"asked {request.url}")

        def note_message(message: Any) -> None:
            if message.type == "error" and not message.text.startswith(REFUSALS):
                seen.wrong.append(message.text)

        def note_answer(answer: Any) -> None:
            if answer.status >= 400 and answer.status not in seen.expected_statuses:
                seen.wrong.append(f"{answer.status} from {answer.url}")

        def note_dialog(dialog: Any) -> None:
            if dialog.type == "alert":
                seen.wrong.append(f"alert: {dialog.message}")
            dialog.accept()

        seen.page.on("request", note_request)
        seen.page.on("response", note_answer)
        seen.page.on("console", note_message)
        seen.page.on("pageerror", lambda error: seen.wrong.append(str(error)))
        seen.page.on("dialog", note_dialog)
        yield seen
        context.close()
        assert seen.wrong == []

    return begin
