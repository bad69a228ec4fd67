"""Archives: what is read, what is refused and why."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pouf_core.data.decoder import Decoder
from pouf_core.errors import InvalidInput
from store.tables import Dataset
from tests.corpus.labels import picture
from tests.worker.ingestion.archive_files import rejections, tarred, zipped
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

Picture = Callable[..., bytes]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_links_and_devices_are_refused(
    mode: str, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    link, hard, device, directory = (tarfile.TarInfo(name) for name in ("link.png", "hard.png", "dev.png", "folder"))
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    hard.type, hard.linkname = tarfile.LNKTYPE, "./good.png"
    device.type, directory.type = tarfile.CHRTYPE, tarfile.DIRTYPE
    archive = tarred({"./good.png": make_picture(1)}, mode, [link, hard, device, directory])

    dataset_id = add_dataset({"pictures": archive})
    run_ingestion(context, dataset_id)

    assert get(Dataset, dataset_id).item_count == 1
    assert rejections(items_of(dataset_id)) == {
        "link.png": "link_member",
        "hard.png": "link_member",
        "dev.png": "special_member",
    }


def test_zip_symlink_is_refused(context: WorkerContext, add_dataset: Any, items_of: Any, make_picture: Picture) -> None:
    stream = io.BytesIO(zipped({"good.png": make_picture(1)}))
    with zipfile.ZipFile(stream, "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    dataset_id = add_dataset({"pictures.zip": stream.getvalue()})
    run_ingestion(context, dataset_id)
    assert rejections(items_of(dataset_id)) == {"link.png": "link_member"}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="truncated"),
        pytest.param(lambda data: data[:40] + b"\xff" * (len(data) - 40), id="overwritten"),
        pytest.param(lambda data: data[:4], id="only its mark"),
    ],
)
@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_damaged_archive_is_refused_and_fails_a_dataset_without_other_pictures(
    damage: Callable[[bytes], bytes],
    form: str,
    context: WorkerContext,
    add_dataset: Any,
    get: Any,
    items_of: Any,
    make_picture: Picture,
) -> None:
    members = {"noise.png": make_picture(1, size=200)}
    whole = {"zip": zipped, "tar": tarred, "tar.gz": lambda m: tarred(m, "w:gz")}[form](members)
    if form == "tar":
        whole = whole[: 512 + len(members["noise.png"])]  # header and content without the padding
    name = f"pictures.{form}"
    dataset_id = add_dataset({name: damage(whole)})

    run_ingestion(context, dataset_id)

    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.error_code) == ("failed", "no_usable_items")
    assert rejections(items_of(dataset_id))[name] == "archive_corrupt"
    assert dataset.rejected_count == len(items_of(dataset_id, "rejected"))


def test_what_came_before_the_damage_is_kept(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    whole = tarred({f"{seed}.png": make_picture(seed, size=300) for seed in range(6)})
    dataset_id = add_dataset({"pictures.tar": whole[:3000]})
    run_ingestion(context, dataset_id)
    assert 0 < get(Dataset, dataset_id).item_count < 6
    assert rejections(items_of(dataset_id)) == {"pictures.tar": "archive_corrupt"}


def test_damage_inside_a_zip_rejects_only_its_member(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    data = bytearray(zipped({"first.png": make_picture(1, size=300), "second.png": make_picture(2)}))
    data[60:70] = b"\0" * 10
    dataset_id = add_dataset({"pictures.zip": bytes(data)})
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).item_count == 1
    assert rejections(items_of(dataset_id)) == {"first.png": "member_corrupt"}


def test_a_zip_that_lacks_its_beginning_is_refused_member_by_member(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    data = zipped({"first.png": make_picture(1), "second.png": make_picture(2)})
    dataset_id = add_dataset({"pictures.zip": data[20:], "good.png": make_picture(3)})
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "ready"
    assert rejections(items_of(dataset_id)).get("first.png") == "member_corrupt"


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_decompression_bomb_ends_the_archive(
    form: str, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    zeros = bytes(9 * 1024**2)
    members = {"good.png": make_picture(1)} | {f"zeros{index}.png": zeros for index in range(4)}
    archive = zipped(members) if form == "zip" else tarred(members, "w:gz")
    dataset_id = add_dataset({f"bomb.{form}": archive})
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).item_count == 1
    assert rejections(items_of(dataset_id))[f"bomb.{form}"] == "archive_ratio_exceeded"


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_limits_on_entries_and_item_bytes(
    form: str, make_context: Any, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    pack = zipped if form == "zip" else tarred
    large = pack({"large.png": b"x" * 5001, "good.png": make_picture(1)})
    many = pack({f"{seed}.png": make_picture(seed) for seed in range(5)})
    context = make_context(max_item_bytes=5000, max_archive_entries=4)
    dataset_id = add_dataset({"large": large, "many": many, "loose.png": b"x" * 5001})
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "ready"
    assert rejections(items_of(dataset_id)) == {
        "large.png": "item_too_large",
        "many": "archive_too_many_entries",
        "loose.png": "item_too_large",
    }


def test_other_archives_are_refused(
    context: WorkerContext, add_dataset: Any, items_of: Any, make_picture: Picture
) -> None:
    files = {"good.png": make_picture(1), "pictures.7z": b"7z\xbc\xaf\x27\x1c rest", "one.png.gz": gzip.compress(b"x")}
    dataset_id = add_dataset(files)
    run_ingestion(context, dataset_id)
    assert rejections(items_of(dataset_id)) == {"pictures.7z": "unsupported_archive", "one.png": "undecodable_image"}


def test_names_that_are_not_utf8_are_stored_readably(
    context: WorkerContext, add_dataset: Any, items_of: Any, make_picture: Picture
) -> None:
    info_name = b"caf\xe9/caf\xe9.png".decode("utf-8", "surrogateescape")
    dataset_id = add_dataset({"pictures.tar": tarred({info_name: make_picture(1), "b/x.png": make_picture(2)})})
    run_ingestion(context, dataset_id)
    accepted = items_of(dataset_id, "accepted")
    assert accepted[0].name == "caf\ufffd/caf\ufffd.png"
    assert accepted[0].label == "caf\ufffd"


def test_files_of_systems_are_counted_and_no_loss(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    archive = zipped({"a.jpg": make_picture(1), "__MACOSX/._a.jpg": b"x", ".old/b.jpg": make_picture(2), "a.mov": b"x"})
    dataset_id = add_dataset({"a.zip": archive, "Thumbs.db": b"x", "c.xmp": b"x"})
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert dataset.skipped == {"system_file": 2, "hidden_file": 1, "sidecar": 2}
    assert (dataset.item_count, dataset.rejected_count, dataset.warnings) == (1, 0, [])


def test_a_packed_file_of_texts_is_read_and_leaves_nothing_behind(
    context: WorkerContext, add_dataset: Any, get: Any
) -> None:
    files = {"a.csv.gz": gzip.compress(b"text,label\none fine day,x\n"), "b.txt.xz": lzma.compress(b"one line\ntwo\n")}
    dataset_id = add_dataset(files, modality="auto")
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.modality, dataset.item_count, dataset.labelled_count) == ("text", 3, 1)
    assert [reading["file"] for reading in dataset.readings] == ["a.csv", "b.txt"]
    assert not any(context.settings.staging_dir.iterdir())


def test_uploads_whose_files_take_all_their_time_are_left_unread(
    context: WorkerContext, add_dataset: Any, items_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(*_: object) -> None:
        raise InvalidInput("decoding_timed_out", "It takes too long.")

    monkeypatch.setattr(Decoder, "check", check)
    files = {f"{number}.png": picture(number) for number in range(15)}
    dataset_id = add_dataset({"a.zip": zipped(files), "b.png": picture(20)})
    run_ingestion(context, dataset_id)
    codes = Counter(item.code for item in items_of(dataset_id))
    assert codes == {"decoding_timed_out": 10, "uploads_too_slow": 2}
