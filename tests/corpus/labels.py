"""Pictures and texts with their labels, as people and tools lay them out. Made here; nothing is anybody else's."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from PIL import Image

from pouf_core.contract.labels import LabelsWanted
from tests.corpus.old_excel import old_workbook
from tests.corpus.sheets import workbook


@dataclass(frozen=True)
class Layout:
    """Files of one upload, and what they say.

    Attributes:
        files: by path.
        labels: by path of an item (for texts `file:row`), None where it has none.
        kind, skipped: of the label source.
        suggested: class names; those of the labels where None.
        warnings: their codes.
    """

    name: str
    files: Mapping[str, bytes]
    labels: Mapping[str, str | None]
    kind: str = "folders"
    skipped: Sequence[str] = ()
    suggested: Sequence[str] | None = None
    warnings: Sequence[str] = ()
    wanted: LabelsWanted = "auto"
    modality: str = "image"

    @property
    def class_names(self) -> list[str]:
        """The class names that are suggested."""
        found = {label for label in self.labels.values() if label is not None}
        return sorted(found) if self.suggested is None else list(self.suggested)


@lru_cache
def picture(seed: int) -> bytes:
    """A small PNG of one colour, another for each seed."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (seed * 40 % 256, seed % 256, seed * 7 % 256)).save(buffer, "PNG")
    return buffer.getvalue()


def pictures(*paths: str) -> dict[str, bytes]:
    """A picture at each path, all different."""
    return {path: picture(place) for place, path in enumerate(paths, start=1)}


def in_folders(name: str, *paths: str, **said: Any) -> Layout:
    """A layout whose labels are the folders that the pictures lie in."""
    return Layout(name, pictures(*paths), {path: path.split("/")[-2] for path in paths}, **said)


def beside(name: str, file: str, content: bytes | str | object, **said: Any) -> Layout:
    """Two pictures, `a.png` a cat and `b.png` a dog, of which a file tells."""
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    files = pictures("pictures/a.png", "pictures/b.png") | {file: content}
    return Layout(name, files, {"pictures/a.png": "cat", "pictures/b.png": "dog"}, kind="file", **said)


def task(picture: str, *chosen: str, **said: Any) -> dict[str, Any]:
    """A task as Label Studio exports it, with one annotation."""
    result = [{"from_name": "class", "to_name": "image", "type": "choices", "value": {"choices": list(chosen)}}]
    return {"id": 1, "data": {"image": picture}, "annotations": [{"result": result, **said}], "predictions": []}


def coco(*shown: tuple[str, Sequence[str]]) -> dict[str, Any]:
    """Pictures and the categories that they show."""
    names = sorted({name for _, categories in shown for name in categories})
    return {
        "images": [{"id": place, "file_name": file, "width": 8, "height": 8} for place, (file, _) in enumerate(shown)],
        "annotations": [
            {"id": 1, "image_id": place, "category_id": names.index(name), "bbox": [0, 0, 1, 1]}
            for place, (_, categories) in enumerate(shown)
            for name in categories
        ],
        "categories": [{"id": place, "name": name} for place, name in enumerate(names)],
    }


SPLIT = ("d/train/cat/1.png", "d/train/dog/2.png", "d/test/dog/3.png")
ALBUMS = ("iPhone backup/1.png", "Urlaub 2023/2.png", "2022-08/3.png")
IN_PETS = {"pets/cat/a.png": "cat", "pets/dog/b.png": "dog"}
NEITHER = {"a.png": None, "b.png": None}


def _folders() -> list[Layout]:
    return [
        in_folders("folders are classes", "pets/cat/1.png", "pets/dog/2.png"),
        in_folders("parts of the data are no classes", *SPLIT, skipped=["test", "train"]),
        in_folders("a validation set", "Train/cat/1.png", "Val/cat/2.png", "Val/dog/3.png", skipped=["Train", "Val"]),
        in_folders("what only begins as parts of the data", "testid/1.png", "deving/2.png", "holdouting/3.png"),
        in_folders(
            "parts in whole words",
            "training_set/cat/1.png",
            "Development/cat/2.png",
            "evaluation/dog/3.png",
            skipped=["Development", "evaluation", "training_set"],
        ),
        in_folders("one part alone", "validation/cat/1.png", "validation/dog/2.png", skipped=["validation"]),
        Layout(
            "a test set without labels",
            pictures("train/cat/1.png", "train/dog/2.png", "test/3.png"),
            {"train/cat/1.png": "cat", "train/dog/2.png": "dog", "test/3.png": None},
            skipped=["test", "train"],
        ),
        in_folders("a class called train", "vehicles/train/1.png", "vehicles/bus/2.png"),
        Layout("parts alone", pictures("train/a.png", "test/b.png"), {"train/a.png": None}, "none", ["test", "train"]),
        Layout("one folder", pictures("p/a.png", "p/b.png"), {"p/a.png": None, "p/b.png": None}, "none"),
        in_folders("albums", *ALBUMS, suggested=[], warnings=["folders_look_like_albums"]),
        in_folders("models of cars", "Audi A5 Coupe 2012/1.png", "Acura RL Sedan 2012/2.png"),
        Layout("no labels wanted", pictures(*IN_PETS), dict.fromkeys(IN_PETS), "none", wanted="none"),
        Layout("no folders", pictures("a.png", "b.png"), NEITHER, "none"),
        Layout(
            "a file wanted where there is none",
            pictures(*IN_PETS),
            dict.fromkeys(IN_PETS),
            "none",
            wanted="file",
            warnings=["labels_not_found"],
        ),
        Layout(
            "folders wanted where there are none",
            pictures("a.png", "b.png"),
            NEITHER,
            "none",
            wanted="folders",
            warnings=["labels_not_found"],
        ),
        Layout(
            "folders wanted beside a table",
            pictures(*IN_PETS) | {"labels.csv": b"file,label\na.png,x\nb.png,y\n"},
            IN_PETS,
            wanted="folders",
        ),
    ]


def _parts_of_data() -> list[Layout]:
    return [
        in_folders(
            "three parts", "train/cat/1.png", "dev/dog/2.png", "test/cat/3.png", skipped=["dev", "test", "train"]
        ),
        in_folders(
            "parts beside another that holds classes",
            *("train/cat/1.png", "dev/dog/2.png", "test/cat/3.png", "extra/cat/4.png"),
            skipped=["dev", "extra", "test", "train"],
        ),
        Layout(
            "parts beside what is no part",
            pictures("train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "figures/web/4.png", "logo/5.png"),
            {"train/cat/1.png": "cat", "train/dog/2.png": "dog", "test/cat/3.png": "cat"}
            | {"figures/web/4.png": None, "logo/5.png": None},
            skipped=["test", "train"],
        ),
        in_folders("classes called train and test", "train/1.png", "test/2.png", "bus/3.png"),
        Layout(
            "pictures without labels in a folder of their own",
            pictures("train/cat/1.png", "train/dog/2.png", "train/unlabeled/3.png", "test/cat/4.png"),
            {
                "train/cat/1.png": "cat",
                "train/dog/2.png": "dog",
                "train/unlabeled/3.png": None,
                "test/cat/4.png": "cat",
            },
            skipped=["test", "train"],
        ),
    ]


def _tables() -> list[Layout]:
    headings = ("path;label", "image_path\ttarget")
    headed = []
    for heading in headings:
        delimiter = next(each for each in ",;\t" if each in heading)
        rows = f"{heading}\na.png{delimiter}cat\nb.png{delimiter}dog\n"
        headed.append(beside(f"headed {heading!r}", "labels.csv", rows))
    return [
        *headed,
        beside("another name", "annotations.csv", "id,filename,label\n1,pictures/a.png,cat\n2,b.png,dog\n"),
        beside("a workbook", "labels.xlsx", workbook({"A": [("Bild", "Klasse"), ("a.png", "cat"), ("b.png", "dog")]})),
        beside("an old workbook", "labels.xls", old_workbook([("Bild", "Klasse"), ("a.png", "cat"), ("b.png", "dog")])),
        beside("no suffixes", "train.csv", "id,breed\na,cat\nb,dog\n"),
        beside("other case", "labels.csv", "file,label\nA.PNG,cat\nPictures/B.png,dog\n"),
        beside("metadata.csv of Hugging Face", "pictures/metadata.csv", "file_name,label\na.png,cat\nb.png,dog\n"),
        beside(
            "metadata.jsonl of Hugging Face",
            "pictures/metadata.jsonl",
            '{"file_name": "a.png", "label": "cat"}\n{"file_name": "b.png", "label": "dog"}\n',
        ),
        Layout(
            "labels.csv before other tables",
            pictures("a.png") | {"labels.csv": b"file,label\na.png,cat\n", "z.csv": b"file,label\na.png,dog\n"},
            {"a.png": "cat"},
            "file",
        ),
        beside(
            "files that are missing",
            "labels.csv",
            "file,label\na.png,cat\nb.png,dog\nc.png,cow\n",
            warnings=["labels_name_no_file"],
        ),
        Layout(
            "a table of other files",
            pictures(*IN_PETS) | {"labels.csv": b"file,label\nx.png,1\ny.png,2\n"},
            IN_PETS,
            warnings=["labels_name_no_file"],
        ),
        Layout(
            "no labels in the cells",
            pictures("a.png", "b.png", "c.png") | {"labels.csv": b"file,label\na.png,NaN\nb.png,\nc.png,1.0\n"},
            {"a.png": None, "b.png": None, "c.png": "1.0"},
            "file",
        ),
    ]


def _json() -> list[Layout]:
    return [
        beside(
            "COCO",
            "annotations/instances_train.json",
            coco(("a.png", ["cat", "cat"]), ("b.png", ["dog"])),
        ),
        Layout(
            "COCO with several categories in a picture",
            pictures("a.png", "b.png")
            | {"_annotations.coco.json": json.dumps(coco(("a.png", ["cat", "dog"]), ("b.png", ["dog"]))).encode()},
            {"a.png": None, "b.png": "dog"},
            "file",
        ),
        beside(
            "Label Studio",
            "project-1-at-2026.json",
            [task("/data/upload/1/0a1b2c3d-a.png", "cat"), task("s3://bucket/pictures/b.png", "dog")],
        ),
        beside(
            "Label Studio with files of the machine",
            "export.json",
            [task("/data/local-files/?d=pictures/a.png", "cat"), task("/data/local-files/?d=pictures%2Fb.png", "dog")],
        ),
        Layout(
            "Label Studio, skipped and doubtful tasks",
            pictures("a.png", "b.png", "c.png")
            | {
                "export.json": json.dumps(
                    [task("a.png", "cat", was_cancelled=True), task("b.png", "cat", "dog"), task("c.png", "dog")]
                ).encode()
            },
            {"a.png": None, "b.png": None, "c.png": "dog"},
            "file",
        ),
        beside(
            "Label Studio, short",
            "export.json",
            [{"image": "/data/upload/a.png", "choice": "cat"}, {"image": "b.png", "choice": "dog"}],
        ),
        beside("JSON objects", "labels.json", [{"file": "a.png", "label": "cat"}, {"file": "b.png", "label": "dog"}]),
    ]


def _texts() -> list[Layout]:
    labelled = b"text,label\ngood film,pos\nbad film,neg\n"
    tasks = [
        {"data": {"text": text}, "annotations": [{"result": [{"value": {"choices": [side]}}]}]}
        for text, side in (("good film", "pos"), ("bad film", "neg"))
    ]
    of_texts: dict[str, Any] = {"modality": "text", "kind": "file"}
    rows = {"r.csv:2": "pos", "r.csv:3": "neg"}
    return [
        Layout("a column", {"r.csv": labelled}, rows, **of_texts),
        Layout(
            "a column that is not wanted",
            {"r.csv": labelled},
            dict.fromkeys(rows),
            "none",
            wanted="none",
            modality="text",
        ),
        Layout(
            "tasks of texts", {"r.json": json.dumps(tasks).encode()}, {"r.json:1": "pos", "r.json:2": "neg"}, **of_texts
        ),
        Layout(
            "folders of texts",
            {
                "d/train/pos/1.txt": b"good film\n",
                "d/train/neg/1.txt": b"bad film\n",
                "d/test/neg/2.txt": b"dull film\n",
            },
            {"d/train/pos/1.txt:1": "pos", "d/train/neg/1.txt:1": "neg", "d/test/neg/2.txt:1": "neg"},
            skipped=["test", "train"],
            modality="text",
        ),
    ]


LAYOUTS = [*_folders(), *_parts_of_data(), *_tables(), *_json(), *_texts()]
"""All of them; their names differ."""
