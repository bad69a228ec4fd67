"""Evaluation labels of a dataset: where a caller wants them from, and where they were found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pouf_core.contract.document import STORED

LabelsWanted = Literal["auto", "folders", "file", "none"]
"""`file`: columns of tables, fields of JSON, files of labels. `auto`: from files where there are any, else folders."""

LabelFileFormat = Literal[
    "table",
    "guessed_table",
    "records",
    "list",
    "coco",
    "createml",
    "cvat",
    "datumaro",
    "ground_truth",
    "label_studio",
    "labelme",
    "via",
    "voc",
    "yolo",
]


class LabelFile(BaseModel):
    """A file that says the labels of pictures."""

    model_config = STORED

    file: str
    format: Annotated[
        LabelFileFormat,
        Field(
            description="`records`: JSON objects with a file and a label each. `list`: lines of a picture and its "
            "class, or image sets of VOC. `guessed_table`: one whose headings do not tell the labels; it counts where "
            "nothing else gives any."
        ),
    ]
    rows: Annotated[int, Field(ge=0, description="With a file and a label.")]
    unmatched: Annotated[int, Field(ge=0, description="Of these, whose file is no picture of the upload.")]


class LabelSource(BaseModel):
    """Where the labels of a dataset came from."""

    model_config = STORED

    kind: Annotated[
        Literal["folders", "file", "none"],
        Field(description="`file`: a column or field of the items' own files, or the `files`."),
    ]
    files: Annotated[list[LabelFile], Field(description="Those that were used.")] = []
    skipped_levels: Annotated[
        list[str], Field(description="Folders that divide the data, such as `train`, and are no labels.")
    ] = []
