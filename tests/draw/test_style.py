"""Colours and text measures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgrad.draw import style
from graphgrad.draw.style import CARDS, DARK, EDGES, LIGHT, clean, contrast, line_width, shorten, text_width


def test_texts_are_as_wide_as_their_letters() -> None:
    assert text_width("Wi", 10) == pytest.approx(11.66)
    assert text_width("Wi", 10, bold=True) == pytest.approx(12.22)
    assert text_width("Wi", 10, mono=True) == pytest.approx(12.04)


@given(st.text(max_size=300), st.floats(20, 400), st.booleans(), st.booleans())
def test_shortened_text_fits(text: str, width: float, bold: bool, mono: bool) -> None:
    short = shorten(clean(text), width, 11, bold=bold, mono=mono)
    assert text_width(short, 11, bold=bold, mono=mono) <= width
    assert short == clean(text) or short.endswith("…")


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    clean(text).encode("utf-8")


def test_lines_grow_with_what_flows_along_them() -> None:
    assert line_width(1) == 1.1
    assert line_width(1000) == 2.0 == line_width(None)
    assert line_width(0) == 1.1


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_on_its_card_is_readable(palette: style.Palette) -> None:
    for card in CARDS.values():
        for role in (card.text, "muted"):
            assert contrast(palette[role], palette[card.fill]) >= 4.5
    for kind in ("op", "backward", "result"):
        assert contrast(palette["ink"], palette[CARDS[kind].fill]) >= 7
    for edge in EDGES.values():
        assert contrast(palette[edge.text], palette.band) >= 4.5
    for line in ("forward", "backward", "param", "data", "kept", "result", "faint"):
        assert contrast(palette[line], palette.paper) >= 3  # lines and borders


def test_kinds_differ_in_more_than_colour() -> None:
    drawn = {kind: (card.penwidth, card.dashed) for kind, card in CARDS.items()}
    assert drawn["op"] != drawn["pass"]
    assert drawn["op"] != drawn["result"]
    assert drawn["param"] != drawn["again"]
    assert {EDGES["kept"].dash, EDGES["forward"].dash, EDGES["tie"].dash} == {"solid", "dashed", "dotted"}


def test_light_colours_have_one_dark_one() -> None:
    """The automatic theme exchanges colours by their value."""
    from dataclasses import astuple

    pairs = dict(zip(astuple(LIGHT), astuple(DARK), strict=True))
    assert len(pairs) == len(astuple(LIGHT))
