"""What may be a name, and naming layers."""

from __future__ import annotations

import unicodedata
from contextlib import AbstractContextManager

from graphgrad.core.errors import ArgumentError, InvalidNameError
from graphgrad.core.provenance import entered


def scope(name: str) -> AbstractContextManager[None]:
    """Name a layer: nodes made within belong to it. Scopes nest, and do not change the names of leaves.

    >>> with gg.scope("hidden"):
    ...     h = gg.tanh(gg.input("x", (3,)))
    >>> h.scope
    ('hidden',)
    """
    return entered(check_name(name, "a scope"))


def check_name(name: object, what: str) -> str:
    """Return `name` if it is a non-empty string without control characters, else raise.

    Raises
    ------
    ArgumentError
        If it is no string.
    InvalidNameError
        If it is empty or holds a control character, such as a newline.

    >>> check_name("b 1", "a parameter")
    'b 1'
    """
    if not isinstance(name, str):
        raise ArgumentError(f"{what} needs a string as its name, not {type(name).__name__}")
    if not name:
        raise InvalidNameError(f"{what} needs a name, got an empty string", hint='any text, such as "x"')
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        shown = name if len(name) <= 60 else name[:57] + "..."
        raise InvalidNameError(
            f"the name {shown!a} holds a control character",
            hint="a name on one line, without control characters",
        )
    return str(name)


def shorten(text: str, width: int = 60) -> str:
    """Cut long text for a message.

    >>> shorten("a" * 100, 10)
    'aaaaaaa...'
    """
    return text if len(text) <= width else text[: width - 3] + "..."
