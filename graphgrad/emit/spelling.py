"""Small things spelled as Python source: names of dtypes, tuples, keys, arrays, text in comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def clean(text: str, longest: int = 60) -> str:
    """User's text on one line of a comment or docstring: nothing in it ends the line or the string."""
    shown = "".join(letter if letter.isprintable() and letter not in '"\\' else "?" for letter in text)
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."


def dtype_text(dtype: np.dtype[Any]) -> str:
    """``np.float32``."""
    return "np.bool_" if dtype == np.bool_ else f"np.{dtype.name}"


def return_tuple(items: Sequence[str]) -> str:
    """A tuple display."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def key_text(key: str) -> str:
    """A dict key as source."""
    if key.isascii() and key.isprintable() and '"' not in key and "\\" not in key:
        return f'"{key}"'
    return ascii(key)


def array_text(array: np.ndarray[Any, Any]) -> str:
    """A small array as source."""
    if not array.size:
        return f"np.zeros({array.shape}, {dtype_text(array.dtype)})"
    listed = repr(array.tolist()).replace("nan", "np.nan").replace("inf", "np.inf")
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        listed = _short(array)
    return f"np.array({listed}, {dtype_text(array.dtype)})"


def _short(array: np.ndarray[Any, Any]) -> str:
    """Nested lists with the digits that the dtype needs, not those of float64."""
    if array.ndim:
        return "[" + ", ".join(_short(part) for part in array) + "]"
    return "np.nan" if np.isnan(array) else str(array).replace("inf", "np.inf")
