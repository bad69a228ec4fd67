"""What uploads hold where nobody says it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pouf_core.adaptation.embeddings import modality_of_data
from pouf_core.data.uploads.collectors import modality_of_uploads
from pouf_core.data.uploads.keeper import EndOfUpload, Uploaded
from pouf_core.data.uploads.limits import UploadLimits
from tests.corpus.archives import tarred, zipped
from tests.corpus.picture_tables import of_datasets, parquet_of, stream_of
from tests.corpus.sheets import parquet


def never() -> None:
    """A check that ends nothing."""


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
    ],
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_the_files_of_an_archive_tell_what_it_holds(
    names: list[str], modality: str, pack: Callable[..., bytes], tmp_path: Path
) -> None:
    path = tmp_path / ("a.zip" if pack is zipped else "a.tar")
    path.write_bytes(pack(dict.fromkeys(names, b"x")))
    uploads = [Uploaded("1", path.name, str(path), path.stat().st_size, "0" * 64)]

    assert modality_of_uploads("auto", uploads, lambda upload: path, LIMITS, never) == modality
    assert modality_of_data(path) == modality


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "in an archive"])
@pytest.mark.parametrize(
    ("name", "content", "modality"),
    [
        ("train-00000.parquet", parquet_of(of_datasets()), "image"),
        ("data.arrow", stream_of(of_datasets()), "image"),
        ("train-00000.parquet", parquet({"text": ["one day"]}), "text"),
    ],
)
def test_the_columns_of_a_table_tell_what_it_holds(
    name: str, content: bytes, modality: str, packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / ("a.zip" if packed else name)
    path.write_bytes(zipped({f"data/{name}": content, "README.md": b"x"}) if packed else content)
    uploads = [Uploaded("1", path.name, str(path), path.stat().st_size, "0" * 64)]

    assert modality_of_uploads("auto", uploads, lambda upload: path, LIMITS, never) == modality
    assert modality_of_data(path) == modality


def test_an_archive_that_cannot_be_read_holds_pictures_until_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\3\4")
    uploads = [Uploaded("1", path.name, str(path), 4, "0" * 64)]

    assert modality_of_uploads("auto", uploads, lambda upload: path, LIMITS, never) == "image"


class Ended(Exception):
    pass


def modality_within_five_blocks(folder: Path, names: tuple[str, ...], end: type[Exception]) -> str:
    """What a tar holds, of which five blocks may be looked at until `end`."""
    path = folder / "a.tar"
    path.write_bytes(tarred({name: bytes(10**6 if name == "large.bin" else 1) for name in names}))
    uploads = [Uploaded("1", path.name, str(path), path.stat().st_size, "0" * 64)]
    left = iter(range(5))

    def check() -> None:
        if next(left, None) is None:
            raise end

    return modality_of_uploads("auto", uploads, lambda upload: path, LIMITS, check)


def test_no_more_of_a_tar_is_looked_at_than_tells(tmp_path: Path) -> None:
    assert modality_within_five_blocks(tmp_path, ("a.png", "large.bin"), Ended) == "image"


def test_looking_at_a_tar_can_be_ended_alone_and_with_all_the_rest(tmp_path: Path) -> None:
    names = ("a.csv", "large.bin", "b", "c")  # more files without a suffix than texts
    assert modality_within_five_blocks(tmp_path, names, EndOfUpload) == "text"
    with pytest.raises(Ended):
        modality_within_five_blocks(tmp_path, names, Ended)


@pytest.mark.parametrize("beside", [".DS_Store", "desktop.ini", "__MACOSX/._reviews.csv"])
def test_what_systems_leave_beside_texts_makes_no_pictures_of_them(beside: str) -> None:
    uploads = [Uploaded(name, name, name, 1, "0" * 64) for name in ("reviews.csv", beside)]

    def nowhere(upload: Uploaded) -> Path:
        raise AssertionError(upload)

    assert modality_of_uploads("auto", uploads, nowhere, None, never) == "text"
