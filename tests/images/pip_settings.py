"""This machine's settings of pip, for builds: an index, certificates and wheels that lie on its disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit


def pip_settings() -> dict[str, str]:
    """What pip is told here by files and variables, by name; a variable wins over a file."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True, check=True
    )
    settings: dict[str, str] = {}
    for line in sorted(done.stdout.splitlines(), key=lambda line: line.startswith(":env:")):
        name, value = line.split("=", 1)
        place, _, option = name.rpartition(".")
        if place in ("global", ":env:"):
            settings[option] = value.strip("'")
    return settings


def write_pip_settings(folder: Path) -> dict[Path, str]:
    """Write them into a file under `folder`; returns what to mount where: the file and the paths that it names."""
    settings = pip_settings()
    file = folder / "pip.conf"
    file.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    named = {urlsplit(word).path for value in settings.values() for word in value.split()}
    paths = {Path(name) for name in named if name.startswith("/") and Path(name).exists()}
    # An index in folders links to files beside them.
    mounted = {path.parent if path.name == "simple" else path for path in paths}
    return {file: "/etc/pip.conf", **{path: str(path) for path in mounted}}
