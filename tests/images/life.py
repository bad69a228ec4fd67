"""One life of the service in its images: started, a job to a prediction, a backup, stopped."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from cli.addresses import why_not_ready
from pouf_client import Client
from tests.images.buildah import Buildah
from tests.images.stack import SERVICES, URL, VARIABLES, ImageStack, image_stack
from tests.integration import compose
from tests.waiting import wait_for

PICTURES = compose.ROOT / "examples" / "clipart" / "images"
CLASSES = ["computer", "smiley face"]
SMILEY = PICTURES / "00fdfebaa3e3.jpg"
CHECKED = ("ingest", "notify")
BACKUP = "backups/first"


def live(stack: ImageStack) -> dict[str, float]:
    """Seconds of each part."""
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def note(part: str) -> None:
        nonlocal began
        seconds[part] = round(time.monotonic() - began, 1)
        began = time.monotonic()

    wait_for(
        lambda: why_not_ready(URL) is None, lambda: f"not ready: {why_not_ready(URL)}\n{stack.log('api')}", seconds=240
    )
    note("until_ready")
    with Client(URL, VARIABLES["POUF_BOOTSTRAP_KEY"]) as client:
        dataset = client.datasets.create(sorted(PICTURES.glob("*.jpg"))[:64], name="images", wait=True)
        note("upload")
        job = client.jobs.wait(client.jobs.create(dataset.id, CLASSES).id)
        note("job")
        label = client.predict([SMILEY], job.model_id).items[0].label
        assert label == "smiley face", label
        note("prediction")
    for name in CHECKED:
        stack.check(name)
    note("health_checks")
    stack.run("api", ["pouf", "backup", f"/data/{BACKUP}"])
    manifest = json.loads((stack.volume / BACKUP / "manifest.json").read_text())
    assert any("adapter.safetensors" in str(file) for file in manifest["files"]), manifest
    note("backup")
    stack.stop()
    note("stop")
    return seconds


def main() -> int:
    """`python -m tests.images.life FOLDER` with the folder in which the images were built."""
    root = Path(sys.argv[1])
    folder = root / "life"
    folder.mkdir()
    with image_stack(Buildah(root), folder) as stack:
        try:
            seconds = live(stack)
        except BaseException:
            for name in SERVICES:
                sys.stderr.write(f"--- {name}\n{stack.log(name)}\n")
            raise
    sys.stdout.write(json.dumps(seconds) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
