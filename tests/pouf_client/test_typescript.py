"""The TypeScript client: its types are those of the API, it compiles, and what it compiles to calls a real service."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import generate_typescript
import pytest

from tests.app.conftest import application, picture, server
from tests.waiting import WAIT_SECONDS

__all__ = ["application", "picture", "server"]

PROJECT = generate_typescript.PROJECT
MODULES = PROJECT / "node_modules"

pytestmark = [
    pytest.mark.slow,  # the compiler and the generator take seconds each
    pytest.mark.skipif(
        not (shutil.which("node") and generate_typescript.GENERATOR.exists()),
        reason="Node.js is not installed, or `npm ci` has not been run in client/typescript",
    ),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typescript")
    done = subprocess.run(
        [MODULES / ".bin" / "tsc", "--project", PROJECT, "--outDir", folder], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copy(Path(__file__).with_name("calls.js"), folder)
    return folder


def test_the_types_are_what_the_api_says():
    assert generate_typescript.SCHEMA.read_text() == generate_typescript.schema(), "run `make typescript`, and commit"


def test_it_compiles_and_calls_a_real_service(compiled, server, rows, picture, tmp_path):
    (tmp_path / "a.png").write_bytes(picture("blue"))
    rows.dataset(name="another")
    model = rows.model()
    command = ["node", "calls.js", str(server.base_url), model, tmp_path / "a.png"]
    done = subprocess.run(command, cwd=compiled, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["names"][0] == "mine"
    assert "another" in told["names"]
    assert told["told"] == [True, 404, "job_not_found"]
    assert "still ingesting" in told["late"]
    assert told["label"] == "blue"
    # the tries of a request share a key; its halves, and what comes after, ask for the model that answered first
    assert told["asked"] == [["moved", 64]] * 3 + [["moved", 32], [model, 32], [model, 1]]
    assert (told["keys"], told["last"]) == (4, 64)
    assert told["codes"] == ["blue", "body_too_large", "undecodable_image"]
    assert told["none"] == "body_too_large"
