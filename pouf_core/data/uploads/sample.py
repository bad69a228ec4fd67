"""Reading a sample of uploads as ingestion reads them, and keeping nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pouf_core.contract.file_reading import shown_text
from pouf_core.contract.sample import Sample, SampledItem, SampleFailure, SampleRequest
from pouf_core.data.file_kinds import is_named_for_labels
from pouf_core.data.item_names import parse_name
from pouf_core.data.limited_process import is_of_the_system
from pouf_core.data.text_files import TextOptions
from pouf_core.data.text_tables import AmbiguousTable
from pouf_core.data.uploads.allowance import Allowance
from pouf_core.data.uploads.collector import Collector
from pouf_core.data.uploads.collectors import collector_of, modality_of_uploads
from pouf_core.data.uploads.keeper import EndOfReading, EndOfUpload, FolderUse, FoundItem, Keeper, Uploaded, WholeFile
from pouf_core.data.uploads.limits import UploadLimits

MOST_ENTRIES = 500
MOST_OF_AN_UPLOAD = 200
SHOWN_ITEMS = 20
#: Of the time for reading, for files of labels behind what is read of a tar.
LOOKING_SHARE = 0.3
#: More than the longest texts of an upload's part in a sample have.
UNPACKED_BYTES_OF_LINES = 64 * 1024**2
#: Of what cannot be read without its end; less than `sample_process.FILE_BYTES`.
UNPACKED_BYTES = 512 * 1024**2


class EndOfSample(EndOfReading):
    """Enough was read."""


class SampleKeeper(Keeper):
    """Counts, and keeps the first entries alone.

    Args:
        scratch: a directory to work in.
        seconds: of computing, after which no more is read.

    Attributes:
        items: the first entries.
    """

    keeps_files = False
    first_rows = MOST_ENTRIES
    looks_for_labels = True

    def __init__(self, scratch: Path, seconds: float) -> None:
        self.items: list[FoundItem] = []
        self._scratch = scratch
        self._seconds = seconds
        self.begin()
        self._entries = self._of_upload = 0

    def begin(self) -> None:
        """Count the seconds from now on."""
        self._allowance = Allowance(self._seconds)

    def unpacked_bytes(self, *, is_of_lines: bool) -> float:
        return UNPACKED_BYTES_OF_LINES if is_of_lines else UNPACKED_BYTES

    def check(self) -> None:
        if self._entries >= MOST_ENTRIES or self._allowance.is_used():
            self.cut = True
            raise EndOfSample
        if self._of_upload >= MOST_OF_AN_UPLOAD:
            self.cut, self._of_upload = True, 0
            raise EndOfUpload

    def check_looking(self) -> None:
        if self._allowance.is_used(LOOKING_SHARE):
            raise EndOfUpload

    def check_waiting(self) -> None:
        pass  # the file that is being read when the time is up may be all that there is to show

    def ends(self, error: Exception) -> bool:
        return is_of_the_system(error)

    def local(self, upload: Uploaded) -> Path:
        self._of_upload = 0
        return Path(upload.key)

    def add(self, item: FoundItem) -> None:
        self._entries += 1
        self._of_upload += 1
        if len(self.items) < SHOWN_ITEMS:
            self.items.append(item)

    @contextmanager
    def folder(self, use: FolderUse) -> Iterator[Path]:
        with TemporaryDirectory(prefix=f"{use}-", dir=self._scratch) as folder:
            yield Path(folder)

    def room(self) -> int:
        return shutil.disk_usage(self._scratch).free // 2

    def require_room(self) -> None:
        pass

    def extract(self, extracted_bytes: int) -> None:
        pass

    def key_of_file(self, kind: WholeFile) -> str:
        return ""

    def keep_file(self, kind: WholeFile, path: Path) -> None:
        pass

    def keep_picture(self, sha256: str, data: bytes) -> str:
        return ""


def read_sample(request: SampleRequest) -> Sample:
    """What a dataset of these files would be, as far as its first entries tell."""
    files = request.files
    uploads = [Uploaded(str(at), one.filename, str(one.path), one.size, one.sha256) for at, one in enumerate(files)]
    uploads.sort(key=lambda upload: not is_named_for_labels(parse_name(upload.filename).file_name))
    keeper = SampleKeeper(request.scratch, request.limits.seconds)
    options = TextOptions.of(request.text_column, request.label_column, request.text_options)
    limits = UploadLimits(**request.limits.model_dump(exclude={"seconds"}))
    modality = modality_of_uploads(request.modality, uploads, keeper.local, limits, keeper.check_looking)
    with collector_of(modality, keeper, limits, options, request.labels) as collector:
        if modality != "image":
            collector.reader.start()
        keeper.begin()  # of the time for reading, none is for starting
        try:
            collector.collect(uploads)
        except (EndOfReading, EndOfUpload):
            keeper.cut = True
    return _sample(collector, keeper)


def _sample(found: Collector, keeper: SampleKeeper) -> Sample:
    known, labelling = found.description(), found.labelling()
    warnings = found.warnings()
    if not keeper.cut:  # of files of labels, which may name pictures beyond the sample
        warnings += labelling.warnings
    return Sample(
        complete=not keeper.cut,
        modality=found.modality,
        text_pairs=known.text_pairs,
        readings=list(known.readings),
        item_count=len(found.accepted),
        duplicate_count=found.duplicates,
        rejected_count=found.rejected,
        skipped=dict(found.skipped),
        labelled_count=len(labelling.single.keys() & found.accepted),  # one may be of an entry beyond
        label_source=labelling.source,
        embedding_width=known.embedding_width,
        embedding_templates=known.embedding_templates,
        suggested_class_names=labelling.suggested,
        rejections=found.losses.groups(),
        warnings=warnings,
        items=[_item(item, labelling.single.get(item.sha256 or "")) for item in keeper.items],
        failure=_failure(found, keeper),
    )


def _item(item: FoundItem, label: str | None) -> SampledItem:
    text = item.text
    return SampledItem(
        name=item.name,
        status=item.status,
        text=None if text is None else shown_text(text.text),
        text_pair=None if text is None or text.text_pair is None else shown_text(text.text_pair),
        label=label,
        code=item.code,
        message=item.message,
    )


def _failure(found: Collector, keeper: SampleKeeper) -> SampleFailure | None:
    if found.accepted:
        return None
    error = found.failure()
    if isinstance(error, AmbiguousTable):
        return SampleFailure(code=error.code, message=error.message, candidates=error.candidates)
    # beyond the sample there may be something usable
    return None if keeper.cut else SampleFailure(code=error.code, message=error.message)
