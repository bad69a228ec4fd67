"""A real server over rows that tests make, and the command line in this process."""

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.app.conftest import application, make_key, picture, server
from tests.app.predicted.conftest import predict, predicted

__all__ = ["application", "make_key", "picture", "predict", "predicted", "server"]  # fixtures


@pytest.fixture
def pouf(server, monkeypatch):
    """Runs `pouf` against that server."""
    monkeypatch.setenv("POUF_URL", str(server.base_url))

    def run(*arguments, stdin=None):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)

    return run
