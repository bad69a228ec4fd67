"""What `predict` takes, over the real API."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cli.class_names import parse_class_names
from pouf_client import Client, InvalidInput, MissingFile, NotFound, predicting
from pouf_client.inputs import inputs_for
from tests.app.conftest import application, picture, server

__all__ = ["application", "picture", "server"]

COLOURS = ("red", "lime", "blue")
LABELS = ["red", "green", "blue"]


@pytest.fixture
def pouf(server):
    with Client(str(server.base_url)) as made:
        yield made


@pytest.fixture
def model(rows):
    return rows.model(modality="image")


@pytest.fixture
def folder(tmp_path, picture):
    for index, colour in enumerate(COLOURS):
        (tmp_path / "holiday" / f"day{index}").mkdir(parents=True)
        (tmp_path / "holiday" / f"day{index}" / "a.png").write_bytes(picture(colour))
    (tmp_path / "holiday" / ".hidden.png").write_bytes(b"x")
    (tmp_path / "holiday" / "notes.txt").write_text("no picture")
    return tmp_path / "holiday"


def in_forms(folder):
    paths = sorted(folder.rglob("a.png"))
    return {
        "a folder": folder,
        "the name of a folder": str(folder),
        "paths": paths,
        "names": [str(path) for path in paths],
        "bytes": [path.read_bytes() for path in paths],
        "Pillow": [Image.open(path) for path in paths],
        "Pillow, other modes": [Image.open(path).convert("CMYK") for path in paths],
        "arrays": [np.asarray(Image.open(path)) for path in paths],
        "an array": np.stack([np.asarray(Image.open(path)) for path in paths]),
        "a generator": (path for path in paths),
    }


def test_pictures_are_taken_in_every_form(pouf, model, folder):
    found = {
        form: [each.label for each in pouf.predict(given, model).items] for form, given in in_forms(folder).items()
    }
    assert found == dict.fromkeys(found, LABELS)


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_a_table_gives_paths_or_texts_or_numbers(library, folder):
    made = pytest.importorskip(library)
    as_table = made.DataFrame if library == "pandas" else made.table
    paths = [str(path) for path in sorted(folder.rglob("a.png"))]
    assert len(inputs_for(as_table({"id": [1, 2, 3], "path": paths}), "image")) == 3
    texts = inputs_for(as_table({"text": ["a", "b"], "other": ["c", "d"]}), "text")
    assert [each.encode() for each in texts] == [{"text": "a"}, {"text": "b"}]
    pairs = inputs_for(as_table({"text_a": ["a"], "text_b": ["b"]}), "text")
    assert pairs[0].encode() == {"text": "a", "text_pair": "b"}
    vectors = inputs_for(as_table({"x": [1.0, 2.0], "y": [3.0, 4.0], "label": [0, 1]}), "embedding")
    expected = inputs_for(np.array([[1.0, 3.0], [2.0, 4.0]]), "embedding")
    assert [each.encode() for each in vectors] == [each.encode() for each in expected]


def test_one_text_is_one_input_never_its_characters(pouf, model, folder):
    only = next(folder.rglob("a.png"))
    assert [each.label for each in pouf.predict(str(only), model).items] == ["red"]
    assert [each.encode() for each in inputs_for("It broke.", "text")] == [{"text": "It broke."}]
    assert len(inputs_for([1.0, 2.0], "embedding")) == len(inputs_for(np.ones(2), "embedding")) == 1


def test_a_long_text_that_ends_like_a_file_is_a_text():
    text = "It broke. " * 30 + "See notes.txt"
    assert [each.encode() for each in inputs_for(text, "text")] == [{"text": text}]


def test_a_name_that_begins_with_a_tilde_is_a_name(tmp_path, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~$x.png").write_bytes(picture("red"))
    assert [each.name for each in inputs_for("~$x.png", "image")] == ["~$x.png"]
    (tmp_path / "~$classes").write_text("bird\nboat\n")
    assert parse_class_names("@~$classes") == ["bird", "boat"]


ITEMS = {"embedding": [np.array([1.0, 2.0]), np.array([3.0, 4.0])], "text": ["It broke.", "Fine."]}


@pytest.mark.parametrize("modality", ITEMS)
def test_a_table_may_say_what_its_items_are_called(modality):
    table = pd.DataFrame({"id": [7, None], modality: ITEMS[modality]}, dtype=object)
    assert [each.name for each in inputs_for(table, modality)] == ["7", None]
    assert [each.name for each in inputs_for(table[[modality]], modality)] == [None, None]


@pytest.mark.parametrize("modality", ITEMS)
@pytest.mark.parametrize(
    ("index", "names"),
    [
        (["r7", "r2"], ["r7", "r2"]),
        ([17, 4], ["17", "4"]),
        ([("a", 1), ("a", 2)], ["a/1", "a/2"]),
        (["r7", "r7"], [None, None]),
        (["r7", None], [None, None]),
    ],
)
def test_the_index_of_a_table_names_its_items_where_it_counts_none_and_none_alike(modality, index, names):
    several = isinstance(index[0], tuple)
    table = pd.DataFrame({modality: ITEMS[modality]}, index=pd.MultiIndex.from_tuples(index) if several else index)
    assert [each.name for each in inputs_for(table, modality)] == names
    assert [each.name for each in inputs_for(table.assign(id=["p", "q"]), modality)] == ["p", "q"]


def test_rows_that_are_left_of_a_table_keep_their_numbers():
    table = pd.DataFrame({"text": ["It broke.", "Fine.", "Works."]})
    assert [each.name for each in inputs_for(table[table.text != "Fine."], "text")] == ["0", "2"]


def test_a_number_that_a_table_lacks_is_told():
    table = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, float("nan")], "label": ["a", None]})
    with pytest.raises(InvalidInput, match="'y' has no number in row 1") as refused:
        inputs_for(table, "embedding")
    assert refused.value.code == "missing_number"


def test_answers_have_the_names_of_their_files(pouf, model, folder):
    assert [each.name for each in pouf.predict(folder, model).items] == [f"day{index}/a.png" for index in range(3)]


def test_many_inputs_go_in_several_requests_and_a_broken_one_fails_alone(pouf, model, folder, monkeypatch):
    monkeypatch.setattr(predicting, "MOST_INPUTS", 1)
    (folder / "day1" / "a.png").write_bytes(b"no picture")
    answer = pouf.predict(folder, model)
    assert [(each.index, each.label, each.error and each.error["code"]) for each in answer.items] == [
        (0, "red", None),
        (1, None, "undecodable_image"),
        (2, "blue", None),
    ]
    assert len(answer.raw["predictions"]) == 3


def test_a_picture_that_no_request_can_carry_is_refused_alone(pouf, settings, model, folder, picture):
    settings.max_predict_bytes = 2000
    (folder / "day1" / "a.png").write_bytes(picture("red") + bytes(2000))
    answer = pouf.predict(folder, model)
    assert [(each.label, each.error and each.error["code"]) for each in answer.items] == [
        ("red", None),
        (None, "body_too_large"),
        ("blue", None),
    ]
    with pytest.raises(InvalidInput) as refused:
        pouf.predict(folder / "day1", model)
    assert [each["pointer"] for each in refused.value.details] == ["/inputs/0"]


def test_a_request_that_is_refused_for_another_reason_is_raised(pouf, model, folder):
    with pytest.raises(InvalidInput) as refused:
        pouf.predict(folder, model, threshold="auto")
    assert (refused.value.code, refused.value.field) == ("threshold_not_proposed", "/threshold")


@pytest.mark.parametrize("inputs_a_request", [64, 1])
def test_when_nothing_can_be_read_the_refusal_is_raised(pouf, model, monkeypatch, inputs_a_request):
    monkeypatch.setattr(predicting, "MOST_INPUTS", inputs_a_request)
    with pytest.raises(InvalidInput) as refused:
        pouf.predict([b"x", b"y"], model)
    assert [each["pointer"] for each in refused.value.details] == ["/inputs/0", "/inputs/1"]


def test_a_model_is_asked_for_what_it_classifies_once(server, rows, model, folder):
    asked = []
    with Client(str(server.base_url)) as pouf:
        http = pouf._core._connection._transport.http
        http.event_hooks = {"request": [lambda request: asked.append(request.url.path)]}
        pouf.predict([str(next(folder.rglob("a.png")))], model)
        pouf.predict([str(next(folder.rglob("a.png")))], model)
    assert asked == [f"/v1/models/{model}", "/predict", "/predict"]


def test_a_model_that_was_made_before_says_nothing_of_its_modality(pouf, rows, folder):
    older = rows.model()
    with pytest.raises(InvalidInput, match="predict_texts"):
        pouf.predict(str(folder), older)
    assert pouf.predict(sorted(folder.rglob("a.png")), older).items[0].label == "red"


@pytest.mark.parametrize(
    ("given", "modality", "code"),
    [
        ("It broke.", "image", "file_not_found"),
        ([("a", "b")], "image", "no_picture"),
        ([np.ones((4, 4, 3))], "image", "no_picture"),
        ([], "text", "no_inputs"),
        (7, "text", "no_inputs"),
        ([b"text"], "text", "no_text"),
        ([None], "text", "no_text"),
        ("reviews.csv", "text", "file_of_texts"),
        ("a text", "embedding", "file_not_found"),
        ([["a", "b"]], "embedding", "no_embedding"),
        ("reviews.csv", "embedding", "no_embedding"),
    ],
)
def test_what_a_model_cannot_classify_is_told_in_one_line(given, modality, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews.csv").write_text("text\nIt broke.\n")
    with pytest.raises(InvalidInput) as wrong:
        [each.encode() for each in inputs_for(given, modality)]
    assert wrong.value.code == code
    assert "\n" not in str(wrong.value)


def test_a_saved_array_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2), np.float32))
    assert len(inputs_for(str(tmp_path / "a.npy"), "embedding")) == 3


def test_a_missing_file_and_an_unknown_model_have_errors_of_their_own(pouf, model):
    with pytest.raises(MissingFile):
        pouf.predict(["nowhere.png"], model)
    with pytest.raises(NotFound) as unknown:
        pouf.predict([io.BytesIO().getvalue()], "nobody")
    assert unknown.value.code == "model_not_found"
