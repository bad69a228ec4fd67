"""What labelling tools, competitions, phones and photo services export: pictures, and what says their labels."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from tests.corpus.archives import BLUE, GREEN, JUNK, RED, TAKEOUT, Archive, picture, pictures, zipped
from tests.corpus.labels import Layout, beside, in_folders

FOUR = ("a.png", "b.png", "c.png", "d.png")
KINDS = dict(zip(FOUR, ("cat", "dog", "cat", "dog"), strict=True))
IN_FOLDERS = {"cat/a.png": "cat", "cat/b.png": "cat", "dog/c.png": "dog", "dog/d.png": "dog"}
DESCRIPTIONS = ("README.md", "LICENSE", "README.dataset.txt", "README.roboflow.txt", "sample_submission.csv")
LONG = "a name that is longer than the forty-six characters of Takeout"
CVAT = (
    '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><name>x</name></meta>'
    '<image id="0" name="a.png"><box label="dog" xtl="0"/><tag label="cat" source="manual"></tag></image>'
    '<image id="1" name="b.png"><box label="dog"><attribute name="n">1</attribute></box></image></annotations>'
)


def voc(file: str, *shown: str) -> bytes:
    """What Pascal VOC says of a picture that shows these."""
    objects = "".join(f"<object>\n<name>{name}</name><part><name>head</name></part></object>" for name in shown)
    return f"<annotation>\n\t<folder>x</folder><filename>{file}</filename>{objects}\n</annotation>".encode()


def raw() -> bytes:
    """A camera's raw file: to an ordinary decoder it is its preview."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), GREEN).save(stream, "TIFF")
    return stream.getvalue()


def _with_table(name: str, file: str, table: str, labels: Mapping[str, str | None] = KINDS) -> Layout:
    return Layout(name, pictures(*labels) | {file: table.encode()}, labels, "file")


def _of_competitions() -> list[Layout]:
    marks = "".join(f"{name[0]},{int(kind == 'cat')},{int(kind == 'dog')}\n" for name, kind in KINDS.items())
    picked = "".join(f"{name},{kind}\n" for name, kind in KINDS.items())
    headings = (("ImageID,Class", ".png"), ("id_code,diagnosis", ""), ("img_name,dx", ""))
    return [
        *(
            beside(f"a competition's table headed {heading!r}", "train.csv", f"{heading}\na{end},cat\nb{end},dog\n")
            for heading, end in headings
        ),
        _with_table("headings that tell nothing", "train.csv", f"Image,Id\n{picked}"),
        _with_table("no headings", "labels.csv", picked),
        _with_table("a column for each class", "train.csv", f"image_id,cat,dog\n{marks}"),
        _with_table(
            "names of classes beside their numbers",
            "metadata.csv",
            "file_name,label,text_label\na.png,0,cat\nb.png,1,dog\n",
            {"a.png": "cat", "b.png": "dog"},
        ),
        Layout(
            "what cameras note, beside folders of classes",
            pictures(*IN_FOLDERS) | {"exif.csv": b"File,Model\na.png,N\nb.png,C\nc.png,N\nd.png,C\n"},
            IN_FOLDERS,
        ),
    ]


def _of_tools() -> list[Layout]:
    annotations = (("a", "cat", "cat"), ("b", "dog"), ("c", "cat", "dog"))
    return [
        Layout(
            "a column for each class, as Roboflow has them",
            pictures("train/a.png", "valid/a.png")
            | {
                "train/_classes.csv": b"filename, cat, dog\na.png, 1, 0\n",
                "valid/_classes.csv": b"filename, cat, dog\na.png, 0, 1\n",
            },
            {"train/a.png": "cat", "valid/a.png": "dog"},
            "file",
        ),
        beside("CVAT, tags before what is drawn", "annotations.xml", CVAT),
        Layout(
            "Pascal VOC",
            pictures("JPEGImages/a.png", "JPEGImages/b.png", "JPEGImages/c.png")
            | {f"Annotations/{name}.xml": voc(f"{name}.png", *shown) for name, *shown in annotations},
            {"JPEGImages/a.png": "cat", "JPEGImages/b.png": "dog", "JPEGImages/c.png": None},
            "file",
        ),
    ]


def _of_yolo() -> list[Layout]:
    """As YOLO's own tools, Darknet and Datumaro have it: pictures with one class, several, and none."""
    in_parts = {"obj_train_data/a.png": "cat", "obj_train_data/b.png": None, "obj_val_data/c.v2.png": "dog"}
    boxes = {
        "obj_train_data/a.txt": b"0 0.5 0.5 0.1 0.1\n0 0.2 0.2 0.1 0.1\n",
        "obj_train_data/b.txt": b"0 0.5 0.5 0.1 0.1\n1 0.2 0.2 0.1 0.1\n",
        "obj_val_data/c.v2.txt": b"1 5e-1 .5 .1 .1\n",
    }
    apart = pictures("images/train/a.png", "images/val/b.png")
    outlines = {"labels/train/a.txt": b"0 .1 .1 .2 .2 .1 .3\n", "labels/val/b.txt": b"7 .1 .1 .2 .2 .1 .3\n"}
    labels = {"images/train/a.png": "cat", "images/val/b.png": "dog"}
    names = {
        "a mapping": b"names:\n  0: cat\n  7: dog\n",
        "a list": b"nc: 8\nnames: [cat, b, c, d, e, f, g, 'dog']\n",
    }
    return [
        Layout("Darknet", pictures(*in_parts) | boxes | {"obj.names": b"cat\ndog\n"}, in_parts, "file"),
        *(
            Layout(f"YOLO with {name} of names", apart | outlines | {"data.yaml": content}, labels, "file")
            for name, content in names.items()
        ),
        in_folders(
            "parts of the data within names",
            *("obj_train_data/cat/1.png", "obj_train_data/dog/2.png", "obj_val_data/dog/3.png"),
            skipped=["obj_train_data", "obj_val_data"],
        ),
        beside("Datumaro", "annotations/train.json", datumaro(("a.png", [0]), ("b.png", [1, 1]), ("c.png", [0, 1]))),
        beside("headings of Open Images", "train.csv", "ImageID,Source,LabelName\na,,cat\nb,,dog\n"),
    ]


def datumaro(*shown: tuple[str, Sequence[int]]) -> dict[str, Any]:
    """Pictures and the numbers of what is drawn in them."""
    items = [
        {"id": file[:-4], "annotations": [{"type": "bbox", "label_id": one} for one in drawn], "image": {"path": file}}
        for file, drawn in shown
    ]
    labels = [{"name": "cat", "parent": ""}, {"name": "dog", "parent": ""}]
    return {"dm_format_version": "1.0", "categories": {"label": {"labels": labels}}, "items": items}


def _albums() -> list[Layout]:
    phone = ("DCIM/Camera/1.png", "DCIM/Screenshots/2.png")
    mixed = ("Urlaub 2023/1.png", "Katzen/2.png")
    google = ("Google Photos/Photos from 2022/1.png", "Google Photos/Photos from 2023/2.png")
    return [
        in_folders(f"albums of {name}", *paths, suggested=[], warnings=["folders_look_like_albums"])
        for name, paths in (("a phone", phone), ("Google", google), ("people, and another folder", mixed))
    ]


def _archives() -> list[Archive]:
    red, blue = picture(RED, "JPEG"), picture(BLUE, "JPEG")
    album = b'{"title": "Urlaub", "description": "", "date": {"timestamp": "1"}}'
    takeout = {f"{LONG}.jpg": red, f"{LONG[:46]}.json": TAKEOUT, "Metadaten.json": album}
    takeout |= {"archive_browser.html": JUNK, "PXL_1.MP.jpg": blue, "PXL_1.MP": JUNK}
    yolo = {"train/images/a.jpg": red, "train/labels/a.txt": b"0 .5 .5 .1 .1\n", "data.yaml": b"names: [cat]\n"}
    without_names = {"images/a.jpg": red, "labels/a.txt": b"0 .5 .5 .1 .1\n", "data.yaml": b"path: .\n"}
    return [
        Archive(
            "Takeout in another language",
            "a.zip",
            zipped(takeout),
            (f"{LONG}.jpg", "PXL_1.MP.jpg"),
            skipped={"sidecar": 4},
        ),
        Archive(
            "raw files, beside a picture and alone",
            "a.zip",
            zipped({"a.jpg": red, "a.NEF": JUNK, "b.dng": raw()}),
            ("a.jpg",),
            rejected={"b.dng": "undecodable_image"},
            skipped={"sidecar": 1},
        ),
        Archive(
            "YOLO",
            "a.zip",
            zipped(yolo),
            ("train/images/a.jpg",),
            {"train/images/a.jpg": "cat"},
            skipped={"sidecar": 1},
        ),
        Archive(
            "YOLO without names of classes",
            "a.zip",
            zipped(without_names),
            ("images/a.jpg",),
            rejected={"data.yaml": "undecodable_image"},
            skipped={"sidecar": 1},
        ),
        Archive(
            "descriptions",
            "a.zip",
            zipped(pictures("a.png", "readme.png") | dict.fromkeys(DESCRIPTIONS, JUNK)),
            ("a.png", "readme.png"),
            skipped={"description": len(DESCRIPTIONS)},
        ),
    ]


EXPORTED_LAYOUTS = [*_of_competitions(), *_of_tools(), *_of_yolo(), *_albums()]
EXPORTED_ARCHIVES = _archives()
"""All of them; their names differ."""
