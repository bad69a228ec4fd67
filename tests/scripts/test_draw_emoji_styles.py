"""Which icon is which emoji, how it is drawn, and what is read of a package."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import draw_emoji_styles
import numpy as np
import pytest
from draw_emoji_styles import Drawing, IconSet, draw, read_package, slug

# The left half black; the upper left quarter black.
HALF, QUARTER = '<path d="M0 0h5v10H0z"/>', '<path d="M0 0h5v5H0z"/>'
ICONS: dict[str, Any] = {
    "prefix": "some-style",
    "width": 10,
    "height": 10,
    "icons": {"fox": {"body": HALF}, "fox-face": {"body": QUARTER}, "wide": {"body": HALF, "width": 20, "left": -5}},
    "aliases": {
        "red-fox": {"parent": "fox"},
        "fox-to-the-right": {"parent": "fox", "hFlip": True},
        "fox-to-the-left": {"parent": "fox-to-the-right", "hFlip": True},
        "turned": {"parent": "fox-face", "rotate": 1, "vFlip": True},
        "orphan": {"parent": "nobody"},
    },
}
FOX, QUARTER_FOX = Drawing(HALF, (0, 0, 10, 10)), Drawing(QUARTER, (0, 0, 10, 10))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("woman’s hat", "womans-hat"),
        ("flag U.S. Virgin Islands", "flag-us-virgin-islands"),
        ("Japanese “here” button", "japanese-here-button"),
        ("piñata", "pinata"),
        ("flag Åland & São Tomé", "flag-aland-sao-tome"),
        ("keycap *", "keycap"),
    ],
)
def test_names_are_spelled_as_iconify_does(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_code_points_come_before_the_name_and_need_no_variation_selector() -> None:
    icons = IconSet(ICONS, {"1f98a": "fox-face"})
    assert icons.find("1f98a", "fox") == QUARTER_FOX
    assert icons.find("1f98a-fe0f", "fox") == QUARTER_FOX
    assert icons.find("1f43a", "fox") == FOX


def test_code_points_of_an_icon_that_is_not_there_leave_the_name() -> None:
    assert IconSet(ICONS, {"1f98a": "gone"}).find("1f98a", "Red fox") == FOX


@pytest.mark.parametrize("name", ["wolf", "orphan", "’"])
def test_what_a_style_lacks_is_not_found(name: str) -> None:
    assert IconSet(ICONS, {}).find("1f43a", name) is None
    assert IconSet({**ICONS, "aliases": {}}, {}).find("1f43a", name) is None


def test_aliases_flip_and_turn_what_they_stand_for() -> None:
    icons = IconSet(ICONS, {})
    corners = {name: _corners(icons.drawing(name)) for name in ("fox", "fox-to-the-right", "fox-to-the-left", "turned")}
    assert corners == {
        "fox": "black white black white",
        "fox-to-the-right": "white black white black",
        "fox-to-the-left": "black white black white",
        "turned": "black white white white",  # flipped to the lower left, then clockwise to the upper left
    }


def test_drawings_fill_the_square_on_white_and_keep_their_proportions() -> None:
    square, wide = draw(FOX), draw(IconSet(ICONS, {}).drawing("wide"))
    assert square.shape == wide.shape == (64, 64, 3)
    assert square.dtype == np.uint8
    assert (square[:, :31] == 0).all()
    assert (square[:, 33:] == 255).all()
    assert (wide[:15] == 255).all()  # 20 wide and 10 high: a quarter stays free above and below
    assert (wide[20:40, 17:31] == 0).all()
    assert (wide[:, :15] == 255).all()


def test_svg_that_cannot_be_drawn_is_an_error() -> None:
    with pytest.raises(ValueError):
        draw(Drawing("<path", (0, 0, 10, 10)))


@pytest.mark.parametrize("prefix", ["../style", "a/b", "", "-x"])
def test_a_package_cannot_choose_where_it_is_written(prefix: str) -> None:
    with pytest.raises(ValueError, match="name of a style"):
        IconSet({**ICONS, "prefix": prefix}, {})


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    package = tmp_path / "linked.tgz"
    with tarfile.open(package, "w:gz") as archive:
        link = tarfile.TarInfo("package/icons.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(ValueError, match=r"icons\.json"):
        read_package(package)


@pytest.mark.parametrize("kind", ["tgz", "directory"])
def test_a_style_is_written_in_the_format_of_the_others(kind: str, tmp_path: Path, capsys) -> None:
    table = tmp_path / "table.tsv"
    rows = ["1f98a\tfox", "1f43a\twolf", "1f994\tred fox"]
    table.write_text("key\tname\tgroup\tsubgroup\tkeywords\n" + "".join(f"{row}\tg\ts\tw\n" for row in rows))
    draw_emoji_styles.main(table, [_package(tmp_path, kind)], tmp_path / "styles")
    with np.load(tmp_path / "styles" / "some-style.npz", allow_pickle=False) as archive:
        assert archive["keys"].tolist() == ["1f98a", "1f994"]
        assert (archive["images"] == draw(FOX)).all()
    assert (tmp_path / "styles" / "table.tsv").read_bytes() == table.read_bytes()
    assert capsys.readouterr().out == "some-style: 2 of 3 emoji\n"


def _package(directory: Path, kind: str) -> Path:
    files = {"icons.json": ICONS, "chars.json": {}}
    if kind == "directory":
        package = directory / "package"
        package.mkdir()
        for name, content in files.items():
            (package / name).write_text(json.dumps(content))
        return package
    package = directory / "some-style.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name, content in files.items():
            member, data = tarfile.TarInfo(f"package/{name}"), json.dumps(content).encode()
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return package


def _corners(drawing: Drawing | None) -> str:
    """Colours at the upper left, upper right, lower left and lower right."""
    assert drawing is not None
    pixels = draw(drawing)[..., 0]
    return " ".join("black" if pixels[y, x] < 128 else "white" for y in (8, 56) for x in (8, 56))
