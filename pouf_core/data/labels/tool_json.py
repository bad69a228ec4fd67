"""JSON of tools for labelling pictures: LabelMe, VIA, CreateML and SageMaker Ground Truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PureWindowsPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pouf_core.contract.labels import LabelFileFormat
from pouf_core.data.headings import LABELS, field_named
from pouf_core.data.labels.tables import Rows
from pouf_core.data.text_rows import label_of

_OF_VIA = "_via_img_metadata"  # of a project; an export is what this holds
_SOURCE, _TOLD = "source-ref", "-metadata"  # of Ground Truth
_FILES, _DRAWN = ("image", "imagefilename"), ("annotations", "annotation")  # of CreateML, new and old


def rows_of_tool(document: object) -> tuple[LabelFileFormat, Rows] | None:
    """The pictures of exactly one class, and the tool that says so; None for other JSON."""
    if isinstance(document, list):
        pictures = [found for found in map(_picture_of_createml, document) if found is not None]
        if document and len(pictures) == len(document):
            return "createml", [*_of_createml(pictures)]
        if document and all(map(_is_of_ground_truth, document)):
            return "ground_truth", [*_of_ground_truth(document)]
        return None
    if not isinstance(document, Mapping):
        return None
    if isinstance(document.get("shapes"), list) and isinstance(document.get("imagePath"), str):
        return "labelme", [*_of_labelme(document)]
    pictures = document.get(_OF_VIA, document)
    if isinstance(pictures, Mapping) and pictures and all(map(_is_of_via, pictures.values())):
        return "via", [*_of_via(pictures.values())]
    return None


def _of_labelme(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """One picture; flags are set for it, and count before what is drawn."""
    flags = document.get("flags")
    said = [name for name, is_set in flags.items() if is_set is True] if isinstance(flags, Mapping) else []
    label = _only(said or [shape.get("label") for shape in objects(document["shapes"])])
    if label is not None:
        yield PureWindowsPath(document["imagePath"]).name, label


def _is_of_via(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("filename"), str) and "regions" in value


def _of_via(pictures: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Attributes of the file count before those of its regions."""
    for picture in pictures:
        regions = picture["regions"]
        drawn = objects([*regions.values()] if isinstance(regions, Mapping) else regions)
        of_file = [*_chosen(picture.get("file_attributes"))]
        label = _only(of_file or [one for region in drawn for one in _chosen(region.get("region_attributes"))])
        if label is not None:
            yield picture["filename"], label


def _chosen(attributes: object) -> Iterator[object]:
    """The values of the attribute that is headed as a label, else of all; of boxes those that are ticked."""
    if not isinstance(attributes, Mapping):
        return
    named = field_named(LABELS, attributes)
    for value in attributes.values() if named is None else (attributes[named],):
        if isinstance(value, Mapping):
            yield from (name for name, is_ticked in value.items() if is_ticked is True)
        elif value != "":
            yield value


def _of_createml(pictures: Iterable[tuple[str, list[object]]]) -> Iterator[tuple[str, str]]:
    for file, drawn in pictures:
        label = _only(one.get("label") for one in objects(drawn))
        if label is not None:
            yield file, label


def _picture_of_createml(value: object) -> tuple[str, list[object]] | None:
    """A picture's file and what is drawn in it."""
    if not isinstance(value, Mapping):
        return None
    file = next((value[name] for name in _FILES if isinstance(value.get(name), str)), None)
    drawn = next((value[name] for name in _DRAWN if isinstance(value.get(name), list)), None)
    return None if file is None or drawn is None else (file, drawn)


def _is_of_ground_truth(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get(_SOURCE), str)


def _of_ground_truth(lines: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Each job has a field for its numbers, and one for what they mean."""
    for line in lines:
        told = [value for name, value in line.items() if name.endswith(_TOLD) and isinstance(value, Mapping)]
        label = _only(one["class-name"] for one in told if "class-name" in one)
        if label is not None:
            yield file_of(line[_SOURCE]), label


def _only(values: Iterable[object]) -> str | None:
    """The one class that all values are; None where there are several, or one that is none."""
    labels = {label_of(value) if isinstance(value, str | int) else None for value in values}
    return labels.pop() if len(labels) == 1 else None


def objects(values: object) -> Iterator[Mapping[str, Any]]:
    """The objects of a list, if it is one."""
    return (value for value in values if isinstance(value, Mapping)) if isinstance(values, list) else iter(())


def file_of(place: str) -> str:
    """The path of a picture, without what Label Studio and clouds put around it."""
    try:
        parts = urlsplit(place)
    except ValueError:  # brackets, as in those of internet addresses
        return place
    path = parse_qs(parts.query).get("d", [parts.path])[0]  # /data/local-files/?d=…
    return unquote(path).lstrip("/")
