"""Features on this machine's disk, by owner."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from pouf_core.contract.feature_files import new_file_name
from store.clock import utcnow
from store.feature_files import forget_all, forget_deleted, forget_owner, owner_directory
from store.tables import Dataset


def features_of(root: Path, owner: str) -> Path:
    path = owner_directory(root, owner) / "encoder" / new_file_name()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"features")
    path.with_suffix(".index").write_bytes(b"index")
    return path


def test_an_owner_is_no_part_of_a_path(tmp_path: Path) -> None:
    for owner in ("../../etc", "a/b", "", "x" * 5000, "birds"):
        directory = owner_directory(tmp_path, owner)
        assert directory.parent == tmp_path
        assert len(directory.name) == 32
        assert os.sep not in directory.name
    assert owner_directory(tmp_path, "birds") != owner_directory(tmp_path, "boats")


def test_one_owners_features_go_and_those_of_others_stay(tmp_path: Path) -> None:
    mine, other = features_of(tmp_path, "birds"), features_of(tmp_path, "boats")
    forget_owner(tmp_path, "birds")
    assert (mine.exists(), other.exists()) == (False, True)
    assert forget_all(tmp_path)
    assert not other.exists()
    assert not forget_all(tmp_path)


def test_a_deletion_that_another_machine_was_asked_for_is_made_up_for(tmp_path: Path, database: Any, rows: Any) -> None:
    before, other = features_of(tmp_path, "local"), features_of(tmp_path, "boats")
    dataset_id = rows.dataset()
    forget_deleted(database, tmp_path)
    assert before.exists()
    with database.write() as session:
        session.get_one(Dataset, dataset_id).deleted_at = utcnow()
    after = features_of(tmp_path, "local")
    forget_deleted(database, tmp_path)
    assert (before.exists(), after.exists(), other.exists()) == (False, True, True)
    assert not before.with_suffix(".index").exists()
    with database.write() as session:
        session.get_one(Dataset, dataset_id).deleted_at = utcnow() + timedelta(seconds=1)
    forget_deleted(database, tmp_path)
    assert not after.exists()
