"""What uploads hold where nobody says it."""

from pathlib import Path

import pytest

from pouf_core.data.uploads.collectors import modality_of_uploads
from pouf_core.data.uploads.keeper import Uploaded


@pytest.mark.parametrize("beside", [".DS_Store", "desktop.ini", "__MACOSX/._reviews.csv"])
def test_what_systems_leave_beside_texts_makes_no_pictures_of_them(beside: str) -> None:
    uploads = [Uploaded(name, name, name, 1, "0" * 64) for name in ("reviews.csv", beside)]

    def nowhere(upload: Uploaded) -> Path:
        raise AssertionError(upload)

    assert modality_of_uploads("auto", uploads, nowhere, None) == "text"
