"""Writing a module to a file: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from graphgrad.core.errors import ArgumentError, InvalidValueError
from graphgrad.emit.source import Source


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file beside its place and move it there, so that it is never seen half-written."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def save(source: Source, path: Any) -> Path:
    """Write a module, and the constants that are too large for it beside it.

    Raises
    ------
    ArgumentError, InvalidValueError
        If the path is no path, or does not end in ``.py``.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"save takes a path, not {type(path).__name__}")
    target = Path(path)
    if target.suffix != ".py":
        raise InvalidValueError(f"a module is saved as .py, not {target.name!r:.60}", hint='save("model.py")')
    if source.arrays:
        write_whole(target.with_suffix(".npz"), lambda file: np.savez(file, **dict(source.arrays)))
    write_whole(target, lambda file: file.write(source.text.encode()))
    return target
