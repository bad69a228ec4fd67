import shutil
from pathlib import Path

import pytest

IMAGES = Path(__file__).parent.parent.parent / "examples" / "clipart" / "images"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pictures")
    for path in sorted(IMAGES.iterdir())[:6]:
        shutil.copy(path, made)
    return made
