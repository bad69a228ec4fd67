"""Frozen networks: run by OpenVINO where it agrees with PyTorch, else by PyTorch."""

import logging
import threading
from dataclasses import replace

import pytest
import torch
from torch import nn

from pouf_core.engines import openvino_engine
from pouf_core.engines.checked import CheckedEngine
from pouf_core.engines.frozen import FrozenNetwork
from pouf_core.engines.interface import EngineOffer
from tests.waiting import WAIT_SECONDS

FLOAT = torch.float32
HAS_BFLOAT16 = "BF16" in openvino_engine.load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class Convolutions(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Words(nn.Module):
    """Attends to no padding, whatever the length."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0)

    def forward(self, tokens):
        live = tokens != 0
        hidden = self.layer(self.embedding(tokens), src_key_padding_mask=~live)
        return (hidden * live[..., None]).sum(dim=1) / live.sum(dim=1, keepdim=True)


class ConstantLength(Words):
    """Takes the length that it is traced with for a constant."""

    def forward(self, tokens):
        weights = torch.tensor([1.0 + i * (len(tokens[0]) % 3) for i in range(len(tokens[0]))])[:2]
        return (self.embedding(tokens)[:, :2] * weights[:, None]).flatten(1)


class OneBranch(Words):
    """Reads frequent words in another way, which tracing cannot see."""

    def forward(self, tokens):
        features = super().forward(tokens)
        return features.flip(1) if int(tokens.max()) > 20 else features


def pictures(count, side=12, seed=1):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def words(count, length, largest=50, seed=1):
    return torch.randint(1, largest, (count, length), generator=torch.Generator().manual_seed(seed))


def convolutions(network=None):
    return FrozenNetwork(
        (network or Convolutions()).eval(), lambda: pictures(2, seed=0), (-1, 3, 12, 12), lambda: "weights", "the test"
    )


def texts(network):
    return FrozenNetwork(network.eval(), lambda: words(2, 4, 20), (-1, -1), lambda: "weights", "the test")


@pytest.fixture
def offer(tmp_path):
    return EngineOffer(tmp_path / "engines")


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


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


@pytest.mark.parametrize("network", [ConstantLength, OneBranch])
def test_pytorch_runs_what_an_engine_gets_wrong(offer, network):
    frozen = texts(network())
    inputs = [words(9, length) for length in (4, 7)]
    expected = [frozen(tokens, FLOAT) for tokens in inputs]
    frozen.offer(offer)
    for tokens, features in zip(inputs, expected, strict=True):
        assert torch.equal(frozen(tokens, FLOAT), features)
    assert frozen.used(FLOAT).name == "torch"


def test_pytorch_runs_what_cannot_be_converted(offer, caplog):
    class Untraceable(Convolutions):
        def forward(self, inputs):
            return super().forward(inputs) * float(inputs.numpy().mean() * 0 + 1)

    frozen = FrozenNetwork(Untraceable().eval(), lambda: torch.zeros(0), (-1, 3, 12, 12), lambda: "w", "the test")
    frozen.offer(offer)
    assert frozen(pictures(2), FLOAT).shape == (2, 8)
    assert frozen.used(FLOAT).name == "torch"
    assert "the test" in caplog.text


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


def test_an_example_that_bfloat16_has_no_digits_for_does_not_rule_it_out(offer):
    torch.manual_seed(0)
    network = nn.Linear(64, 8, bias=False).eval()
    network.weight -= network.weight.mean(dim=1, keepdim=True)  # a constant cancels out
    example = 1 + torch.linspace(0, 1e-3, 2 * 64).view(2, 64)
    frozen = FrozenNetwork(network, lambda: example, (-1, 64), lambda: "weights", "the test")
    frozen.offer(offer)
    frozen(torch.randn(8, 64), torch.bfloat16)
    used = frozen.used(torch.bfloat16)
    assert used.name == "openvino"
    assert used.agreement == pytest.approx(1, abs=0.003)


class Turned:
    """An engine whose features have cosine 0.998 with their inputs."""

    name, version = "openvino", "0"

    def __init__(self, precision):
        self.precision = precision

    def __call__(self, inputs):
        return inputs + 0.0633 * inputs.flip(1) * torch.tensor([1, -1])


@pytest.mark.parametrize(
    ("compiled", "used"), [(torch.bfloat16, ("openvino", "bfloat16")), (FLOAT, ("torch", "bfloat16"))]
)
def test_what_was_compiled_decides_how_near_to_full_precision_features_must_be(compiled, used):
    asked = []

    def reference(inputs, precision):
        asked.append(precision)
        return inputs

    engine = CheckedEngine(Turned(compiled), reference, torch.bfloat16, "the test")
    engine(torch.randn(8, 2))
    assert asked[0] == FLOAT
    assert (engine.used.name, engine.used.precision) == used


def test_bfloat16_is_an_engine_of_its_own_and_named_only_where_the_processor_has_it(offer):
    frozen = convolutions()
    expected = frozen(pictures(8), FLOAT)
    frozen.offer(offer)
    reduced = frozen(pictures(8), torch.bfloat16)
    precision = "bfloat16" if HAS_BFLOAT16 else "float32"
    assert frozen.used(torch.bfloat16).precision == precision
    assert torch.allclose(reduced, expected, atol=1e-5) is not HAS_BFLOAT16
    assert torch.cosine_similarity(reduced.float(), expected).min() > 0.99
    assert frozen.used(FLOAT).name == "torch"
    assert torch.allclose(frozen(pictures(8), FLOAT), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("frozen", "inputs", "expected"),
    [
        (convolutions(), pictures(8), [torch.bfloat16]),
        # checked in float32 with another length
        (texts(Words()), words(9, 5), [torch.bfloat16, FLOAT] if HAS_BFLOAT16 else [torch.bfloat16]),
    ],
    ids=["one size", "any length"],
)
def test_a_second_engine_is_made_only_to_check_other_sizes(offer, monkeypatch, frozen, inputs, expected):
    made = []
    engine = openvino_engine.OpenVinoEngine

    def recorded(folder, precision, threads, streams, singly):
        made.append(precision)
        return engine(folder, precision, threads, streams, singly)

    monkeypatch.setattr(openvino_engine, "OpenVinoEngine", recorded)
    frozen.offer(offer)
    frozen(inputs, torch.bfloat16)
    assert made == expected


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
