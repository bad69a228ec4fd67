"""What stands for `python:3.11-slim-trixie` where no image registry is reached: Debian trixie with a Python by apt.

trixie's own Python is 3.13. The 3.11 is bookworm's, whose libraries trixie provides under the same names.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.images.buildah import Buildah, run_quietly

PYTHON = "3.11"
SUITE, SUITE_OF_PYTHON = "trixie", "bookworm"
NAME = f"docker.io/library/python:{PYTHON}-slim-{SUITE}"
PREFERENCES = f"""\
Package: python3* libpython3*
Pin: release n={SUITE_OF_PYTHON}
Pin-Priority: 990

Package: *
Pin: release n={SUITE_OF_PYTHON}
Pin-Priority: 100
"""


def import_base_image(buildah: Buildah, folder: Path, log: Path) -> None:
    """Make the image `NAME` from Debian's packages."""
    root = folder / "debian"
    run_quietly(["debootstrap", "--variant=minbase", SUITE, str(root)], log)
    sources = root / "etc/apt/sources.list"
    mirror = sources.read_text().split()[1]
    with sources.open("a") as lines:
        lines.write(f"deb {mirror} {SUITE_OF_PYTHON} main\n")
    (root / "etc/apt/preferences.d/python").write_text(PREFERENCES)
    in_root = ["chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive"]
    run_quietly([*in_root, "apt-get", "update"], log)
    packages = ["ca-certificates", "netbase", "tzdata", f"python{PYTHON}", f"python{PYTHON}-venv"]
    run_quietly([*in_root, "apt-get", "install", "-y", "--no-install-recommends", *packages], log)
    (root / "usr/bin/python").symlink_to(f"python{PYTHON}")
    for rest in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / rest)
        (root / rest).mkdir()
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, root, "/")
    buildah("commit", "--quiet", "--rm", container, NAME)
    shutil.rmtree(root)
