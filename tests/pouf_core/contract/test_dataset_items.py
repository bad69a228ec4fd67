"""What a dataset holds, and which base model takes it."""

import pytest

from pouf_core.contract.dataset_items import check_dataset_items, modality_of
from pouf_core.contract.request import AdaptationRequest
from pouf_core.errors import InvalidInput
from pouf_core.families.registry import describe


@pytest.mark.parametrize(
    ("requested", "names", "expected"),
    [
        ("auto", ["reviews.CSV", "more.jsonl"], "text"),
        ("auto", ["reviews.csv", "labels.csv"], "text"),
        ("auto", ["labels.csv"], "image"),
        ("auto", ["a.png", "labels.csv"], "image"),
        ("auto", ["reviews.csv", "texts.zip"], None),
        ("auto", ["a.png", "more.zip"], "image"),
        ("auto", ["notes.txt", "more.jsonl", "a.pdf", "b.docx"], "text"),
        ("auto", ["IMG_1", "IMG_2", "coco.json"], "image"),
        ("auto", ["a.nef", "coco.json"], "image"),
        ("auto", [], "image"),
        ("image", ["reviews.csv"], "image"),
        ("text", ["texts.zip"], "text"),
    ],
)
def test_a_dataset_of_auto_modality_holds_pictures_if_there_are_any_else_what_most_files_do(requested, names, expected):
    assert modality_of(requested, names) == expected


@pytest.mark.parametrize(
    ("base_model", "template", "modality", "are_pairs", "code"),
    [
        ("pouf-lite", "a photo of a {}.", "image", False, None),
        ("pouf-lite", "a photo of a {}.", "text", False, "wrong_modality"),
        ("minilm", "a text about {}.", "image", None, "wrong_modality"),
        ("minilm", "a text about {}.", "auto", None, None),
        ("minilm", "a text about {}.", "text", None, None),
        ("minilm", "a text about {}.", "text", True, "text_pair_not_supported"),
        ("minilm-mlm", "{text_a} {text_b} {mask}", "text", True, None),
        ("minilm-mlm", "{text_a} {text_b} {mask}", "text", False, "text_pair_missing"),
    ],
)
def test_a_base_model_takes_a_dataset_of_its_modality_as_its_template_has_it(
    base_model, template, modality, are_pairs, code
):
    words = {"good": ["great"], "bad": ["terrible"]} if "{mask}" in template else None
    request = AdaptationRequest(
        class_names=["good", "bad"], base_model=base_model, prompt_template=template, label_words=words
    )
    base = describe(base_model)
    found = None
    try:
        check_dataset_items(base, request.check(base).wording, modality, are_pairs)
    except InvalidInput as error:
        found = error.code
    assert found == code


def test_nothing_is_said_of_pairs_when_the_request_is_wrong():
    check_dataset_items(describe("minilm"), None, "text", True)
