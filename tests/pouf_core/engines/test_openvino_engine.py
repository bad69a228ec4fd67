"""What OpenVINO leaves alone, and how it uses threads and memory."""

import logging
from dataclasses import replace

import pytest
import torch
from torch import nn

from pouf_core.engines import openvino_engine
from tests.pouf_core.engines.small_networks import (
    FLOAT,
    Convolutions,
    convolutions,
    pictures,
)

pytestmark = pytest.mark.usefixtures("without_gradients")


def test_openvino_reports_to_nobody():
    openvino_engine.load_openvino()
    from openvino.tools.ovc import telemetry_utils

    assert telemetry_utils.tm.__name__.endswith("telemetry_stub")


def test_random_numbers_and_threads_are_left_alone(offer):
    torch.set_num_threads(1)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    frozen = convolutions()
    torch.manual_seed(3)
    frozen.offer(offer)
    frozen(pictures(8), FLOAT)
    assert frozen.used(FLOAT).name == "openvino"
    assert torch.equal(torch.rand(2), expected)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 33])
def test_parts_of_a_batch_on_several_streams_keep_their_order(tmp_path, count):
    network = Convolutions().eval()
    openvino_engine.convert(network, pictures(2), (-1, 3, 12, 12), tmp_path)
    engine = openvino_engine.OpenVinoEngine(tmp_path, FLOAT, threads=2, streams=2)
    batch = pictures(count)
    with torch.no_grad():
        assert torch.allclose(engine(batch), network(batch), atol=1e-5)


def test_a_single_item_has_all_threads_and_the_same_features_as_in_a_batch(tmp_path):
    openvino_engine.convert(Convolutions().eval(), pictures(2), (-1, 3, 12, 12), tmp_path)
    engine = openvino_engine.OpenVinoEngine(tmp_path, FLOAT, threads=2, streams=2, singly=True)
    assert (engine.threads_of(1), engine.threads_of(2)) == (2, 1)
    batch = pictures(8)
    together = engine(batch)
    assert all(torch.allclose(engine(batch[row : row + 1])[0], together[row], atol=1e-6) for row in range(8))


def test_a_network_that_is_compiled_twice_counts_twice(offer):
    once, twice = convolutions(), convolutions()
    once.offer(offer)
    twice.offer(replace(offer, singly=True))
    for frozen in (once, twice):
        frozen(pictures(8), FLOAT)
        assert frozen.used(FLOAT).name == "openvino"
    assert twice.nbytes == 2 * once.nbytes > 0


def test_a_conversion_leaves_the_logging_of_other_threads_alone(tmp_path, monkeypatch):
    levels = []
    level_set = logging.Logger.setLevel

    def set_level(self, level):
        if self is logging.getLogger():
            levels.append(level)
        level_set(self, level)

    monkeypatch.setattr(logging.Logger, "setLevel", set_level)
    openvino_engine.convert(nn.Linear(3, 2).eval(), torch.zeros(1, 3), (-1, 3), tmp_path)
    assert (tmp_path / "model.xml").exists() and levels == []
