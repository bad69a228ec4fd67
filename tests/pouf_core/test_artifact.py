"""Artifacts whose checksums are right and whose files hold something else than they should."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pouf_core.artifact import MANIFEST, METRICS, SUMS, WEIGHTS, load_artifact
from pouf_core.errors import ArtifactError

NO_TENSORS = (2).to_bytes(8, "little") + b"{}"


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="nothing"),
        pytest.param(b'{"format": 1, "base_model": "pouf-lite"}', id="a name in place of an object"),
        pytest.param(b'{"format": 1, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="lists in lists"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
    ],
)
def test_a_manifest_that_is_none_is_told_of(tmp_path: Path, manifest: bytes) -> None:
    files = {MANIFEST: manifest, METRICS: b"[]", WEIGHTS: NO_TENSORS}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    (tmp_path / SUMS).write_text("".join(sums))
    with pytest.raises(ArtifactError) as raised:
        load_artifact(tmp_path)
    assert raised.value.code == "artifact_corrupt"


def test_checksums_that_are_no_text_are_told_of(tmp_path: Path) -> None:
    (tmp_path / SUMS).write_bytes(b"\xff\xfe")
    with pytest.raises(ArtifactError) as raised:
        load_artifact(tmp_path)
    assert raised.value.code == "artifact_corrupt"
