"""Source that emitted modules carry with them, word for word: it is written and tested here as what it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_BEGIN = "# ---- from here on, word for word ----\n"
CARRIED = (("pool", "team", "tiles"), ("pool",), ())
"""The files that a module may end with: those of loops, those of a workspace, none."""


@cache
def text(name: str) -> str:
    """The part of a file of this package that modules carry."""
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8").partition(_BEGIN)[2].strip("\n")


@cache
def ending(names: tuple[str, ...]) -> str:
    """What a module that carries these files ends with, after its own last line."""
    return "".join(f"\n\n\n{text(name)}" for name in names) + "\n"


def divide(module: str) -> tuple[str, str]:
    """A module's own text, and what it carries at its end."""
    carried = next(end for end in map(ending, CARRIED) if module.endswith(end))
    return module.removesuffix(carried), carried
