"""A disk with too little free space: new work is refused, and everything else goes on."""

import shutil

import pytest

from store import disk
from store.storage import Storage

MIB = 1024**2
GIB = 1024**3
CLASSES = ["bird", "boat"]


@pytest.fixture
def free(monkeypatch):
    """Sets how many bytes of how large a disk are free; a list is used up, one number a look."""

    def set_free(*amounts, total=100 * GIB):
        left = list(amounts)

        def usage(path):
            now = left.pop(0) if len(left) > 1 else left[0]
            return shutil._ntuple_diskusage(total, total - now, now)

        monkeypatch.setattr(disk.shutil, "disk_usage", usage)

    return set_free


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"min_free_bytes": GIB})


@pytest.fixture
def uploading(rows):
    return rows.dataset("uploading")


def files_below(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/v1/datasets", {"files": {"files": ("a.png", b"a")}}),
        ("POST", "/v1/datasets", {"files": {"files": ("a.png", b"a")}, "headers": {"Idempotency-Key": "k"}}),
        ("POST", "/v1/datasets", {"data": {"finalize": "false"}}),
        ("POST", "/v1/datasets/{uploading}/files", {"files": {"files": ("a.png", b"a")}}),
        ("PUT", "/v1/datasets/{uploading}/archive", {"content": b"PK\x03\x04"}),
        ("POST", "/v1/jobs", {"json": {"dataset_id": "{ready}", "class_names": CLASSES}}),
    ],
)
def test_below_the_floor_new_work_is_refused(api, rows, refused, free, settings, uploading, method, path, content):
    if "json" in content:
        content = {"json": content["json"] | {"dataset_id": rows.dataset()}}
    free(GIB - 1)
    problem = refused(api.request(method, path.format(uploading=uploading), **content), 507, "storage_full")
    assert "1,024 MiB must stay free" in problem["detail"] and "POUF_MIN_FREE_BYTES" in problem["detail"]
    assert files_below(settings.data_dir / "storage") == []
    assert [row["id"] for row in api.get("/v1/datasets?status=uploading").json()["data"]] == [uploading]
    assert api.get("/v1/jobs").json()["data"] == []


def test_below_the_floor_what_is_there_can_be_read_used_cancelled_and_deleted(api, rows, free, picture, uploading):
    model_id, job_id = rows.model(), rows.job()
    free(0)
    assert api.get(f"/v1/jobs/{job_id}").status_code == 200
    assert api.get(f"/v1/models/{model_id}/artifact").status_code == 200
    assert api.post(f"/v1/models/{model_id}/predict", files={"image": ("a.png", picture())}).status_code == 200
    assert api.post(f"/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    assert api.delete(f"/v1/models/{model_id}").status_code == 204
    assert api.delete(f"/v1/datasets/{uploading}").status_code == 204
    assert "0 MiB of the disk are free" in api.get("/health/ready").json()["checks"]["disk"]["reason"]
    assert 'pouf_disk_bytes{kind="floor"} 1.073741824e+09' in api.get("/metrics").text


def test_below_the_floor_a_repeated_request_gets_its_first_answer(api, rows, free):
    body = {"dataset_id": rows.dataset(), "class_names": CLASSES}
    first = api.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
    free(0)
    again = api.post("/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])


def test_an_upload_that_reaches_the_floor_is_refused_and_leaves_nothing(server, refused, free, settings):
    free(*[GIB + MIB] * 12, GIB - 1)
    refused(server.post("/v1/datasets", files={"files": ("a.png", bytes(16 * MIB))}), 507, "storage_full")
    free(2 * GIB)
    assert files_below(settings.data_dir / "storage") == files_below(settings.data_dir / "staging") == []
    assert server.get("/v1/datasets").json()["data"] == []


@pytest.mark.parametrize(
    ("chosen", "total", "floor"),
    [(None, 100 * GIB, GIB), (None, 512 * MIB, 512 * MIB // 20), (0, GIB, 0), (5 * GIB, 6 * GIB, 5 * GIB)],
)
def test_the_floor_is_the_setting_or_else_a_share_of_the_disk(settings, storage, free, chosen, total, floor):
    free(3 * MIB, total=total)
    room = disk.scarcest(settings.model_copy(update={"min_free_bytes": chosen}), storage)
    assert room == disk.Disk(free=3 * MIB, floor=floor)


def test_the_scarcest_of_the_local_disks_counts_and_no_remote_one(settings, tmp_path, monkeypatch):
    amounts = {tmp_path: 4 * GIB, tmp_path / "files": 3 * GIB, tmp_path / "rows": 2 * GIB}
    for folder in amounts:
        folder.mkdir(exist_ok=True)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9 * GIB, 0, amounts[path]))
    remote = Storage(f"memory://{tmp_path}", tmp_path / "cache")
    local = Storage(f"file://{tmp_path}/files")
    elsewhere = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/rows/pouf.db?timeout=1"})
    looks = [(settings, remote), (settings, local), (elsewhere, local)]
    assert [disk.scarcest(*look).free for look in looks] == [4 * GIB, 3 * GIB, 2 * GIB]
