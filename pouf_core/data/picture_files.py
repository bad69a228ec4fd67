"""The pictures among the files of a folder or an archive."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from pouf_core.contract.item_limits import MAX_ITEM_BYTES
from pouf_core.contract.rejections import SkipReason
from pouf_core.data.archives.reading import kind_of_upload
from pouf_core.data.file_kinds import arrow_form
from pouf_core.data.images import decode_image
from pouf_core.data.item_names import parse_name
from pouf_core.data.labels.files import may_hold_labels
from pouf_core.data.labels.labelling import PictureLabels
from pouf_core.data.labels.tables import UNREADABLE
from pouf_core.data.losses import Rejected
from pouf_core.data.no_pictures import refuse_raw, said_of
from pouf_core.data.sidecars import PicturesBeside, is_of_takeout, is_sidecar, may_be_of_takeout, may_be_sidecar
from pouf_core.data.source_files import SourceFile, SourceFiles, kept
from pouf_core.data.source_tables import with_pictures_of_tables
from pouf_core.errors import InvalidInput

#: Documents that lie in folders of pictures.
_DOCUMENTS = (".csv", ".txt", ".md", ".json", ".jsonl")


@dataclass(frozen=True)
class PictureFiles:
    """What was found.

    Attributes:
        paths: of the file of each content, by its SHA-256 (hex).
        rejected: what could not be used.
        skipped: how many files were passed over, by reason.
    """

    paths: dict[str, Path]
    rejected: list[Rejected]
    skipped: Counter[SkipReason]


def find_pictures(root: Path, labels: PictureLabels | None = None) -> PictureFiles:
    """The pictures of a folder and its sub-folders, of an archive, or of a table.

    Args:
        root: the folder, the archive or the table of pictures.
        labels: told of pictures and files of labels.

    Raises:
        InvalidInput: `data_not_found`.
    """
    labels = labels or PictureLabels("none", most_rows=0)
    holds_several = root.is_file() and (kind_of_upload(root, parse_name(root.name)) or arrow_form(root.name))
    if not (root.is_dir() or holds_several):
        raise InvalidInput("data_not_found", f"{root} is neither a folder nor an archive nor a table of pictures.")
    files = SourceFiles(root)
    paths: dict[str, Path] = {}
    refused: list[tuple[SourceFile, InvalidInput]] = []
    for file in with_pictures_of_tables(files, labels.label_column, labels.note_unclear):
        if _is_sidecar(file):
            files.skipped["sidecar"] += 1
            continue
        try:
            if _is_of_labels(file, labels):
                continue
            refuse_raw(file.name)
            sha256 = content_of_picture(file.path, paths)
        except InvalidInput as error:
            refused.append((file, error))
            continue
        labels.note_picture(file.source, file.name.parts, sha256, file.label)
        if sha256 not in paths:
            paths[sha256] = kept(file, sha256)
    for source, name, unclear in labels.unclear():
        place = str(Path(source) / name.text) if source else files.place(name)
        files.rejected.append(Rejected(place, unclear.code, unclear.message, "rest"))
    _decide(files, refused, PicturesBeside(labels.places() if refused else ()))
    return PictureFiles(paths, files.rejected, files.skipped)


def _decide(files: SourceFiles, refused: Sequence[tuple[SourceFile, InvalidInput]], beside: PicturesBeside) -> None:
    """Pass over what belongs to a picture, and reject the rest."""
    for file, problem in refused:
        if may_be_sidecar(file.name.file_name) and beside.include_one_for(file.name.parts):
            files.skipped["sidecar"] += 1
        elif file.unpacked or problem.code == UNREADABLE or not file.name.file_name.lower().endswith(_DOCUMENTS):
            message, lost = said_of(file.name, problem)
            lost = "rest" if problem.code == UNREADABLE else lost
            files.rejected.append(Rejected(files.place(file.name), problem.code, message, lost))


def _is_sidecar(file: SourceFile) -> bool:
    name = file.name.file_name
    return is_sidecar(name) or (may_be_of_takeout(name) and is_of_takeout(file.path.read_bytes()))


def _is_of_labels(file: SourceFile, labels: PictureLabels) -> bool:
    if not may_hold_labels(file.name) or file.path.stat().st_size > MAX_ITEM_BYTES:
        return False
    return labels.takes(file.source, file.name, file.path.read_bytes())


def content_of_picture(path: Path, known: Container[str]) -> str:
    """The SHA-256 (hex) of a picture's file, which is decoded to be checked unless it is known.

    Raises:
        InvalidInput: `data_not_found`, or as `decode_image`.
    """
    if not path.is_file():
        raise InvalidInput("data_not_found", f"{path} does not exist.")
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 not in known:
        decode_image(content)
    return sha256
