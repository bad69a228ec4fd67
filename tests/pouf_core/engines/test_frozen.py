"""Frozen networks: run by OpenVINO where it agrees with PyTorch, else by PyTorch."""

import threading

import pytest
import torch
from torch import nn

from pouf_core.engines import openvino_engine
from pouf_core.engines.interface import EngineOffer
from tests.pouf_core.engines.small_networks import FLOAT, Convolutions, Words, convolutions, pictures, texts, words
from tests.waiting import WAIT_SECONDS

pytestmark = pytest.mark.usefixtures("without_gradients")


def test_openvino_gives_what_pytorch_gives_for_every_batch_size(offer):
    frozen = convolutions()
    expected = frozen(pictures(20), FLOAT)
    assert frozen.used(FLOAT).name == "torch"
    frozen.offer(offer)
    for count in (20, 1, 7):
        assert torch.allclose(frozen(pictures(20)[:count], FLOAT), expected[:count], atol=1e-5)
    used = frozen.used(FLOAT)
    assert (used.name, used.precision) == ("openvino", "float32")
    assert used.agreement >= 0.99999


def test_openvino_gives_what_pytorch_gives_for_every_length(offer):
    frozen = texts(Words())
    inputs = [words(9, length) for length in (5, 1, 12)]
    inputs[0][3:, 2:] = 0
    expected = [frozen(tokens, FLOAT) for tokens in inputs]
    frozen.offer(offer)
    for tokens, features in zip(inputs, expected, strict=True):
        assert torch.allclose(frozen(tokens, FLOAT), features, atol=1e-5)
    assert frozen.used(FLOAT).name == "openvino"


def test_the_same_inputs_give_the_same_bits(offer):
    frozen = convolutions()
    frozen.offer(offer)
    first = frozen(pictures(8), FLOAT)
    again = convolutions()
    again.offer(offer)
    assert torch.equal(frozen(pictures(8), FLOAT), first)
    assert torch.equal(again(pictures(8), FLOAT), first)


def test_gradients_come_from_pytorch(offer):
    network = Convolutions().eval()
    frozen = convolutions(network)
    frozen.offer(offer)
    frozen(pictures(2), FLOAT)
    with torch.enable_grad():
        frozen(pictures(2), FLOAT).sum().backward()
    assert network[0].weight.grad is not None


def test_a_network_that_is_trained_is_given_back_to_pytorch(offer):
    network = Convolutions().eval().requires_grad_(False)
    frozen = convolutions(network)
    frozen.offer(offer)
    before = frozen(pictures(2), FLOAT)
    frozen.release_if_trained()
    assert frozen.used(FLOAT).name == "openvino"
    network[0].weight.requires_grad_(True)
    frozen.release_if_trained()
    network[0].weight.mul_(2)
    assert not torch.allclose(frozen(pictures(2), FLOAT), before)
    assert frozen.used(FLOAT).name == "torch"


def test_a_network_is_converted_once_and_read_from_the_disk_after_that(offer, monkeypatch):
    frozen = convolutions()
    frozen.offer(offer)
    frozen(pictures(2), FLOAT)
    monkeypatch.setattr(openvino_engine, "convert", None)
    again = convolutions()
    again.offer(offer)
    again(pictures(2), FLOAT)
    assert again.used(FLOAT).name == "openvino"


def test_a_damaged_conversion_is_made_again(offer):
    frozen = convolutions()
    frozen.offer(offer)
    expected = frozen(pictures(2), FLOAT)
    (weights,) = offer.directory.glob("*/model.bin")
    weights.write_bytes(bytes(weights.stat().st_size))
    again = convolutions()
    again.offer(offer)
    assert torch.equal(again(pictures(2), FLOAT), expected)
    assert again.used(FLOAT).name == "openvino"


def test_another_network_with_the_same_weights_is_converted_for_itself(offer):
    frozen = convolutions()
    frozen.offer(offer)
    frozen(pictures(2), FLOAT)
    network = Convolutions()
    network[2] = nn.ReLU()
    other = convolutions(network)
    expected = other(pictures(9), FLOAT)
    other.offer(offer)
    assert torch.allclose(other(pictures(9), FLOAT), expected, atol=1e-5)
    assert len(list(offer.directory.iterdir())) == 2


def test_a_directory_that_cannot_be_written_to_costs_the_cache_alone(tmp_path):
    (tmp_path / "file").write_text("in the way")
    frozen = convolutions()
    frozen.offer(EngineOffer(tmp_path / "file" / "engines"))
    frozen(pictures(2), FLOAT)
    assert frozen.used(FLOAT).name == "openvino"


def test_few_items_are_left_to_pytorch(tmp_path):
    frozen = convolutions()
    frozen.offer(EngineOffer(tmp_path, after=5))
    frozen(pictures(4), FLOAT)
    assert frozen.used(FLOAT).name == "torch"
    frozen(pictures(1), FLOAT)
    assert frozen.used(FLOAT).name == "openvino"


def test_pytorch_goes_on_while_a_network_is_converted(tmp_path, monkeypatch):
    free = threading.Event()
    convert = openvino_engine.convert

    def slowly(*arguments):
        free.wait(WAIT_SECONDS)
        convert(*arguments)

    monkeypatch.setattr(openvino_engine, "convert", slowly)
    frozen = convolutions()
    frozen.offer(EngineOffer(tmp_path, in_background=True))
    assert frozen(pictures(2), FLOAT).shape == (2, 8)
    assert frozen.used(FLOAT).name == "torch"
    free.set()
    for thread in threading.enumerate():
        if thread.name == "engine":
            thread.join()
    assert frozen.used(FLOAT).name == "openvino"
