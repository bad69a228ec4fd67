import pytest

from store.storage import Storage


@pytest.fixture(params=["file", "memory", "s3"])
def storage(request, tmp_path):
    if request.param == "s3":
        return Storage(request.getfixturevalue("s3_url"), tmp_path / "cache")
    url = f"file://{tmp_path}/root" if request.param == "file" else f"memory://{tmp_path}"
    return Storage(url, tmp_path / "cache")


def read(storage, key):
    with storage.open(key) as stream:
        return stream.read()


def test_what_is_put_can_be_read(storage, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"content")
    storage.put_file("a/b/file", source)
    storage.put_stream("a/stream", [b"12", b"34"])
    assert read(storage, "a/b/file") == storage.local("a/b/file").read_bytes() == b"content"
    assert read(storage, "a/stream") == b"1234"
    assert source.exists()


def test_a_moved_file_is_gone(storage, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"content")
    storage.put_file("moved", source, move=True)
    assert not source.exists()
    assert read(storage, "moved") == b"content"


def test_directories_come_back_whole(storage, tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "one").write_bytes(b"1")
    (folder / "deep/two").write_bytes(b"2")
    storage.put_directory("models/m", folder)
    local = storage.local_directory("models/m")
    assert {p.relative_to(local).as_posix(): p.read_bytes() for p in local.rglob("*") if p.is_file()} == {
        "one": b"1",
        "deep/two": b"2",
    }
    assert storage.local_directory("models/m") == local


def test_deleted_files_and_directories_are_gone(storage):
    storage.put_stream("d/one", [b"1"])
    storage.local("d/one")
    storage.delete("d")
    storage.delete("d")
    assert not storage.exists("d/one")
    with pytest.raises(FileNotFoundError):
        storage.local("d/one")
    with pytest.raises(FileNotFoundError):
        storage.local_directory("d")


def test_names_and_files_are_those_that_other_processes_see(storage, tmp_path):
    assert storage.names("d") == []
    assert list(storage.files("d")) == []
    storage.ping()
    storage.put_stream("d/a/one", [b"1"])
    assert storage.names("d") == ["a"]
    storage.put_stream("d/b/two", [b"22"])
    assert storage.names("d") == ["a", "b"]
    assert sorted((file.key, file.size) for file in storage.files("d")) == [("d/a/one", 1), ("d/b/two", 2)]
    storage.copy_out("d/b/two", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"22"
    storage.delete("d/a")
    assert storage.names("d") == ["b"]


@pytest.mark.parametrize("key", ["../escape", "a/../../b", "/absolute", ""])
def test_keys_cannot_leave_the_storage(storage, key):
    with pytest.raises(ValueError, match="not a storage key"):
        storage.put_stream(key, [b""])


def test_an_interrupted_write_leaves_nothing(tmp_path):
    storage = Storage(f"file://{tmp_path}/root")

    def chunks():
        yield b"half"
        raise OSError("disk")

    storage.put_stream("kept/file", [b"old"])
    with pytest.raises(OSError, match="disk"):
        storage.put_stream("kept/file", chunks())
    assert read(storage, "kept/file") == b"old"
    assert [path.name for path in (tmp_path / "root/kept").iterdir()] == ["file"]
