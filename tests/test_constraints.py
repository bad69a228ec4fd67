"""The pinned versions."""

import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent


def test_every_pinned_version_installs_on_the_oldest_python_that_is_said_to_do():
    """Debian 12 has Python 3.11.2."""
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    needs = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, equals, _ = line.partition("==")
        try:
            wanted = metadata(name).get("Requires-Python") if equals else None
        except PackageNotFoundError:  # on another system
            continue
        if wanted and not SpecifierSet(wanted).contains(f"{oldest}.0"):
            needs[name] = wanted
    assert needs == {}
