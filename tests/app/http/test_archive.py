import io
import os
import zipfile

from app.http.archive import BLOCK_BYTES, files_of, zip_stream


def directory(path, moment):
    contents = {"manifest.json": b"{}", "weights/deep/adapter.bin": b"w" * (2 * BLOCK_BYTES + 1)}
    for name, content in contents.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (moment, moment))
    return contents


def test_the_zip_holds_every_file_below_the_directory(tmp_path):
    contents = directory(tmp_path, 0)
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_stream(files_of(tmp_path))))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == contents


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(tmp_path):
    directory(tmp_path / "a", 10**9)
    directory(tmp_path / "b", 2 * 10**9)
    first, second = (b"".join(zip_stream(files_of(tmp_path / name))) for name in ("a", "b"))
    assert first == second


def test_no_more_than_a_block_is_held_at_a_time(tmp_path):
    directory(tmp_path, 0)
    assert max(len(block) for block in zip_stream(files_of(tmp_path))) < 1.01 * BLOCK_BYTES
