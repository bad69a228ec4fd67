"""The client as an installed package."""

import subprocess
import sys


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
