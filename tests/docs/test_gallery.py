"""The gallery shows every figure, simulated and real, and says how to read it."""

import re
from pathlib import Path

import pytest

import txpert as tx

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "gallery.md").read_text()
SECTIONS = re.split(r"^###? ", PAGE, flags=re.MULTILINE)[1:]


def pictures(text):
    return re.findall(r"!\[.+\]\(_static/gallery/(\w+)\.png\)", text)


@pytest.mark.parametrize("name", tx.pl.__all__)
def test_every_figure_is_shown_on_a_simulated_and_on_a_real_screen(name):
    own = next(section for section in SECTIONS if f"txpert.pl.{name}`" in section)
    assert name in pictures(own)
    assert f"real_{name}" in pictures(PAGE)


def test_the_page_has_the_pictures_that_are_stored():
    stored = {path.stem for path in (DOCS / "_static" / "gallery").glob("*.png")}
    assert set(pictures(PAGE)) == stored


def test_every_picture_has_three_lines_on_how_to_read_it():
    for section in filter(pictures, SECTIONS):
        lines = section.strip().splitlines()[1:]
        text = [line for line in lines if line and not line.startswith("![")]
        assert len(text) >= 3, lines[0]
