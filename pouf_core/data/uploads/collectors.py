"""Which collector reads uploads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from pouf_core.contract.base_model import Modality
from pouf_core.contract.dataset_items import RequestedModality, modality_of, modality_of_members
from pouf_core.contract.labels import LabelsWanted
from pouf_core.data.archives.members import ArchiveError, Found, Large
from pouf_core.data.archives.reading import names_in, read_archive
from pouf_core.data.decoder import Decoder, DecoderLimits
from pouf_core.data.file_kinds import ArrowForm, archive_kind_by_name, arrow_form
from pouf_core.data.item_names import parse_name
from pouf_core.data.reading.reader import FileReader
from pouf_core.data.sheets import ReadingLimits, kind_of_table
from pouf_core.data.text_files import TextOptions
from pouf_core.data.uploads.collector import Collector
from pouf_core.data.uploads.embeddings import EmbeddingCollector
from pouf_core.data.uploads.keeper import EndOfUpload, Keeper, Uploaded
from pouf_core.data.uploads.limits import UploadLimits
from pouf_core.data.uploads.pictures import PictureCollector
from pouf_core.data.uploads.texts import TextCollector
from pouf_core.errors import InvalidInput


def modality_of_uploads(
    requested: RequestedModality,
    uploads: Sequence[Uploaded],
    local: Callable[[Uploaded], Path],
    limits: UploadLimits,
    check: Callable[[], None],
) -> Modality:
    """What uploads hold, see `modality_of`; where their names do not tell, those in archives do.

    Where these do not either, the first table of columns does.

    Args:
        requested: by whoever uploaded them.
        uploads: all of them.
        local: where one can be read.
        limits: of reading it.
        check: called at every block that is unpacked; raises `EndOfUpload` where enough was looked at, or to end.
    """
    names = [parse_name(upload.filename) for upload in uploads]
    known = modality_of(requested, [name.file_name for name in names if name.skipped is None])
    known = known or modality_of_members(_members(uploads, local, limits, check))
    if known is not None:
        return known
    reading = ReadingLimits(limits.memory_bytes, limits.cpu_seconds)
    for source, form in _tables(uploads, local, limits, check):
        try:
            return kind_of_table(source, form, reading)
        except InvalidInput:
            return "embedding"  # whose reader refuses it
    return "text"  # as it is in archives nearly always


def _tables(
    uploads: Iterable[Uploaded],
    local: Callable[[Uploaded], Path],
    limits: UploadLimits,
    check: Callable[[], None],
) -> Iterator[tuple[Path | BytesIO, ArrowForm]]:
    """The tables of columns, those in archives among them."""
    for upload in uploads:
        path, form = local(upload), arrow_form(upload.filename)
        if form is not None:
            yield path, form
        elif kind := archive_kind_by_name(upload.filename):
            with suppress(EndOfUpload, ArchiveError):
                for member in read_archive(path, kind, limits, check):
                    if isinstance(member, Found | Large) and (form := arrow_form(member.name.file_name)):
                        yield from ((source, form) for source in _table_of(member, check))


def _table_of(member: Found | Large, check: Callable[[], None]) -> Iterator[Path | BytesIO]:
    if isinstance(member, Found):
        yield BytesIO(member.data)
        return
    with TemporaryDirectory(prefix="pouf-table-") as folder, suppress(InvalidInput):
        path = Path(folder) / "table"
        member.write(path, math.inf, check)
        yield path


def _members(
    uploads: Iterable[Uploaded],
    local: Callable[[Uploaded], Path],
    limits: UploadLimits,
    check: Callable[[], None],
) -> Iterator[str]:
    """The names of all files, those in archives among them."""
    for upload in uploads:
        name = parse_name(upload.filename)
        names = names_in(local(upload), name, limits, check) if archive_kind_by_name(name.file_name) else (name,)
        with suppress(EndOfUpload):
            yield from (each.file_name for each in names if each.skipped is None)


@contextmanager
def collector_of(
    modality: Modality, keeper: Keeper, limits: UploadLimits, options: TextOptions, labels: LabelsWanted
) -> Iterator[Collector]:
    """The collector of a modality, to be used while the block runs.

    Args:
        modality: what the uploads hold.
        keeper: takes what is found.
        limits: of the uploads.
        options: what is known of files of texts.
        labels: where evaluation labels may come from.
    """
    with (
        keeper.folder("reading") as scratch,
        FileReader(ReadingLimits(limits.memory_bytes, limits.cpu_seconds), scratch, keeper.check_waiting) as reader,
        Decoder(DecoderLimits(limits.memory_bytes, limits.cpu_seconds)) as decoder,
    ):
        if modality == "embedding":
            yield EmbeddingCollector(keeper, limits, labels_wanted=labels, reader=reader)
        elif modality == "text":
            yield TextCollector(keeper, limits, labels_wanted=labels, reader=reader, options=options)
        else:
            yield PictureCollector(
                keeper, limits, labels_wanted=labels, reader=reader, decoder=decoder, label_column=options.label_column
            )
