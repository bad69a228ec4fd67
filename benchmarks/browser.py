"""How long an installed Chromium is busy with the pages of the web app over a dataset of 10,000 items.

    python benchmarks/browser.py [--items 10000] [--dots 2000] [--json FILE]

The rows are made directly, as for `pages.py`, and so is a map of so many dots. Each page is opened, scrolled to its
end, and, where it has a map, the map is walked by the keyboard. In a task of more than 50 ms the browser answers
nobody; people notice from 100 to 200 ms on.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pages import FINISHED_KEY, add_dataset, add_jobs, add_model, add_predictions
from playwright.sync_api import Browser, Page, sync_playwright
from predictions_of_datasets import served

from app.serving.planes import PLANE
from pouf_core.predictions.stored import MOST_MAPPED
from store.database import Database, upgrade
from store.settings import Settings
from store.storage import Storage

JOBS = 100
LIMIT_MS = 200.0
METRICS = {"script_ms": "ScriptDuration", "layout_ms": "LayoutDuration", "style_ms": "RecalcStyleDuration"}
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((entry) => entry.duration)))
  .observe({type: "longtask", buffered: true});
"""
SCROLL = """
async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 400) {
    scrollTo(0, y);
    await new Promise(requestAnimationFrame);
  }
}
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """An installed Chromium."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


def measure(browser: Browser, url: str) -> dict[str, Any]:
    """Milliseconds of script, layout and styles of a page, and its longest tasks."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script(WATCH)
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable")
    page.goto(url, wait_until="networkidle")
    page.evaluate(SCROLL)
    page.wait_for_timeout(300)
    walk(page)
    found = {one["name"]: one["value"] for one in metrics.send("Performance.getMetrics")["metrics"]}
    tasks = sorted(page.evaluate("longTasks"), reverse=True)
    elements = page.evaluate("document.getElementsByTagName('*').length")
    page.close()
    times = {name: 1000 * found[metric] for name, metric in METRICS.items()}
    return {**times, "elements": elements, "longest_tasks_ms": tasks[:5]}


def walk(page: Page) -> None:
    """Go over the map, if there is one."""
    if page.locator("#map-title").count():
        plane = page.locator("[data-map] svg")
        plane.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
            page.keyboard.press(key)
            page.wait_for_timeout(100)


def main(
    items: Annotated[int, typer.Option(help="Items of the dataset.")] = 10_000,
    dots: Annotated[int, typer.Option(help="Dots of the map.")] = MOST_MAPPED,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(data_dir=Path(name), device="cpu", min_free_bytes=0)
        upgrade(settings.database_url)
        database, storage = Database.of(settings), Storage.of(settings)
        dataset_id, hashes = add_dataset(database, items)
        add_predictions(storage, hashes, Path(name) / "made")
        np.save(storage.local_directory(FINISHED_KEY) / PLANE, np.random.default_rng(0).random((dots, 2), np.float32))
        other_id, job_id = add_jobs(database, dataset_id, JOBS)
        model_id = add_model(database, job_id)
        database.dispose()
        paths = [f"/datasets/{dataset_id}", f"/datasets/{dataset_id}/items?status=accepted", f"/jobs/{job_id}", "/jobs"]
        paths += [f"/models/{model_id}", f"/jobs/compare?first={other_id}&second={job_id}"]
        with served(settings) as (client, _), chromium() as browser:
            found = {path: measure(browser, f"{client.base_url}{path}") for path in paths}
    report(found)
    if json_file:
        json_file.write_text(json.dumps({"items": items, "dots": dots, "pages": found}, indent=2) + "\n")


def report(found: dict[str, dict[str, Any]]) -> None:
    """Print the figures of each page."""
    for path, one in found.items():
        told = f"script {one['script_ms']:.0f}, layout {one['layout_ms']:.0f}, styles {one['style_ms']:.0f} ms"
        longest = ", ".join(f"{task:.0f}" for task in one["longest_tasks_ms"]) or "none"
        typer.echo(f"{path[:50]:50} {told}; {one['elements']} elements; long tasks: {longest} (limit {LIMIT_MS:g}) ms")


if __name__ == "__main__":
    typer.run(main)
