"""Finding pictures by the names that files of labels give them."""

from __future__ import annotations

import tracemalloc

import pytest

from pouf_core.data.labels.picture_names import Occurrence, PictureNames

_PATHS = ("train/cats/1.png", "test/cats/1.png", "train/dogs/1.png", "a/Straße.JPG", "b.png", "ab.png", "a/b/c.png")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("1.png", None),
        ("cats/1.png", None),
        ("dogs/1.png", "train/dogs/1.png"),
        ("ogs/1.png", None),
        ("test/cats/1.png", "test/cats/1.png"),
        ("elsewhere/b.png", "b.png"),
        ("B", "b.png"),
        ("STRASSE.jpg", "a/Straße.JPG"),
        ("x/a/b/c.gif", "a/b/c.png"),
        ("0a1b2c3d-ab.png", "ab.png"),
        ("missing.png", None),
    ],
)
def test_a_picture_is_found_by_the_only_path_that_ends_so(name: str, meant: str | None) -> None:
    names = PictureNames(Occurrence("zip", tuple(path.split("/")), path) for path in _PATHS)

    assert names.find("zip", ("labels",), tuple(name.split("/"))) == meant


def test_the_same_picture_at_several_paths_is_one() -> None:
    paths = (("a", "1.png", "x"), ("b", "1.png", "x"), ("b", "2.png", "x"), ("c", "2.png", "y"))
    names = PictureNames(Occurrence("zip", (folder, file), sha256) for folder, file, sha256 in paths)

    assert names.find("zip", (), ("1.png",)) == "x"
    assert names.find("zip", (), ("2.png",)) is None


def test_deep_folders_take_memory_in_proportion_to_their_paths() -> None:
    occurrences = [Occurrence("zip", (*("d",) * 500, f"{number}.png"), str(number)) for number in range(20)]

    def most() -> int:
        names = PictureNames(occurrences)
        tracemalloc.start()
        assert names.find("zip", (), ("7.PNG",)) == "7"
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert min(most() for _ in range(3)) < 2 * 2**20  # threads that other tests have left may take some, too
