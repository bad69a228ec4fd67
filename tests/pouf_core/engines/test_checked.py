"""An engine is used as far as it agrees with PyTorch."""

import pytest
import torch
from torch import nn

from pouf_core.engines import openvino_engine
from pouf_core.engines.checked import CheckedEngine
from pouf_core.engines.frozen import FrozenNetwork
from tests.pouf_core.engines.small_networks import (
    FLOAT,
    ConstantLength,
    Convolutions,
    OneBranch,
    Words,
    convolutions,
    pictures,
    texts,
    words,
)

pytestmark = pytest.mark.usefixtures("without_gradients")


HAS_BFLOAT16 = "BF16" in openvino_engine.load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


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
