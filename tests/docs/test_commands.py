"""Every command of README and docs, run as readers run it: page by page, in order, against a real service."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cli.temporary_service import RunningService, temporary_service
from pouf_core.families.cosine.open_clip_loading import open_clip
from store.database import upgrade
from tests.docs.commands import PAGES, PYTHON, ROOT, SHELL, Block, blocks_of, replaced, shell_script, unmarked_commands
from tests.pouf_core.families.language.tiny_models import save_masked

CLASSES = ("boat", "computer", "smiley face")
PICTURES_A_CLASS = 8
PAGE_SECONDS, SLOW_PAGE_SECONDS = 240, 800
SERVICE = "http://127.0.0.1:8000"
#: What the commands of a page print, among other things.
PRINTED = {"README.md": ("event: job.succeeded", '"label": "smiley face"', "\nsmiley face 0.")}


needs_tools = pytest.mark.skipif(
    shutil.which("jq") is None or shutil.which("curl") is None, reason="jq or curl is not installed"
)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """What stands for the reader's `make up`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POUF_THREADS", "1")
        patch.setenv("POUF_DEVICE", "cpu")
        patch.setenv("POUF_BASE_MODELS", "pouf-lite,minilm,minilm-mlm,features,hf-mlm:*,open_clip:*")
        with temporary_service(tmp_path_factory.mktemp("service")) as running:
            yield running


@pytest.fixture(scope="session")
def belongings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that readers are taken to have."""
    folder = tmp_path_factory.mktemp("belongings")
    clipart = ROOT / "examples" / "clipart"
    images = folder / "examples" / "clipart" / "images"
    images.mkdir(parents=True)
    with (clipart / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in CLASSES:
        for row in [row for row in rows if row["label"] == name][:PICTURES_A_CLASS]:
            shutil.copy(clipart / "images" / row["file"], images)
    shutil.copy(clipart / "images" / "00fdfebaa3e3.jpg", images)
    for copied in ("pictures", "new-pictures"):
        shutil.copytree(images, folder / copied)
    shutil.make_archive(str(folder / "pictures"), "zip", images)
    for name, picture in zip(("a.jpg", "b.jpg", "new.jpg"), sorted(images.glob("*.jpg")), strict=False):
        shutil.copy(picture, folder / name)
    reviews = [
        f'"It broke after {n} weeks. I am not happy.",negative\n"Works well, day {n}.",positive' for n in range(12)
    ]
    (folder / "reviews.csv").write_text("text,label\n" + "\n".join(reviews) + "\n", encoding="utf-8")
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 16)).astype("float32")
    np.save(folder / "class_features.npy", centres)
    np.save(
        folder / "features.npy", np.repeat(centres, 20, axis=0) + 0.5 * random.normal(size=(60, 16)).astype("float32")
    )
    np.save(folder / "new_features.npy", centres + 0.1)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models of readers' own, with random weights, by where the pages have them."""
    folder = tmp_path_factory.mktemp("models")
    return {"/models/roberta-base": save_masked("roberta", folder / "roberta-base")}


@pytest.fixture
def checkpoint(tmp_path: Path) -> dict[str, Path]:
    """A reader's own weights of a large model."""
    weights = tmp_path / "my-clip.pt"
    torch.save(open_clip.create_model("ViT-B-32").state_dict(), weights)
    return {"/models/my-clip.pt": weights}


@pytest.fixture
def reader(
    belongings: Path,
    models: dict[str, Path],
    service: RunningService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """A folder of a reader's own to work in, which is the current one; what stands in the pages for what is here."""
    work = tmp_path / "work"
    shutil.copytree(belongings, work)
    (work / ".venv").symlink_to(sys.prefix)
    data = tmp_path / "data"
    data.mkdir()
    upgrade(f"sqlite:///{data}/pouf.db")
    monkeypatch.chdir(work)
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("POUF_URL", service.url)
    monkeypatch.setenv("POUF_API_KEY", "none-is-needed-here")
    monkeypatch.setenv("POUF_DATA_DIR", str(data))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # curl then fails where the service refuses
    (tmp_path / ".curlrc").write_text("fail-with-body\n")
    monkeypatch.setenv("CURL_HOME", str(tmp_path))
    places = {SERVICE: service.url, "/var/lib/pouf": str(data), "/backups": str(tmp_path / "backups")}
    return places | {there: str(here) for there, here in models.items()}


def run(blocks: list[Block], places: dict[str, str], seconds: float = PAGE_SECONDS) -> str:
    """Run the shell blocks in one shell, then the Python blocks in one namespace; what the shell printed."""
    printed = ""
    if any(block.language in SHELL for block in blocks):
        script = shell_script(blocks, places)
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=seconds, check=False)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        printed = done.stdout
    names: dict[str, object] = {}
    for block in blocks:
        if block.language == PYTHON:
            exec(compile(replaced(block.text, places), f"block at line {block.line}", "exec"), names)
    return printed


def name_in_the_project(page: Path) -> str:
    return str(page.relative_to(ROOT))


def pages_with(*marks: str) -> list[Path]:
    commands = {*SHELL, PYTHON}
    return [p for p in PAGES if any(b.language in commands and b.mark in marks for b in blocks_of(p))]


@needs_tools
@pytest.mark.parametrize("page", pages_with(""), ids=name_in_the_project)
def test_the_commands_of_a_page_do_what_it_says(
    page: Path, reader: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    printed = run([block for block in blocks_of(page) if not block.mark], reader) + capsys.readouterr().out
    assert [words for words in PRINTED.get(name_in_the_project(page), ()) if words not in printed] == []


@needs_tools
@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("slow"), ids=name_in_the_project)
def test_the_slow_commands_of_a_page_do_what_it_says(
    page: Path, reader: dict[str, str], checkpoint: dict[str, Path]
) -> None:
    places = reader | {there: str(here) for there, here in checkpoint.items()}
    run([block for block in blocks_of(page) if block.mark in ("", "slow")], places, SLOW_PAGE_SECONDS)


@pytest.mark.parametrize("page", PAGES, ids=name_in_the_project)
def test_every_command_is_run_or_says_why_not(page: Path) -> None:
    assert unmarked_commands(page) == []
    assert [block.line for block in blocks_of(page) if block.mark == "not run" and len(block.reason) < 10] == []


@needs_tools
def test_a_command_that_fails_names_its_block(reader: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="failed in the block at line 7"):
        run(
            [Block("sh", "true", 3, "", ""), Block("sh", "curl -s http://127.0.0.1:8000/v1/none | cat", 7, "", "")],
            reader,
        )
