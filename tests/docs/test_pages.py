import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import generate
from tests.docs.error_codes import codes_in_source

ROOT = Path(generate.FILE).parent.parent
CODE = r"`([a-z_]+)`"
FOLDERS = ("docs", "benchmarks", "examples", "scripts")
PAGES = [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
LINK = re.compile(r"(?:\]\(|^\[[^]]+\]: )(?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?", re.MULTILINE)
NAMED_PATH = re.compile(
    r"`((?:pouf_core|store|app|worker|client|cli|tests|docker|docs|benchmarks|examples|scripts)/[\w./-]*)`"
)


def anchors(page: Path) -> set[str]:
    """What GitHub lets a link name in a page: its headings in lower case, with hyphens for spaces."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def name_in_the_project(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_settings_table_is_what_the_code_says():
    text = generate.FILE.read_text(encoding="utf-8")
    assert generate.configuration(text) == text, "run `make docs` and commit the result"


def test_the_table_of_metrics_is_what_the_code_says():
    text = generate.METRICS.read_text(encoding="utf-8")
    assert generate.metrics(text) == text, "run `make docs` and commit the result"


def test_the_tables_of_presets_are_what_the_code_says():
    text = generate.METHOD.read_text(encoding="utf-8")
    assert generate.method(text) == text, "run `make docs` and commit the result"


def test_the_table_of_thresholds_is_what_the_code_says():
    text = generate.TRUST.read_text(encoding="utf-8")
    assert generate.trust(text) == text, "run `make docs` and commit the result"


@pytest.mark.parametrize("page", PAGES, ids=name_in_the_project)
def test_every_link_leads_to_a_file_and_a_heading(page):
    broken = []
    for link, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / link if link else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{link}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name_in_the_project)
def test_every_path_that_a_page_names_exists(page):
    named = NAMED_PATH.findall(page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_make_target_that_the_readme_names_exists():
    named = set(re.findall(r"`?make ([a-z-]+)`?", (ROOT / "README.md").read_text()))
    assert named
    assert named <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_error_code_of_the_source_is_explained_and_every_explained_one_exists():
    modules = [path for part in ("app", "worker", "store", "pouf_core") for path in (ROOT / part).rglob("*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    tables = re.findall(r"^\| code \|.*\n((?:\|.*\n)+)", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    explained = {code for table in tables for row in table.splitlines() for code in re.findall(CODE, row.split("|")[1])}
    assert len(explained) > 250
    # `not_found("dataset", …)` has the code `dataset_not_found`
    given = codes_in_source()
    assert {code for code in explained if f'"{code}"' not in source} <= given
    assert given - explained == set(), "explain them in docs/errors.md: what it means, and what to do"


def test_every_call_that_the_contract_names_exists_and_the_other_way_round(tmp_path):
    from app.main import create_app
    from store.settings import Settings

    def plain(path: str) -> str:
        return re.sub(r"{[^}]*}", "{}", path.partition("?")[0])

    paths = create_app(Settings(data_dir=tmp_path)).openapi()["paths"]
    served = {f"{method.upper()} {plain(path)}" for path, methods in paths.items() for method in methods}
    text = (ROOT / "docs" / "http.md").read_text()
    named = {plain(call) for call in re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", text)}
    assert named == served


def test_the_citation_obeys_its_format():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    done = subprocess.run([*command, str(ROOT / "CITATION.cff")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_readme_is_short_and_begins_with_what_it_is_for():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 120
    assert "| accuracy, without any label | before | after |" in lines[:25]
