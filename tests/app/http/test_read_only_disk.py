"""A data directory whose disk cannot be written to any more, as Linux makes it after errors of the disk."""

import subprocess

import pytest

from tests.chaos.disk import can_mount, small_disk

pytestmark = pytest.mark.skipif(not can_mount(), reason="only root may mount a disk, and only on Linux")


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 64) as disk:
        yield disk.root


@pytest.fixture
def settings(settings, disk):
    return settings.model_copy(update={"data_dir": disk, "storage_url": f"file://{disk / 'storage'}"})


def remount(disk, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_what_writes_is_told_to_come_again_and_what_reads_is_answered(api, rows, disk, picture, refused):
    dataset_id, job_id = rows.dataset("uploading"), rows.job()
    form = {"files": ("a.png", picture())}
    remount(disk, "ro")
    refused(api.post("/v1/datasets", files=form), 503, "machine_unavailable")
    refused(api.put(f"/v1/datasets/{dataset_id}/archive", content=b"PK"), 503, "machine_unavailable")
    assert api.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"
    assert api.get("/health/ready").json()["checks"]["storage"]["ok"] is False
    remount(disk, "rw")
    assert api.post("/v1/datasets", files=form).status_code == 202
