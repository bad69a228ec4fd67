"""The paper's tasks can be used as they are written down."""

from __future__ import annotations

import pytest

from pouf_core.contract.classes import parse_class_names
from pouf_core.contract.label_words import parse_label_words
from pouf_core.contract.language_template import parse_template
from pouf_core.errors import InvalidInput
from pouf_core.families.language.text_tasks import task, tasks

NAMES = "sst-2 sst-5 mr cr mpqa subj cola trec mnli snli qnli rte mrpc qqp sts-b"
PAIRS = {"mnli", "snli", "qnli", "rte", "mrpc", "qqp", "sts-b"}


def test_every_task_has_a_valid_template_and_a_word_for_every_class() -> None:
    assert " ".join(tasks()) == NAMES
    for name, found in tasks().items():
        assert parse_template(found.template).takes_pairs is (name in PAIRS)
        classes = parse_class_names(list(found.label_words))
        assert parse_label_words(found.label_words, classes) == [(word,) for word in found.label_words.values()]


def test_limits_of_texts_are_those_of_the_public_code() -> None:
    limits = {name: dict(found.text_limits) for name, found in tasks().items() if found.text_limits}
    one_sentence = {name: {"text": 110} for name in ("sst-5", "mr", "cr", "mpqa", "subj", "trec")}
    assert limits == one_sentence | {"rte": {"text_a": 240}}


def test_a_task_is_found_whatever_the_case_and_an_unknown_one_is_refused() -> None:
    assert task("MNLI").label_words == {"contradiction": "No", "entailment": "Yes", "neutral": "Maybe"}
    with pytest.raises(InvalidInput, match="sst-2, sst-5") as refused:
        task("imdb")
    assert refused.value.code == "unknown_task"
