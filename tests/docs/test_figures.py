"""The committed figures are those that the script draws, and pages show each of them."""

from pathlib import Path

import pytest

from docs import draw_figures

PAGES = draw_figures.FIGURES.parent.glob("*.md")


@pytest.mark.parametrize("name", draw_figures.DRAWN)
def test_a_figure_is_as_the_script_draws_it(name: str, tmp_path: Path) -> None:
    draw_figures.save(name, tmp_path)
    again, committed = (folder / f"{name}.svg" for folder in (tmp_path, draw_figures.FIGURES))
    assert again.read_bytes() == committed.read_bytes(), "run `python docs/draw_figures.py` and commit the result"


def test_pages_show_every_figure_and_say_in_words_what_is_in_it() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in draw_figures.DRAWN:
        before, _, _ = text.partition(f"](figures/{name}.svg)")
        assert before != text, name
        assert len(before.rpartition("![")[2]) > 40, name
