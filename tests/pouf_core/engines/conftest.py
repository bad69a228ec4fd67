import pytest
import torch

from pouf_core.engines.interface import EngineOffer


@pytest.fixture
def offer(tmp_path):
    return EngineOffer(tmp_path / "engines")


@pytest.fixture
def without_gradients():
    with torch.no_grad():
        yield
