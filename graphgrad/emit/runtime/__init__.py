"""Source that emitted modules carry with them, word for word: it is written and tested here as what it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_BEGIN = "# ---- from here on, word for word ----\n"


@cache
def text(name: str) -> str:
    """The part of a file of this package that modules carry."""
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8").partition(_BEGIN)[2].strip("\n")
