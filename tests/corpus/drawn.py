"""Labels as LabelMe, VIA, CreateML and SageMaker Ground Truth write them: `a.png` is a cat, `b.png` a dog."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.corpus.labels import Layout, beside, pictures

SHOWN = {"a.png": ("cat", "cat"), "b.png": ("dog",)}
BOTH = ("cat", "dog")


def _labelme(file: str, drawn: Sequence[str], **flags: bool) -> bytes:
    shapes = [{"label": one, "points": [[1, 1], [5, 5]], "shape_type": "rectangle", "flags": {}} for one in drawn]
    document = {"version": "5.4.1", "flags": flags, "shapes": shapes, "imagePath": file, "imageData": None}
    return json.dumps(document).encode()


def _via(file: str, regions: Sequence[dict[str, Any]], **attributes: Any) -> dict[str, Any]:
    drawn = [{"shape_attributes": {"name": "rect", "x": 1}, "region_attributes": one} for one in regions]
    return {f"{file}99": {"filename": file, "size": 99, "regions": drawn, "file_attributes": attributes}}


def _createml(file: str, drawn: Sequence[str]) -> dict[str, Any]:
    place = {"x": 2, "y": 2, "width": 2, "height": 2}
    return {"image": file, "annotations": [{"label": one, "coordinates": place} for one in drawn]}


def _ground_truth(file: str, label: str) -> str:
    told = {"class-name": label, "job-name": "labeling-job/pets", "confidence": 0.9, "human-annotated": "yes"}
    return json.dumps({"source-ref": f"s3://bucket/my%20pets/{file}", "pets": 0, "pets-metadata": told})


def _of_labelme() -> list[Layout]:
    three = pictures("a.png", "b.png", "c.png")
    labels: dict[str, str | None] = {"a.png": "cat", "b.png": "dog", "c.png": None}
    drawn = {f"{file[0]}.json": _labelme(file, shown) for file, shown in {**SHOWN, "c.png": BOTH}.items()}
    flags = {"a.json": _labelme("..\\x\\a.png", BOTH, cat=True, dog=False), "b.json": _labelme("b.png", [], dog=True)}
    return [
        Layout("LabelMe", three | drawn, labels, "file"),
        Layout(
            "LabelMe, flags before what is drawn",
            pictures("a.png", "b.png") | flags,
            dict([*labels.items()][:2]),
            "file",
        ),
    ]


def _of_one_file() -> list[Layout]:
    classes = {file: [{"class": one, "note": file} for one in shown] for file, shown in SHOWN.items()}
    drawn: dict[str, Any] = {}
    for file, regions in {**classes, "c.png": [{"class": one} for one in BOTH]}.items():
        drawn |= _via(file, regions)
    of_files = _via("a.png", [{"part": "ear"}], kind={"cat": True}) | _via("b.png", [], kind="dog")
    return [
        beside("VIA, regions", "via_region_data.json", drawn),
        beside("VIA, attributes of files in a project", "project.json", {"_via_img_metadata": of_files}),
        beside("CreateML", "_annotations.createml.json", [_createml(file, shown) for file, shown in SHOWN.items()]),
        beside(
            "Ground Truth", "output.manifest", "\n".join(_ground_truth(file, shown[0]) for file, shown in SHOWN.items())
        ),
    ]


def _of_equal_names() -> list[Layout]:
    told = {"one/1.png": "cat", "two/1.png": "dog"}
    lines = "\n".join(_ground_truth(file, label) for file, label in told.items())
    labels = {f"my pets/{file}": label for file, label in told.items()}
    files = pictures(*labels) | {"output.manifest": lines.encode()}
    return [Layout("Ground Truth, equal names in two folders", files, labels, "file")]


DRAWN_LAYOUTS = [*_of_labelme(), *_of_one_file(), *_of_equal_names()]
"""All of them; their names differ."""
