import pytest
from typer.testing import CliRunner

import pouf_core
from cli.main import app


@pytest.fixture(scope="session")
def zero_shot_models(tmp_path_factory):
    """Makes the folder of a model that was not changed, by what it classifies; each base model is loaded once."""
    made = {}

    def make(base_model, data):
        if base_model not in made:
            folder = tmp_path_factory.mktemp("models") / base_model
            classes = ["a terrible product", "a great product"] if base_model == "minilm" else ["boat", "smiley face"]
            pouf_core.adapt(
                data, classes, base_model=base_model, method={"type": "zero-shot"}, out=folder, device="cpu"
            )
            made[base_model] = folder
        return made[base_model]

    return make


@pytest.fixture
def predict(monkeypatch):
    """Runs `pouf predict` in this process, on the CPU."""
    monkeypatch.delenv("POUF_URL", raising=False)

    def run(*arguments):
        return CliRunner().invoke(app, ["predict", *map(str, arguments), "--device", "cpu"])

    return run
