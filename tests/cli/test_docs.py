import re
from pathlib import Path

import pytest

from docs import generate

ROOT = Path(generate.FILE).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def test_the_settings_table_is_what_the_code_says():
    text = generate.FILE.read_text(encoding="utf-8")
    assert generate.configuration(text) == text, "run `make docs` and commit the result"


def test_the_tables_of_presets_are_what_the_code_says():
    text = generate.METHOD.read_text(encoding="utf-8")
    assert generate.method(text) == text, "run `make docs` and commit the result"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_leads_nowhere(page):
    missing = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert missing == []


def test_every_make_target_that_the_readme_names_exists():
    named = set(re.findall(r"`?make ([a-z-]+)`?", (ROOT / "README.md").read_text()))
    assert named
    assert named <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_error_code_that_the_contract_names_exists():
    modules = [path for part in ("app", "worker", "pouf_core") for path in (ROOT / part).rglob("*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    rows = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", (ROOT / "docs" / "http.md").read_text(), re.MULTILINE)
    codes = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]
    assert len(codes) > 40
    assert [code for code in codes if f'"{code}"' not in source] == []


def test_every_call_that_the_contract_names_exists_and_the_other_way_round(tmp_path):
    from app.main import create_app
    from store.settings import Settings

    def plain(path: str) -> str:
        return re.sub(r"{[^}]*}", "{}", path)

    paths = create_app(Settings(data_dir=tmp_path)).openapi()["paths"]
    served = {f"{method.upper()} {plain(path)}" for path, methods in paths.items() for method in methods}
    text = (ROOT / "docs" / "http.md").read_text()
    named = {plain(call) for call in re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`]*)`", text)}
    assert named == served
