import csv
import json
import shutil
from types import SimpleNamespace

import pytest

import pouf_core
from cli.exit_codes import ExitCode
from pouf_core.predictor import Prediction

TEXTS = ["It broke at once.", "I love it.", "A waste of money."]


class TwoVariants:
    """Answers with the name of the variant that was asked for."""

    modality = "text"

    def __init__(self, fallback):
        self.served = fallback or "adapted"

    def threshold_of(self, threshold, variant):
        return threshold or 0.0

    def predict(self, texts, top_k, variant, threshold):
        label = None if threshold else variant
        return [Prediction(label, label and 0, 1.0, [(variant, 1.0)]) for _ in texts]


@pytest.mark.parametrize(
    ("fallback", "options", "answered", "said"),
    [
        ("zero_shot", [], "zero_shot", True),
        ("zero_shot", ["--variant", "adapted"], "adapted", False),
        ("zero_shot", ["--variant", "zero_shot"], "zero_shot", False),
        (None, [], "adapted", False),
        (None, ["--variant", "zero_shot"], "zero_shot", False),
    ],
)
def test_a_model_that_fell_back_answers_by_zero_shot_unless_told_otherwise(
    monkeypatch, predict, tmp_path, fallback, options, answered, said
):
    monkeypatch.setattr(pouf_core, "load", lambda path, device: TwoVariants(fallback))
    ran = predict(tmp_path, "a text", *options)
    assert ran.stdout == f"a text: {answered} 1.000\n"
    assert ("fell back to zero-shot" in ran.stderr) is said


def test_an_item_below_the_threshold_is_said_to_be_none_of_the_classes(monkeypatch, predict, tmp_path):
    monkeypatch.setattr(pouf_core, "load", lambda path, device: TwoVariants(None))
    assert predict(tmp_path, "a text", "--threshold", 0.5).stdout == "a text: none of these (adapted 1.000)\n"


@pytest.fixture
def of_pictures(zero_shot_models, folder):
    return zero_shot_models("pouf-lite", folder)


@pytest.fixture
def of_texts(zero_shot_models, tmp_path):
    table = tmp_path / "reviews.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(TEXTS)])
    return zero_shot_models("minilm", table), table


def test_a_folder_is_predicted_picture_by_picture_and_a_broken_one_is_named(of_pictures, folder, predict, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(folder, data / "more")
    (data / "broken.jpg").write_text("no picture")
    (data / "notes.txt").write_text("for the photographer")
    ran = predict(of_pictures, data, "--json")
    assert ran.exit_code == ExitCode.PARTLY
    assert "broken.jpg: Not a picture" in ran.stderr
    said = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [each["name"] for each in said] == ["broken.jpg", *sorted(f"more/{path.name}" for path in folder.iterdir())]
    assert said[0]["error"]["code"] == "undecodable_image"
    assert {each["label"] for each in said[1:]} <= {"boat", "smiley face"}


def test_the_zip_of_a_model_is_taken_as_it_was_downloaded(of_pictures, folder, predict, tmp_path):
    picture = folder / "00fdfebaa3e3.jpg"
    packed = shutil.make_archive(str(tmp_path / "model"), "zip", of_pictures)
    wrapped = shutil.make_archive(str(tmp_path / "wrapped"), "zip", of_pictures.parent, of_pictures.name)
    said = predict(of_pictures, picture).stdout
    assert said.startswith(f"{picture}: smiley face")
    assert predict(packed, picture).stdout == predict(wrapped, picture).stdout == said


def test_a_table_is_read_and_not_taken_for_a_text(of_texts, predict, tmp_path):
    model, table = of_texts
    ran = predict(model, table, "Just great!", "-o", tmp_path / "said.csv")
    assert ran.exit_code == 0, ran.stderr
    with (tmp_path / "said.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["0", "1", "2", "Just great!"]
    expected = ["a terrible product", "a great product", "a terrible product", "a great product"]
    assert [row["label"] for row in rows] == expected


@pytest.mark.parametrize("missing", ["reviews2.csv", "reviews.csv.gz"])
def test_the_name_of_a_table_that_is_not_there_is_no_text(of_texts, predict, missing):
    ran = predict(of_texts[0], missing)
    assert (ran.exit_code, ran.stdout) == (ExitCode.WRONG_USE, "")
    assert f"There is no file {missing}" in ran.stderr


def test_vectors_are_classified_row_by_row(monkeypatch, predict, tmp_path):
    import numpy as np

    seen = []

    def read(vectors, top_k, variant, threshold):
        seen.extend(vector.tolist() for vector in vectors)
        return [Prediction("a", 0, 1.0, [("a", 1.0)]) for _ in vectors]

    model = SimpleNamespace(modality="embedding", served="adapted", threshold_of=lambda *_: 0.0, predict=read)
    monkeypatch.setattr(pouf_core, "load", lambda path, device: model)
    file = tmp_path / "vectors.npy"
    np.save(file, np.arange(6.0).reshape(3, 2))
    lines = predict(tmp_path, file).stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"{file}[{row}]" for row in range(3)]
    assert seen == [[0, 1], [2, 3], [4, 5]]
