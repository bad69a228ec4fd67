"""The guide as it is built: whole, without another host, and with nothing in it that a strict policy would block."""

import json
from html.parser import HTMLParser
from pathlib import Path


class Resources(HTMLParser):
    """What a page loads, and what a strict policy would block in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and given.get("type") != "application/json":
            self._note(tag, given.get("src"))
        elif tag == "link" and given.get("rel") == "stylesheet":
            self._note(tag, given.get("href"))
        elif tag == "img":
            self._note(tag, given.get("src"))
        elif tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.inline.append(tag)

    def _note(self, tag: str, address: str | None) -> None:
        (self.loaded if address else self.inline).append(address or tag)


def test_every_page_loads_only_what_the_guide_brings_and_runs_nothing_that_is_in_the_page(guide: Path) -> None:
    pages = sorted(guide.glob("*.html"))
    assert len(pages) > 20
    for page in pages:
        resources = Resources(page.read_text(encoding="utf-8"))
        assert resources.inline == [], page.name
        if page.name == "404.html":  # of servers that look for one; ours has its own
            continue
        missing = [path for path in resources.loaded if not (guide / path.partition("?")[0]).is_file()]
        assert missing == [], page.name


def test_links_to_the_source_code_are_text_in_the_guide_and_other_pages_are_in_it(guide: Path) -> None:
    text = (guide / "method.html").read_text(encoding="utf-8")
    assert 'href="../' not in text
    assert "<code>pouf_core/objective.py</code>" in text
    assert 'href="tuning-pictures.html' in text


def test_the_search_knows_every_page(guide: Path) -> None:
    index = json.loads((guide / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {entry["location"].partition("#")[0] for entry in index["docs"]}
    assert found >= {page.name for page in guide.glob("*.html")} - {"404.html"}
