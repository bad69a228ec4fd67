"""The client as an installed package."""

import shutil
import subprocess
import sys
import tomllib
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.app.conftest import application, picture, server

__all__ = ["application", "picture", "server"]

CLIENT = Path(__file__).parents[2] / "client"


def test_the_client_imports_neither_pytorch_nor_the_server():
    script = "import sys, pouf_client; print({'torch', 'app', 'worker', 'pouf_core', 'cli'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"


def test_the_former_name_gives_the_same_classes_and_says_the_new_one():
    script = (
        "import pouf_client, client; from client import Client; from client.errors import ApiError;"
        "assert Client is pouf_client.Client and ApiError is pouf_client.ApiError and client.jobs is pouf_client.jobs"
    )
    answer = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning", "-c", script], capture_output=True, text=True, check=True
    )
    assert "pouf_client" in answer.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The Python of a virtual environment with the client as `pip install ./client` makes it, and what it needs."""
    folder = tmp_path_factory.mktemp("fresh")
    shutil.copytree(CLIENT, folder / "client", ignore=shutil.ignore_patterns("typescript", "build", "__pycache__"))
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    purelib = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    # No registry is asked: the client is built by the setuptools that are here, and httpx and its own are lent.
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", purelib, folder / "client"]
    subprocess.run(command, check=True)
    for name in needed("httpx"):
        for file in metadata.files(name) or []:
            if not file.parts[0].startswith(".."):
                source, target = Path(str(file.locate())), Path(purelib, file)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source)
    return python


def needed(name, seen=()):
    """The distribution and those that it needs."""
    found = [name]
    for requirement in map(Requirement, metadata.requires(name) or []):
        if requirement.name not in (*seen, *found) and (not requirement.marker or requirement.marker.evaluate()):
            found += needed(requirement.name, (*seen, *found))
    return found


CALLS = """
import importlib.util, sys
from pouf_client import Client
assert not any(map(importlib.util.find_spec, ("pouf_core", "torch", "app", "client")))
with Client(sys.argv[1]) as pouf:
    dataset = pouf.datasets.create(["It broke.", "Fine."], modality="text")
    print(dataset.status, pouf.datasets.get(dataset.id).modality, pouf.predict(sys.argv[2], sys.argv[3]).items[0].label)
"""


def test_the_client_alone_is_installed_and_calls_a_real_service(environment, server, rows, picture, tmp_path):
    (tmp_path / "a.png").write_bytes(picture("blue"))
    command = [environment, "-I", "-c", CALLS, str(server.base_url), tmp_path, rows.model(modality="image")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("ingesting text blue\n", "")


def test_httpx_is_all_that_the_client_needs():
    wanted = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert [Requirement(each).name for each in wanted] == ["httpx"]
