"""What uploads hold where nobody says it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pouf_core.adaptation.embeddings import modality_of_data
from pouf_core.data.uploads.collectors import modality_of_uploads
from pouf_core.data.uploads.keeper import Uploaded
from pouf_core.data.uploads.limits import UploadLimits
from tests.corpus.archives import tarred, zipped

LIMITS = UploadLimits(
    item_bytes=10**6,
    archive_entries=1000,
    archive_ratio=100,
    items=100,
    rows=400,
    pixels=10**6,
    memory_bytes=2**30,
    cpu_seconds=10,
)


@pytest.mark.parametrize(
    ("names", "modality"),
    [
        (["IMDB Dataset.csv"], "text"),
        (["README.md", "train.csv", "test.csv", "vocabulary.bin"], "text"),
        (["aclImdb/train/pos/1.txt", "aclImdb/imdb.vocab"], "text"),
        (["labels/a.txt", "labels/b.txt", "labels/c.txt", "images/a.png"], "image"),
        (["labels.csv", "1", "2"], "image"),
        (["train.npy", "labels.csv"], "embedding"),
        (["data/train-00000.parquet", "README.md"], "text"),
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_the_files_of_an_archive_tell_what_it_holds(
    names: list[str], modality: str, pack: Callable[..., bytes], tmp_path: Path
) -> None:
    path = tmp_path / ("a.zip" if pack is zipped else "a.tar")
    path.write_bytes(pack(dict.fromkeys(names, b"x")))
    uploads = [Uploaded("1", path.name, str(path), path.stat().st_size, "0" * 64)]

    assert modality_of_uploads("auto", uploads, lambda upload: path, LIMITS) == modality
    assert modality_of_data(path) == modality


def test_an_archive_that_cannot_be_read_holds_pictures_until_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\3\4")
    uploads = [Uploaded("1", path.name, str(path), 4, "0" * 64)]

    assert modality_of_uploads("auto", uploads, lambda upload: path, LIMITS) == "image"


@pytest.mark.parametrize("beside", [".DS_Store", "desktop.ini", "__MACOSX/._reviews.csv"])
def test_what_systems_leave_beside_texts_makes_no_pictures_of_them(beside: str) -> None:
    uploads = [Uploaded(name, name, name, 1, "0" * 64) for name in ("reviews.csv", beside)]

    def nowhere(upload: Uploaded) -> Path:
        raise AssertionError(upload)

    assert modality_of_uploads("auto", uploads, nowhere, None) == "text"
