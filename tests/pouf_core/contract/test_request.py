"""The one check of a request: it reports every problem, each with a code and a JSON pointer."""

from __future__ import annotations

import pytest

from pouf_core.contract.request import AdaptationRequest
from pouf_core.errors import InvalidRequest
from pouf_core.families.registry import describe


def problems(base_model: str, **values: object) -> list[tuple[str, str | None]]:
    """Code and field of every problem that the check finds."""
    request = AdaptationRequest.of(base_model=base_model, **values)
    with pytest.raises(InvalidRequest) as refused:
        request.check(describe(base_model))
    return [(problem.code, problem.field) for problem in refused.value.problems]


def test_wrong_class_names_hide_no_problem_of_the_method_the_template_or_the_label_words() -> None:
    assert problems(
        "pouf-lite",
        class_names=["bird", "bird"],
        prompt_template="a photo",
        label_words={"bird": "wing"},
        text_limits={"text": 5},
        method={"partial_mass": 0.5, "label_word_bias": "none", "class_prior": [0.5, 0.1]},
    ) == [
        ("duplicate_class_name", "/class_names/1"),
        ("invalid_class_prior", "/method/class_prior"),
        ("unused_parameter", "/method/partial_mass"),
        ("template_without_placeholder", "/prompt_template"),
        ("text_limits_not_used", "/text_limits"),
        ("unused_parameter", "/method/label_word_bias"),
        ("label_words_not_used", "/label_words"),
    ]


def test_what_cannot_be_told_beside_a_problem_is_not_called_wrong() -> None:
    found = problems(
        "minilm-mlm",
        class_names=["only one"],
        prompt_template="{text}",
        label_words={"only one": "good"},
        text_limits={"text_a": 5},
        method={"tune": "model", "class_prior": [0.5, 0.5]},
    )
    assert found == [("too_few_classes", "/class_names"), ("template_without_mask", "/prompt_template")]


def test_every_wrong_label_word_of_a_class_is_reported() -> None:
    found = problems(
        "minilm-mlm", class_names=["good", "bad"], label_words={"bad": ["", "awful", "x" * 501]}, method={}
    )
    assert found == [("empty_label_word", "/label_words/bad/0"), ("label_word_too_long", "/label_words/bad/2")]


def test_values_of_the_wrong_kind_are_all_reported_once_each() -> None:
    with pytest.raises(InvalidRequest) as refused:
        AdaptationRequest.of(class_names=["a", "b"], seed=-1, label_words=3, method={"tune": "all", "batch_size": 0})
    assert [(problem.code, problem.field) for problem in refused.value.problems] == [
        ("invalid_method", "/method/tune"),
        ("invalid_method", "/method/batch_size"),
        ("invalid_request", "/label_words"),
        ("invalid_request", "/seed"),
    ]
