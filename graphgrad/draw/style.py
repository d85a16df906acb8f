"""How pictures look: colours, fonts, and how wide a text is.

Box sizes come from an embedded Helvetica table, so a scene is the same on every machine.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Theme = Literal["light", "dark", "auto"]
Role = Literal[
    "forward", "forward_fill", "backward", "backward_fill", "param", "param_fill", "param_text",
    "data", "data_fill", "kept", "result", "result_fill", "ink", "muted", "faint", "paper", "band",
    "band_line",
]  # fmt: skip
CardKind = Literal[
    "op", "backward", "pass", "result",
    "data", "param", "state", "const", "rng", "again", "grad", "grad_again",
    "same", "removed", "merged", "new",
]  # fmt: skip
EdgeKind = Literal["forward", "backward", "param", "data", "grad", "kept", "uses", "tie", "seed"]

SANS = "Helvetica,Arial,sans-serif"
MONO = "Consolas,Menlo,Liberation Mono,monospace"
MONO_EM = 0.602
WIDE_EM = 1.35
"""Emoji fonts run wider than an em."""
SUBSTITUTE = 1.16
"""How much wider than Helvetica a font may be that stands in for it, such as DejaVu Sans; text has room for that."""
ELLIPSIS = "…"


@dataclass(frozen=True)
class Palette:
    """The colour of every role; Okabe-Ito hues, darkened so that text on them stays readable."""

    forward: str
    forward_fill: str
    backward: str
    backward_fill: str
    param: str
    param_fill: str
    param_text: str
    data: str
    data_fill: str
    kept: str
    result: str
    result_fill: str
    ink: str
    muted: str
    faint: str
    paper: str
    band: str
    band_line: str

    def __getitem__(self, role: Role) -> str:
        """The colour of ``role`` as ``#RRGGBB``."""
        color: str = getattr(self, role)
        return color


LIGHT = Palette(
    forward="#0072B2", forward_fill="#E6F2FA", backward="#B84500", backward_fill="#FDEEE4",
    param="#B97900", param_fill="#FFF0C2", param_text="#7A5600", data="#4A5560", data_fill="#F1F3F5",
    kept="#00805C", result="#A3356F", result_fill="#FAE6F1", ink="#1F2933", muted="#5F6B76", faint="#68747F",
    paper="#FFFFFF", band="#F7F8FA", band_line="#DDE2E8",
)  # fmt: skip
DARK = Palette(
    forward="#6CBDF0", forward_fill="#10293B", backward="#FF9A5C", backward_fill="#3A1F0F",
    param="#E69F00", param_fill="#3A2C05", param_text="#FFD479", data="#B4C0CB", data_fill="#1D252D",
    kept="#3FD1A3", result="#F08CC4", result_fill="#3B1630", ink="#E3E9EF", muted="#9AA7B3", faint="#7B8894",
    paper="#0F1419", band="#161D24", band_line="#2C3640",
)  # fmt: skip


def palette(theme: Theme) -> Palette:
    """The palette of a theme; ``auto`` is drawn light and recoloured by the reader's own preference."""
    return DARK if theme == "dark" else LIGHT


@dataclass(frozen=True)
class CardStyle:
    """Border, fill and heading colour of one kind of card; kinds differ in more than their colour."""

    line: Role
    fill: Role
    text: Role
    penwidth: float
    dashed: bool
    means: str
    """What the legend says."""


CARDS: dict[CardKind, CardStyle] = {
    "op": CardStyle("forward", "forward_fill", "forward", 1.5, False, "forward op"),
    "backward": CardStyle(
        "backward", "backward_fill", "backward", 1.5, False, "backward: one chain-rule step"
    ),
    "pass": CardStyle("faint", "paper", "muted", 1.1, True, "gradient passes, no code"),
    "result": CardStyle("result", "result_fill", "result", 2.6, False, "result"),
    "param": CardStyle("param", "param_fill", "param_text", 2.6, False, "parameter"),
    "grad": CardStyle("backward", "param_fill", "backward", 2.6, False, "its gradient"),
    "data": CardStyle("data", "data_fill", "data", 1.5, False, "data"),
    "state": CardStyle("data", "paper", "data", 2.6, False, "state"),
    "const": CardStyle("faint", "paper", "data", 1.1, False, "constant"),
    "rng": CardStyle("data", "data_fill", "data", 1.5, True, "random generator"),
    "again": CardStyle("faint", "paper", "muted", 1.1, True, "used again"),
    "grad_again": CardStyle("backward", "paper", "backward", 1.1, True, "adds to a gradient"),
    "same": CardStyle("faint", "band", "muted", 1.1, False, "stays"),
    "removed": CardStyle("backward", "backward_fill", "backward", 1.5, True, "− removed"),
    "merged": CardStyle("param", "param_fill", "param_text", 1.5, True, "= another has its value"),
    "new": CardStyle("forward", "forward_fill", "forward", 2.6, False, "+ new"),
}


@dataclass(frozen=True)
class EdgeStyle:
    """Colour, dash and arrow of one kind of edge."""

    line: Role
    text: Role
    dash: Literal["solid", "dashed", "dotted"]
    head: Literal["normal", "vee", "none"]
    means: str = ""


EDGES: dict[EdgeKind, EdgeStyle] = {
    "forward": EdgeStyle("forward", "muted", "solid", "normal"),
    "backward": EdgeStyle("backward", "muted", "solid", "normal"),
    "param": EdgeStyle("param", "muted", "solid", "normal"),
    "data": EdgeStyle("data", "muted", "solid", "normal"),
    "grad": EdgeStyle("backward", "muted", "solid", "normal"),
    "kept": EdgeStyle("kept", "kept", "dashed", "vee", "activation kept for backward"),
    "uses": EdgeStyle("faint", "muted", "dashed", "vee"),
    "tie": EdgeStyle("band_line", "muted", "dotted", "none"),
    "seed": EdgeStyle("result", "result", "solid", "normal"),
}


@lru_cache(4096)
def line_width(elements: int | None) -> float:
    """How thick the edge of a value is: 1.1, and 0.3 for every factor of ten (unknown: as 1,000)."""
    return round(1.1 + 0.3 * math.log10(max(1000 if elements is None else elements, 1)), 2)


class _Advances(dict[str, float]):
    """The advance width of every character, in ems; what no table has is estimated once."""

    def __init__(self, thousandths: str) -> None:
        super().__init__(
            zip(map(chr, range(32, 127)), (int(w) / 1000 for w in thousandths.split()), strict=True)
        )
        self.update(_OTHER)

    def __missing__(self, char: str) -> float:
        self[char] = width = self._estimate(char)
        return width

    def _estimate(self, char: str) -> float:
        if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
            return 0.0
        base = unicodedata.normalize("NFD", char)[0]
        if " " <= base <= "~":
            return self[base]
        if _is_wide(char):
            return WIDE_EM
        return 0.9 if unicodedata.category(char)[0] == "S" else 0.75


class _MonoAdvances(dict[str, float]):
    """The same of a font whose letters are all equally wide."""

    def __missing__(self, char: str) -> float:
        self[char] = width = 0.0 if unicodedata.combining(char) else WIDE_EM if _is_wide(char) else MONO_EM
        return width


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF" or ord(char) >= 0x1F000


_OTHER = {
    "×": 0.584, "·": 0.333, "∂": 0.55, "→": 1.0, "↓": 0.6, "↑": 0.6, "▸": 0.6, "ᵀ": 0.5, "⊙": 0.84, "≡": 0.6,
    "…": 1.0, "−": 0.584, "²": 0.35, "³": 0.35, "¹": 0.35, "Σ": 0.62, "√": 0.6, "≥": 0.6, "≤": 0.6,
}  # fmt: skip
# The advance widths of U+0020..U+007E in Adobe's metrics, in thousandths of an em.
_REGULAR = _Advances(
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 "
    "556 278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 "
    "722 667 611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 "
    "500 222 833 556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
)
_BOLD = _Advances(
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 "
    "556 333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 "
    "722 667 611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 "
    "556 278 889 611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584"
)
_MONO = _MonoAdvances()


@lru_cache(1 << 15)
def text_width(text: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """The width of ``text`` in points."""
    if mono and text.isascii():
        return size * (len(text) * MONO_EM)
    return size * sum(map(_advances(bold, mono).__getitem__, text))


def _advances(bold: bool, mono: bool) -> dict[str, float]:
    return _MONO if mono else _BOLD if bold else _REGULAR


def shorten(text: str, width: float, size: float, *, bold: bool = False, mono: bool = False) -> str:
    """``text``, cut with an ellipsis so that it is at most ``width`` points wide."""
    if text_width(text, size, bold=bold, mono=mono) <= width:
        return text
    room = width - size * (MONO_EM if mono else 1.0)
    if mono and text.isascii():
        return text[: max(int(room / (size * MONO_EM)), 0)].rstrip() + ELLIPSIS
    used, kept, advances = 0.0, 0, _advances(bold, mono)
    for char in text:
        used += size * advances[char]
        if used > room:
            break
        kept += 1
    return text[:kept].rstrip() + ELLIPSIS


def clean(text: str) -> str:
    """``text`` on one line, without what formats cannot hold: controls, lone surrogates, direction marks."""
    if text.isprintable():  # as nearly all is
        return text
    return "".join(map(_visible, text))


def clean_lines(text: str) -> str:
    """``text`` with its lines kept, each without characters that no picture holds."""
    if text.replace("\n", "").isprintable():
        return text
    return "\n".join(clean(line) for line in text.split("\n"))


@lru_cache(4096)
def _visible(char: str) -> str:
    if char == "\n":
        return "↵"
    if char in "\t\r\v\f\u2028\u2029\u0085":
        return " "
    category = unicodedata.category(char)
    if category in ("Cc", "Cs", "Cn") or (category == "Cf" and char != "\u200d"):
        return "\ufffd"  # a direction override could make a name read as something else
    return char


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two ``#RRGGBB`` colours, from 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
