"""`make images`, or `python -m tests.images`: builds the images, and lets the service live in them for one job."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from tests.images.base_image import NAME, import_base_image
from tests.images.buildah import Buildah, why_no_images
from tests.images.building import IMAGES, build

#: Of an image with PyTorch for CPUs.
MOST_BYTES = 2_500_000_000


def main() -> int:
    """Print sizes and seconds; 0 when everything worked and no image is too large."""
    parser = argparse.ArgumentParser(description="Build the images, and run the service in them for one job.")
    parser.add_argument("--folder", type=Path, help="where to build (default: a temporary folder; 15 GB are needed)")
    parser.add_argument("--keep", action="store_true", help="leave the images there")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    chosen = parser.parse_args()
    if reason := why_no_images():
        sys.stdout.write(f"Skipped: {reason}.\n")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="pouf-images-", dir=chosen.folder))
    try:
        figures = measured(folder)
    finally:
        if not chosen.keep:
            shutil.rmtree(folder)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(max(figures["bytes"].values()) > MOST_BYTES)


def measured(folder: Path) -> dict[str, Any]:
    """Build, run, and tell what it took. What was built stays in `folder`."""
    buildah = Buildah(folder)
    seconds: dict[str, float] = {}
    began = time.monotonic()
    import_base_image(buildah, folder, folder / "base.log")
    seconds["base image"] = round(time.monotonic() - began, 1)
    for stage in IMAGES:
        began = time.monotonic()
        build(buildah, stage, folder)
        seconds[f"building {stage}"] = round(time.monotonic() - began, 1)
    life = [sys.executable, "-m", "tests.images.life", str(folder)]
    done = subprocess.run(["unshare", "--net", *life], stdout=subprocess.PIPE, text=True, check=True)
    return {
        "date": str(date.today()),
        "hardware": {"machine": platform.machine(), "cpus": os.cpu_count(), "load": os.getloadavg()},
        "storage": buildah.environment["STORAGE_DRIVER"],
        "bytes": {image: buildah.size(image) for image in (*IMAGES.values(), NAME)},
        "seconds": {**seconds, **json.loads(done.stdout)},
    }


if __name__ == "__main__":
    sys.exit(main())
