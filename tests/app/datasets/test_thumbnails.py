"""Small copies of pictures, to be shown."""

import hashlib
import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.main import create_app
from store.ids import new_id
from store.storage_keys import picture_key, upload_key
from store.tables import Upload
from tests.app.colour_engine import ColourEngine


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def add_picture(rows):
    """Adds a dataset with one picture; returns the path of its thumbnail."""

    def add(data: bytes, status: str = "accepted", dataset_status: str = "ready", **columns: str) -> str:
        dataset_id = rows.dataset(dataset_status, **columns)
        return f"/v1/datasets/{dataset_id}/items/{rows.picture(dataset_id, data, status)}/thumbnail"

    return add


def test_a_thumbnail_is_small_upright_and_says_nothing_of_its_picture(api, add_picture):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"  # turned by a quarter
    path = add_picture(encoded(Image.new("RGB", (1024, 512), "red"), exif=exif, comment=b"secret"))
    response = api.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    assert response.headers["cache-control"] == "private, no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    with Image.open(io.BytesIO(response.content)) as small:
        assert (small.size, small.mode, dict(small.getexif())) == ((128, 256), "RGB", {})
        assert "comment" not in small.info
        red, green, blue = small.getpixel((60, 100))
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("status", ["rejected", "duplicate"])
def test_what_is_no_accepted_picture_has_none(api, add_picture, refused, status):
    refused(api.get(add_picture(b"no picture", status)), 404, "picture_not_found")


@pytest.mark.parametrize("sha256", ["0" * 64, "x", "%00", "\N{DIGIT ONE}\u0661"])
def test_other_names_are_not_found(api, rows, refused, sha256):
    refused(api.get(f"/v1/datasets/{rows.dataset()}/items/{sha256}/thumbnail"), 404, "picture_not_found")


def test_files_that_were_uploaded_by_themselves_have_one_if_they_are_pictures(api, rows, storage, database, refused):
    dataset_id = rows.dataset()
    whole, table = encoded(Image.new("RGB", (300, 30))), b"file,label\na.png,cat\n"
    answers = []
    for data in (whole, table):
        sha256 = hashlib.sha256(data).hexdigest()
        key = upload_key(dataset_id, sha256)
        storage.put_stream(key, [data])
        columns = {"dataset_id": dataset_id, "position": 1, "filename": "a", "storage_key": key, "sha256": sha256}
        with database.write() as session:
            session.add(Upload(id=new_id("up"), size=len(data), **columns))
        answers.append(api.get(f"/v1/datasets/{dataset_id}/items/{sha256}/thumbnail"))
    assert Image.open(io.BytesIO(answers[0].content)).size == (256, 26)
    refused(answers[1], 404, "picture_not_found")


def test_a_dataset_that_is_not_ready_shows_nothing(api, add_picture, refused):
    refused(
        api.get(add_picture(encoded(Image.new("RGB", (8, 8))), dataset_status="uploading")), 404, "picture_not_found"
    )


def test_texts_have_none(api, add_picture, refused):
    refused(api.get(add_picture(b"a text", modality="text")), 404, "picture_not_found")


def test_a_deleted_dataset_has_none(api, add_picture, refused):
    path = add_picture(encoded(Image.new("RGB", (8, 8))))
    assert api.delete(path.partition("/items")[0]).status_code == 204
    refused(api.get(path), 404, "dataset_not_found")


def test_a_picture_that_is_gone_from_the_storage_is_not_found(api, add_picture, storage, refused):
    path = add_picture(encoded(Image.new("RGB", (8, 8))))
    _, _, _, dataset_id, _, sha256, _ = path.split("/")
    storage.delete(picture_key(dataset_id, sha256))
    refused(api.get(path), 404, "picture_not_found")


def test_what_a_picture_takes_is_granted_before_it_is_read(settings, add_picture, refused):
    path = add_picture(encoded(Image.effect_noise((200, 200), 90), "BMP"))
    small = settings.model_copy(update={"request_memory_bytes": 10_000})
    with TestClient(create_app(small, ColourEngine)) as client:
        refused(client.get(path), 413, "request_too_demanding")
