"""A corpus of hostile files in one upload: each ends as documented, and nothing else suffers."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.hostile import embeddings, pictures, pngs, tars, texts, zips
from tests.worker.hostile.case import Case
from tests.worker.hostile.run import HARMLESS_COUNT, MIB, Result, Writes, ingest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="memory and limits are Linux's"),
    pytest.mark.timeout(900),
]

IMAGE_CASES = [*pngs.CASES, *pictures.CASES, *zips.CASES, *tars.CASES]
CASES = [("image", case) for case in IMAGE_CASES] + [("text", case) for case in texts.CASES]
CASES += [("embedding", case) for case in embeddings.CASES]
STORED = re.compile(
    r"storage/datasets/ds_\w+/(uploads/[0-9a-f]{64}|blobs/[0-9a-f]{2}/[0-9a-f]{64}|texts-\d+/texts.jsonl|"
    r"embeddings-\d+/embeddings.safetensors)"
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, empty_database_file: Path) -> Iterator[dict[str, Result]]:
    writes = Writes()
    found = {}
    for modality in ("image", "text", "embedding"):
        data_dir = tmp_path_factory.mktemp(modality)
        shutil.copy(empty_database_file, data_dir / "pouf.db")
        found[modality] = ingest([case for kind, case in CASES if kind == modality], modality, data_dir, writes)
    yield found


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    names = [case.name for _, case in CASES]
    assert len(names) == len(set(names)) >= 60


@pytest.mark.parametrize(("modality", "case"), [pytest.param(kind, case, id=case.name) for kind, case in CASES])
def test_every_hostile_file_ends_as_documented(results: dict[str, Result], modality: str, case: Case) -> None:
    assert results[modality].outcomes[case.name] == case.outcome


@pytest.mark.parametrize("modality", ["image", "text", "embedding"])
class TestAllAtOnce:
    def test_the_dataset_becomes_ready_with_the_harmless_files(self, results: dict[str, Result], modality: str) -> None:
        result = results[modality]
        assert result.dataset.status == "ready"
        assert result.harmless == {"accepted": HARMLESS_COUNT}
        expected = sum(case.outcome.get("accepted", 0) for kind, case in CASES if kind == modality)
        assert result.dataset.item_count == expected + HARMLESS_COUNT

    def test_memory_stays_within_a_few_files(self, results: dict[str, Result], modality: str) -> None:
        assert results[modality].peak_growth < 250 * MIB

    def test_only_the_storage_and_the_database_are_written(self, results: dict[str, Result], modality: str) -> None:
        result = results[modality]
        scratch = re.compile(r"/pouf-texts-\w+(/|$)")
        outside = [
            path
            for path in result.written
            if not path.is_relative_to(result.data_dir) and not scratch.search(str(path)) and path != Path("/dev/null")
        ]
        assert not outside

    def test_stored_files_are_named_by_their_content_and_are_plain(
        self, results: dict[str, Result], modality: str
    ) -> None:
        data_dir = results[modality].data_dir
        for path in (data_dir / "storage").rglob("*"):
            assert not path.is_symlink()
            assert path.is_dir() or (path.is_file() and STORED.fullmatch(path.relative_to(data_dir).as_posix())), path
