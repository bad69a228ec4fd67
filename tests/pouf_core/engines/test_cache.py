"""Converted models on disk."""

import os
import stat

import pytest

from pouf_core.engines.cache import ConvertedModels


def writing(content):
    return lambda folder: (folder / "model").write_bytes(content)


def test_what_was_written_is_found_by_its_key(tmp_path):
    models = ConvertedModels(tmp_path / "engines")
    assert models.get("a") is None
    assert (models.put("a", writing(b"one")) / "model").read_bytes() == b"one"
    assert (ConvertedModels(tmp_path / "engines").get("a") / "model").read_bytes() == b"one"
    assert models.get("b") is None


def test_nobody_else_may_read_or_write_it(tmp_path):
    directory = tmp_path / "engines"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    models = ConvertedModels(directory)
    folder = models.put("a", writing(b"one"))
    assert [stat.S_IMODE(path.stat().st_mode) for path in (directory, folder)] == [0o700, 0o700]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(tmp_path):
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(PermissionError):
        ConvertedModels(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model").write_bytes(b"twe"),
        lambda folder: (folder / "model").unlink(),
        lambda folder: (folder / "sha256.json").write_text("{}"),
        lambda folder: (folder / "sha256.json").unlink(),
        lambda folder: (folder / "another").write_bytes(b"file"),
    ],
)
def test_a_damaged_model_is_forgotten(tmp_path, damage):
    models = ConvertedModels(tmp_path / "engines")
    damage(models.put("a", writing(b"two")))
    assert models.get("a") is None
    assert (models.put("a", writing(b"new")) / "model").read_bytes() == b"new"


def test_a_conversion_that_fails_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "model").write_bytes(b"half")
        raise RuntimeError

    models = ConvertedModels(tmp_path / "engines")
    with pytest.raises(RuntimeError):
        models.put("a", fail)
    assert list((tmp_path / "engines").iterdir()) == []


def test_the_first_of_two_writers_wins(tmp_path):
    models = ConvertedModels(tmp_path / "engines")

    def write_late(folder):
        models.put("a", writing(b"first"))
        (folder / "model").write_bytes(b"second")

    assert (models.put("a", write_late) / "model").read_bytes() == b"first"
    assert len(list((tmp_path / "engines").iterdir())) == 1


def test_the_least_recently_used_models_make_room(tmp_path):
    models = ConvertedModels(tmp_path / "engines", max_bytes=2500)
    for age, name in enumerate(["new", "used", "old"]):
        os.utime(models.put(name, writing(bytes(700))), (1000 - age, 1000 - age))
    models.get("old")
    models.put("newest", writing(bytes(700)))
    assert {path.name for path in (tmp_path / "engines").iterdir()} == {"newest", "old", "new"}
