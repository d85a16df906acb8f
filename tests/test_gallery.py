"""The gallery shows what is drawn today."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from docs import gallery

AGAIN = "make gallery, and look at the pictures before committing them"


def test_page_is_what_would_be_written_now():
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.text(), AGAIN


def test_pictures_are_those_of_the_page():
    expected = {gallery.path_of(entry, theme) for entry in gallery.ENTRIES for theme in gallery.THEMES}
    assert len(expected) == len(gallery.ENTRIES) * len(gallery.THEMES)
    assert set(gallery.PICTURES.iterdir()) == expected, AGAIN


@pytest.mark.parametrize("theme", gallery.THEMES)
@pytest.mark.parametrize("entry", gallery.ENTRIES, ids=lambda entry: entry.file)
def test_pictures_are_made_from_what_is_drawn_now(entry, theme):
    picture = entry.picture(theme)
    path = gallery.path_of(entry, theme)
    assert gallery.marked(path) == gallery.mark(picture), AGAIN
    shown = "".join(ElementTree.parse(path).getroot().itertext()).replace("\N{NO-BREAK SPACE}", " ")
    for card in picture.scene.cards:
        assert all(run.text in shown for line in card.text for run in line)


def test_figures_of_the_how_to_page_are_what_its_code_draws():
    figures = gallery.figures()
    assert {path.stem for path in gallery.FIGURES.iterdir()} == set(figures), AGAIN
    for name, picture in figures.items():
        assert gallery.marked(gallery.FIGURES / f"{name}.svg") == gallery.mark(picture), AGAIN


def test_formulas_of_the_how_to_page_are_those_that_its_code_prints():
    page = gallery.HOW_TO.read_text(encoding="utf-8")
    formulas = re.findall(r"^\$\$\n(.*?)\n\$\$", page, re.MULTILINE | re.DOTALL)
    assert formulas and all(page.count(formula) == 2 for formula in formulas)


def test_every_model_that_has_to_be_seen_is_there():
    names = {entry.name for entry in gallery.ENTRIES}
    assert {"lesson8", "classifier", "residual", "gated", "attention", "lstm", "logistic", "mixture"} <= names
