"""The card of an export says what is known of the model, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pouf_core.contract.exports import Judgement
from pouf_core.contract.findings import finding


@pytest.fixture
def card(exported: Callable[..., Path]) -> Callable[..., str]:
    return lambda **options: (exported("embeddings", "numpy", **options) / "README.md").read_text()


def test_it_begins_with_what_hugging_face_reads(exported: Callable[..., Path]) -> None:
    card = (exported("texts", "onnx") / "README.md").read_text()
    _, head, _ = card.split("---\n", 2)
    fields: dict[str, Any] = yaml.safe_load(head)
    assert fields["library_name"] == "onnx"
    assert fields["pipeline_tag"] == "text-classification"
    assert "pouf" in fields["tags"]
    assert "license" not in fields  # it is not known


def test_it_claims_no_more_than_what_is_known(card: Callable[..., str]) -> None:
    text = card()
    assert "adapted to 80 unlabelled items" in text or "of 80 unlabelled items" in text or "from 80 unlabelled" in text
    assert "Unknown: no evaluation labels came with the data." in text
    assert "No label was used in training, and nobody has checked the answers." in text
    assert "No review by people was confirmed for this model." in text


def test_it_follows_what_people_answered(card: Callable[..., str]) -> None:
    reason = finding("audited", "Measured by 40 answers of people, and confirmed.")
    judgement = Judgement(verdict="harmful", verdict_reasons=[reason], fallback="zero_shot")
    text = card(judgement=judgement)
    assert "## Verdict: harmful\n\n- Measured by 40 answers of people" in text
    assert "No review by people" not in text
    assert "nobody has checked" not in text
    assert "The service answers with `zero_shot` unless it is asked for this one" in text
