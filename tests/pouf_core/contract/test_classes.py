"""Class names and templates as callers write them."""

from __future__ import annotations

import pytest

from pouf_core.contract.classes import ClassName, fill, match_labels, parse_class_names, parse_templates
from pouf_core.errors import InvalidInput


def code_and_field(values: object) -> tuple[str, str | None]:
    with pytest.raises(InvalidInput) as caught:
        parse_class_names(values)  # type: ignore[arg-type]
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ([], "too_few_classes", "/class_names"),
        (["cat"], "too_few_classes", "/class_names"),
        (["cat", " "], "empty_class_name", "/class_names/1"),
        (["cat", "__"], "empty_class_name", "/class_names/1"),
        (["cat", "\u200b\ufeff"], "empty_class_name", "/class_names/1"),
        (["cat", {"name": "dog", "prompt": "\u200b"}], "empty_class_name", "/class_names/1"),
        (["cat", "dog", "\ufeffc\u00ada\u200bt"], "duplicate_class_name", "/class_names/2"),
        (["cat", "dog", "Cat"], "duplicate_class_name", "/class_names/2"),
        (["music box", "music_box"], "duplicate_class_name", "/class_names/1"),
        (["cat", "d" * 501], "class_name_too_long", "/class_names/1"),
        (["cat", {"prompt": "a dog"}], "invalid_class_name", "/class_names/1"),
        (["cat", {"name": "dog", "colour": "red"}], "invalid_class_name", "/class_names/1"),
        (["cat", 7], "invalid_class_name", "/class_names/1"),
        (["cat", "dog\nhouse"], "class_name_control_character", "/class_names/1"),
        (["cat", "dog\n"], "class_name_control_character", "/class_names/1"),
        (["cat\x00", "dog"], "class_name_control_character", "/class_names/0"),
        (["cat", "dog\u2028house"], "class_name_control_character", "/class_names/1"),
        (["cat", "dog\ud800"], "class_name_control_character", "/class_names/1"),
        (["cat", {"name": "dog", "prompt": "a\tdog"}], "class_name_control_character", "/class_names/1"),
        ([str(number) for number in range(10_001)], "too_many_classes", "/class_names"),
    ],
)
def test_unusable_class_names_are_refused_where_they_stand(values: list[object], code: str, field: str) -> None:
    assert code_and_field(values) == (code, field)


def test_wording_may_differ_from_the_label_and_underscores_read_as_spaces() -> None:
    classes = parse_class_names(["music_box", {"name": "n02121808", "prompt": "house cat"}])
    assert [item.name for item in classes] == ["music_box", "n02121808"]
    assert [item.wording for item in classes] == ["music box", "house cat"]


@pytest.mark.parametrize(
    ("name", "wording"),
    [
        ("annual_crop", "annual crop"),
        ("AnnualCrop", "annual crop"),
        ("firstClassMail", "first class mail"),
        ("TVMonitor", "TV monitor"),
        ("MP3Player", "MP3 player"),
        ("3DPrinter", "3D printer"),
        ("Tomato___Late_blight", "Tomato Late blight"),
        *[
            (name, name)
            for name in (
                *("USB", "DVDs", "iPhone", "iPhone case", "eBay", "McDonald", "macOS", "WiFi", "PhD", "PlanB", "H2O"),
                *("Forest", "AnnualCrop (wheat)", "St. Bernard", "Москва", "犬"),
            )
        ],
        ("ПерваяПомощь", "первая помощь"),
    ],
)
def test_names_written_for_programs_read_as_words_and_others_stay(name: str, wording: str) -> None:
    assert ClassName(name=name).wording == wording
    assert ClassName(name="x", prompt="AnnualCrop").wording == "AnnualCrop"


def test_labels_match_class_names_whatever_their_case_and_spacing() -> None:
    classes = [ClassName(name="music box"), ClassName(name="Bird")]
    assert match_labels(["Music_Box", " bird", "boat", "1"], classes) == {"Music_Box": 0, " bird": 1}


def test_labels_match_in_the_forms_that_folders_and_tables_give_them_where_one_class_is_meant() -> None:
    numbers = [ClassName(name="0"), ClassName(name="1")]
    assert match_labels(["1.0", "0.00", "1.5"], numbers) == {"1.0": 1, "0.00": 0}
    dogs = [
        ClassName(name="St. Bernard dog"),
        ClassName(name="caf\u00e9-bar"),
        ClassName(name="a-b"),
        ClassName(name="a b"),
    ]
    labels = ["st.-bernard_dog", "cafe\u0301 bar", "a-b", "a_b", "A--B"]
    assert match_labels(labels, dogs) == {"st.-bernard_dog": 0, "cafe\u0301 bar": 1, "a-b": 2, "a_b": 3}


def test_labels_match_class_names_in_words_and_numbers_keep_their_sign() -> None:
    classes = [ClassName(name="annual crop"), ClassName(name="SeaLake"), ClassName(name="iPhone")]
    labels = ["AnnualCrop", "sea_lake", "iphone", "i_phone"]
    assert match_labels(labels, classes) == {"AnnualCrop": 0, "sea_lake": 1, "iphone": 2}
    signs = [ClassName(name="-1"), ClassName(name="0"), ClassName(name="+1")]
    assert match_labels(["-1.0", "0", "1"], signs) == {"-1.0": 0, "0": 1, "1": 2}


def test_numbers_are_places_of_classes_unless_they_are_names() -> None:
    birds = [ClassName(name="wren"), ClassName(name="heron")]
    assert match_labels(["1", "0", "-1", "x", "9" * 5000], birds) == {"1": 1, "0": 0}
    assert match_labels(["1.0", "0.0"], birds) == {"1.0": 1, "0.0": 0}
    assert match_labels(["1", "2"], birds) == {}  # counted from 1, each would mean the wrong class
    assert match_labels(["1", "0"], [ClassName(name="1"), ClassName(name="7")]) == {"1": 0}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([], "no_template"),
        ("a photo", "template_without_placeholder"),
        ("{} and {}", "template_with_many_placeholders"),
        (["a {}.", "a {}."], "duplicate_template"),
        ([f"{number} {{}}." for number in range(1001)], "too_many_templates"),
        ([f"{number:0400} {{}}." for number in range(250)], "templates_too_long"),
        ("x" * 499 + "{}", "template_too_long"),
    ],
)
def test_unusable_templates_are_refused(value: object, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_templates(value)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert caught.value.field == "/prompt_template"


def test_templates_default_to_one_and_may_be_several() -> None:
    assert parse_templates(None) == ["a photo of a {}."]
    assert parse_templates(None, ["a {}", "the {}"]) == ["a {}", "the {}"]
    assert parse_templates(["a {}", "the {}"]) == ["a {}", "the {}"]
    assert fill("a photo of a {}.", "bird") == "a photo of a bird."


def test_class_names_are_bounded_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_class_names([f"{number:0400}" for number in range(2501)])
    assert (caught.value.code, caught.value.field) == ("class_names_too_long", "/class_names")
