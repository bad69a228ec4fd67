"""Draw further styles of emoji, for benchmarks, from the npm packages `@iconify-json/<style>`.

    npm pack @iconify-json/openmoji
    python scripts/draw_emoji_styles.py --table emoji/table.tsv --package iconify-json-openmoji-*.tgz --output styles

Needs the extra `emoji` (`pip install -e '.[emoji]'`). See scripts/README.md.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import resvg_py
import typer
from PIL import Image
from pouf_lite_head.pictures import read_table

SIDE = 64
DEFAULT_SIDE = 16  # iconify's, where a set does not say
LARGEST_FILE = 100_000_000  # bytes; the largest set has a tenth of this
VARIATION_SELECTOR = "-fe0f"
STYLE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Drawing:
    """SVG elements in their view box, and how to turn what they show.

    Attributes:
        body: SVG elements without the `svg` around them.
        view_box: left, top, width and height.
        mirrored, upended: flipped from left to right, from top to bottom.
        quarter_turns: clockwise, after flipping.
    """

    body: str
    view_box: tuple[float, float, float, float]
    mirrored: bool = False
    upended: bool = False
    quarter_turns: int = 0


class IconSet:
    """The icons of one package, by name and by emoji.

    Args:
        icons: the package's `icons.json`.
        names: its `chars.json`, names by code points.

    Raises:
        ValueError: the package's prefix cannot be the name of a file.
    """

    def __init__(self, icons: Mapping[str, Any], names: Mapping[str, str]) -> None:
        self.style = str(icons["prefix"])
        if not STYLE_NAME.fullmatch(self.style):
            raise ValueError(f"{self.style!r} cannot be the name of a style.")
        self._set, self._names = icons, names

    def find(self, key: str, name: str) -> Drawing | None:
        """The drawing of the emoji with these code points (`1f3f4-200d-2620-fe0f`) and this name, if there is one."""
        candidates = (self._names.get(key), self._names.get(key.replace(VARIATION_SELECTOR, "")), slug(name))
        drawings = (self.drawing(candidate) for candidate in candidates if candidate)
        return next((drawing for drawing in drawings if drawing), None)

    def drawing(self, name: str) -> Drawing | None:
        """The icon of this name, or the one that it is an alias of, flipped and turned as the alias says."""
        icon = self._set["icons"].get(name)
        if icon is not None:
            box = (icon.get("left", 0), icon.get("top", 0), self._size(icon, "width"), self._size(icon, "height"))
            return _turned(Drawing(icon["body"], box), icon)
        alias = self._set.get("aliases", {}).get(name)
        parent = self.drawing(alias["parent"]) if alias else None
        return _turned(parent, alias) if parent else None

    def _size(self, icon: Mapping[str, Any], side: str) -> float:
        return float(icon.get(side, self._set.get(side, DEFAULT_SIDE)))


def _turned(drawing: Drawing, how: Mapping[str, Any]) -> Drawing:
    return replace(
        drawing,
        mirrored=drawing.mirrored != how.get("hFlip", False),
        upended=drawing.upended != how.get("vFlip", False),
        quarter_turns=(drawing.quarter_turns + how.get("rotate", 0)) % 4,
    )


def slug(name: str) -> str:
    """An emoji's name as iconify spells it: `woman’s hat` is `womans-hat`."""
    letters = (letter for letter in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"['’.]", "", "".join(letters))).strip("-")


def draw(drawing: Drawing) -> np.ndarray:
    """[64, 64, 3] uint8, on white.

    Raises:
        ValueError: the SVG cannot be drawn.
    """
    left, top, width, height = drawing.view_box
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" color="#000" '
        f'viewBox="{left} {top} {width} {height}" width="{SIDE}" height="{SIDE}">{drawing.body}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff", skip_system_fonts=True)
    with Image.open(io.BytesIO(bytes(png))) as image:
        pixels = np.asarray(image.convert("RGB"))
    pixels = pixels[:: -1 if drawing.upended else 1, :: -1 if drawing.mirrored else 1]
    return np.ascontiguousarray(np.rot90(pixels, -drawing.quarter_turns))


def read_package(package: Path) -> IconSet:
    """The icons of a package: a directory, or a `.tgz`, of which two files are read and nothing is unpacked."""
    return IconSet(_read_json(package, "icons.json"), _read_json(package, "chars.json"))


def _read_json(package: Path, name: str) -> Any:
    if package.is_dir():
        return json.loads((package / name).read_bytes())
    with tarfile.open(package, "r:gz") as archive:
        member = archive.getmember(f"package/{name}")
        file = archive.extractfile(member) if member.isreg() and member.size <= LARGEST_FILE else None
        if file is None:
            raise ValueError(f"{name} in {package} is no file of at most {LARGEST_FILE:,} bytes.")
        return json.load(file)


def main(
    table: Annotated[Path, typer.Option(help="The emoji's table.tsv.", exists=True, dir_okay=False)],
    package: Annotated[list[Path], typer.Option(help="An npm package: a .tgz or a directory.", exists=True)],
    output: Annotated[Path, typer.Option(help="Directory to write to; not the one that the head is trained on.")],
) -> None:
    """Write `<style>.npz` for each package (`images` and `keys`), and a copy of the table beside them."""
    emoji = read_table(table)
    output.mkdir(parents=True, exist_ok=True)
    if not (output / table.name).exists():
        shutil.copyfile(table, output / table.name)
    for one in package:
        icons = read_package(one)
        found = {key: drawing for key, row in emoji.items() if (drawing := icons.find(key, row.name))}
        if not found:
            raise ValueError(f"{one} has none of the emoji in {table}.")
        images = np.stack([draw(drawing) for drawing in found.values()])
        np.savez_compressed(output / f"{icons.style}.npz", images=images, keys=np.array(list(found)))
        typer.echo(f"{icons.style}: {len(found):,} of {len(emoji):,} emoji")


if __name__ == "__main__":
    typer.run(main)
