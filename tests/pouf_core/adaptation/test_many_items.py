"""Memory and results where items times classes are many numbers."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from pouf_core import scoring
from pouf_core.adaptation.outcome import Predicted
from pouf_core.scoring import CosineClassifier, class_indices, logit_pieces, unit_length

GROWTH = """
import resource, numpy as np, pouf_core
random = np.random.default_rng(0)
classes = random.standard_normal((1000, 16), dtype=np.float32)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def adapt(items):
    features = classes[random.integers(0, 1000, items)] + random.standard_normal((items, 16), dtype=np.float32)
    pouf_core.adapt_features(features, classes, method={"type": "zero-shot"})
    return peak()
few = adapt(20_000)
print((adapt(200_000) - few) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is in other units")
def test_memory_does_not_grow_by_a_number_for_each_item_and_class() -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH], check=True, stdout=subprocess.PIPE, text=True)
    assert int(done.stdout) < 180_000 * 1000 * 4 / 2


def test_logits_in_pieces_are_those_of_all_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_NUMBERS_AT_ONCE", 35)
    features, prototypes = unit_length(torch.randn(23, 8)), unit_length(torch.randn(5, 8))
    classifier, bias = CosineClassifier(prototypes, torch.tensor(3.0)), torch.randn(5)
    logits = classifier(features).class_logits
    assert [len(piece) for piece in logit_pieces(classifier, features)] == [4, 4, 4, 4, 4, 3]  # of 8 numbers a row
    torch.testing.assert_close(torch.cat(list(logit_pieces(classifier, features, bias))), logits + bias)
    assert torch.equal(class_indices(classifier, features), logits.argmax(dim=1))
    predicted = Predicted.of(logit_pieces(classifier, features), judged=9)
    torch.testing.assert_close(predicted.logits, logits[:9])
    assert torch.equal(predicted.classes, logits.argmax(dim=1))
