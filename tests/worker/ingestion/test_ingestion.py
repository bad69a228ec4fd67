"""Ingestion of whole datasets: what is kept, what is refused and why, and what survives a killed worker."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pouf_core.data.items import collect_items, fingerprint
from store.clock import utcnow
from store.leases import claim_dataset
from store.tables import Dataset, Job, OutboxMessage
from worker.ingestion.run import run_ingestion
from worker.process_context import WorkerContext

Picture = Callable[..., bytes]


def zipped(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(members: Mapping[str, bytes], mode: str = "w", extra: list[tarfile.TarInfo] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra or []:
            archive.addfile(info)
    return stream.getvalue()


def giant_png(width: int = 100_000, height: int = 100_000) -> bytes:
    """A few bytes that claim ten thousand megapixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def rejections(items: list[Any]) -> dict[str, str]:
    return {item.name: item.code for item in items if item.status == "rejected"}


def test_keeps_good_pictures_and_says_why_the_others_are_refused(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    members = {
        "a/one.png": make_picture(1),
        "a/jpeg-by-content.png": make_picture(2, kind="JPEG"),
        "b/three.gif": make_picture(3, kind="GIF"),
        "b/again.png": make_picture(1),
        "b/empty.png": b"",
        "b/broken.png": make_picture(4)[:60],
        "b/giant.png": giant_png(),
        "b/text.jpg": b"not a picture",
        "b/inner.zip": zipped({"x.png": make_picture(5)}),
        "b/inner-in-disguise.png": zipped({"x.png": make_picture(5)}),
        "../escape.png": make_picture(6),
        "/absolute.png": make_picture(7),
        "C:\\windows.png": make_picture(8),
        "a\\..\\..\\climb.png": make_picture(9),
        "__MACOSX/a/._one.png": b"fork",
        ".hidden/secret.png": make_picture(10),
        "b/Thumbs.db": b"thumbs",
        "b/.DS_Store": b"store",
    }
    dataset_id = add_dataset({"pictures.zip": zipped(members)})

    run_ingestion(context, dataset_id)

    dataset = get(Dataset, dataset_id)
    assert dataset.status == "ready"
    assert (dataset.item_count, dataset.duplicate_count) == (3, 1)
    items = items_of(dataset_id)
    assert rejections(items) == {
        "b/empty.png": "empty_file",
        "b/broken.png": "undecodable_image",
        "b/giant.png": "image_too_large",
        "b/text.jpg": "undecodable_image",
        "b/inner.zip": "nested_archive",
        "b/inner-in-disguise.png": "nested_archive",
        "../escape.png": "unsafe_member_name",
        "/absolute.png": "unsafe_member_name",
        "C:\\windows.png": "unsafe_member_name",
        "a\\..\\..\\climb.png": "unsafe_member_name",
    }
    assert dataset.rejected_count == 10
    assert all(item.message for item in items if item.status == "rejected")
    assert not any("MACOSX" in item.name or "hidden" in item.name or "humbs" in item.name for item in items)
    for item in items_of(dataset_id, "accepted"):
        assert context.storage.local(item.storage_key).stat().st_size == item.size


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


def test_too_many_pictures_fail_the_dataset(
    make_context: Any, add_dataset: Any, get: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({f"{seed}.png": make_picture(seed) for seed in range(4)})
    run_ingestion(make_context(max_items=3), dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.error_code) == ("failed", "too_many_items")


def test_other_archives_are_refused(
    context: WorkerContext, add_dataset: Any, items_of: Any, make_picture: Picture
) -> None:
    files = {"good.png": make_picture(1), "pictures.7z": b"7z\xbc\xaf\x27\x1c rest", "one.png.gz": gzip.compress(b"x")}
    dataset_id = add_dataset(files)
    run_ingestion(context, dataset_id)
    assert rejections(items_of(dataset_id)) == {"pictures.7z": "unsupported_archive", "one.png.gz": "archive_corrupt"}


def test_names_that_are_not_utf8_are_stored_readably(
    context: WorkerContext, add_dataset: Any, items_of: Any, make_picture: Picture
) -> None:
    info_name = b"caf\xe9/caf\xe9.png".decode("utf-8", "surrogateescape")
    dataset_id = add_dataset({"pictures.tar": tarred({info_name: make_picture(1), "b/x.png": make_picture(2)})})
    run_ingestion(context, dataset_id)
    accepted = items_of(dataset_id, "accepted")
    assert accepted[0].name == "caf\ufffd/caf\ufffd.png"
    assert accepted[0].label == "caf\ufffd"


def test_directories_below_a_wrapping_one_are_labels(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    members = {f"pictures/data/{'cat' if seed % 2 else 'dog'}/{seed}.png": make_picture(seed) for seed in range(4)}
    dataset_id = add_dataset({"pictures.zip": zipped(members), "loose.png": make_picture(9)})
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert dataset.suggested_class_names == ["cat", "dog"]
    assert dataset.labelled_count == 4
    assert {item.name: item.label for item in items_of(dataset_id, "accepted")} == {
        **{name: name.split("/")[2] for name in members},
        "loose.png": None,
    }


def test_a_single_directory_is_no_label(
    context: WorkerContext, add_dataset: Any, get: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset(
        {"pictures.zip": zipped({f"pictures/{seed}.png": make_picture(seed) for seed in range(3)})}
    )
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.labelled_count, dataset.suggested_class_names) == (0, [])


@pytest.mark.parametrize("inside", [True, False])
def test_a_labels_table_takes_precedence_over_directories(
    inside: bool, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    table = "\ufefffile,label,note\nimages/1.png,cat,x\n./images/2.png,dog\nmissing.png,cow\n3.png,\n".encode()
    members = {f"images/{seed}.png": make_picture(seed) for seed in (1, 2, 3)}
    files = (
        {"pictures.zip": zipped(members | {"labels.csv": table})}
        if inside
        else {
            "labels.csv": table,
            "pictures.zip": zipped(members),
        }
    )
    dataset_id = add_dataset(files)
    run_ingestion(context, dataset_id)
    dataset = get(Dataset, dataset_id)
    assert (dataset.item_count, dataset.rejected_count, dataset.labelled_count) == (3, 0, 2)
    assert [item.label for item in items_of(dataset_id, "accepted")] == ["cat", "dog", None]
    assert dataset.suggested_class_names == ["cat", "dog"]


@pytest.mark.parametrize("table", [b"name,class\na.png,cat\n", b"file,label\n\xff\xfe\n", b""])
def test_unreadable_labels_table_is_refused(
    table: bytes, context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({"a.png": make_picture(1), "labels.csv": table})
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).status == "ready"
    assert rejections(items_of(dataset_id)) == {"labels.csv": "labels_unreadable"}


def test_contradicting_labels_are_dropped_and_shown(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    members = {"cat/1.png": make_picture(1), "dog/1.png": make_picture(1), "dog/2.png": make_picture(2)}
    dataset_id = add_dataset({"pictures.zip": zipped(members)})
    run_ingestion(context, dataset_id)
    first, second = items_of(dataset_id, "accepted")
    assert (first.label, first.code) == (None, "conflicting_labels")
    assert (second.label, second.code) == ("dog", None)
    assert get(Dataset, dataset_id).labelled_count == 1


def test_fingerprint_is_that_of_the_contents_alone(
    context: WorkerContext, add_dataset: Any, get: Any, make_picture: Picture, tmp_path: Any
) -> None:
    pictures = [make_picture(seed) for seed in range(4)]
    one = add_dataset({"pictures.zip": zipped({f"cat/{i}.png": data for i, data in enumerate(pictures)})})
    other = add_dataset({f"picture{i}.png": data for i, data in reversed(list(enumerate(pictures)))})
    for dataset_id in (one, other):
        run_ingestion(context, dataset_id)
    assert get(Dataset, one).fingerprint == get(Dataset, other).fingerprint
    folder = tmp_path / "folder"
    folder.mkdir()
    for index, data in enumerate(pictures):
        (folder / f"{index}.png").write_bytes(data)
    assert get(Dataset, one).fingerprint == fingerprint(collect_items(folder)[0])


def test_duplicate_delivery_does_nothing(
    context: WorkerContext, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({"a.png": make_picture(1)})
    run_ingestion(context, dataset_id)
    before = get(Dataset, dataset_id).updated_at
    run_ingestion(context, dataset_id)
    assert get(Dataset, dataset_id).updated_at == before
    assert len(items_of(dataset_id)) == 1


def test_ingestion_that_was_killed_half_way_starts_again_without_duplicates(
    make_context: Any, add_dataset: Any, get: Any, items_of: Any, make_picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.ingestion.item_rows.FLUSH_ROWS", 1)
    dataset_id = add_dataset({f"{seed}.png": make_picture(seed) for seed in range(5)})
    calls = iter([False, False, False, True])
    run_ingestion(make_context("first"), dataset_id, shutdown_requested=lambda: next(calls))
    assert get(Dataset, dataset_id).status == "ingesting"
    assert len(items_of(dataset_id)) > 0

    run_ingestion(make_context("second"), dataset_id)

    assert get(Dataset, dataset_id).item_count == 5
    assert len(items_of(dataset_id)) == 5


def test_shutdown_gives_the_dataset_back(
    context: WorkerContext, add_dataset: Any, get: Any, outbox: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({f"{seed}.png": make_picture(seed) for seed in range(3)})
    calls = iter([False, True])
    run_ingestion(context, dataset_id, shutdown_requested=lambda: next(calls))
    dataset = get(Dataset, dataset_id)
    assert (dataset.status, dataset.lease_owner, dataset.fence) == ("ingesting", None, 0)
    assert outbox() == [("pouf.ingest", {"dataset_id": dataset_id})]


def test_deleted_during_ingestion_leaves_no_pictures_behind(
    context: WorkerContext, add_dataset: Any, database: Any, make_picture: Picture
) -> None:
    archive = zipped({f"{seed}.png": make_picture(seed) for seed in range(3)})
    dataset_id = add_dataset({"pictures.zip": archive})

    def delete_meanwhile() -> bool:
        with database.write() as session:
            dataset = session.get(Dataset, dataset_id)
            dataset.deleted_at = utcnow()
            dataset.fence += 1
            dataset.lease_owner = dataset.lease_expires_at = None
        return False

    asked = iter([lambda: False, delete_meanwhile])
    run_ingestion(context, dataset_id, shutdown_requested=lambda: next(asked, lambda: False)())
    assert not context.storage.exists(f"datasets/{dataset_id}")
    with database.write() as session:
        assert claim_dataset(session, dataset_id, "other", utcnow(), 60) is None


def test_waiting_jobs_are_woken_when_the_dataset_is_ready(
    context: WorkerContext, add_dataset: Any, add_job: Any, broker: Any, make_picture: Picture
) -> None:
    dataset_id = add_dataset({"a.png": make_picture(1)})
    jobs = [add_job(dataset_id) for _ in range(2)]
    run_ingestion(context, dataset_id)
    assert broker.sent == [("pouf.train", "train", {"job_id": job_id}) for job_id in jobs]


def test_waiting_jobs_fail_with_the_dataset(
    context: WorkerContext, add_dataset: Any, add_job: Any, get: Any, database: Any
) -> None:
    dataset_id = add_dataset({"a.png": b"nothing"})
    job_id = add_job(dataset_id)
    run_ingestion(context, dataset_id)
    job = get(Job, job_id)
    assert (job.status, job.error_code) == ("failed", "dataset_failed")
    with database.read() as session:
        assert session.query(OutboxMessage).count() == 0
