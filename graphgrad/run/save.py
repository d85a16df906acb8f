"""Writing a module to a file: whole or not at all."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from graphgrad.core.errors import ArgumentError, InvalidValueError
from graphgrad.emit.source import Source

Write = Callable[[IO[bytes]], Any]


def write_whole(files: Sequence[tuple[Path, Write]]) -> None:
    """Write files beside their places and move them there once all are complete, so that none is seen half-written."""
    moves: list[tuple[Path, Path]] = []
    try:
        for number, (path, write) in enumerate(files):
            own = f"{os.getpid()}.{threading.get_ident()}.{number}"  # nobody else writes a file of this name
            temporary = path.with_name(f".{path.name[:60]}.{own}.tmp")
            with open(temporary, "xb") as file:
                moves.append((temporary, path))
                write(file)
        for temporary, path in moves:
            os.replace(temporary, path)
    except BaseException:
        for temporary, _ in moves:
            temporary.unlink(missing_ok=True)
        raise


def save(source: Source, path: Any) -> Path:
    """Write a module, and the constants that are too large for it beside it.

    Raises
    ------
    ArgumentError, InvalidValueError
        If the path is no path, does not end in ``.py``, or is a folder.
    OSError
        If it cannot be written there; what was there before is still there then.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"save takes a path, not {type(path).__name__}")
    target = Path(path)
    if target.suffix != ".py":
        raise InvalidValueError(f"a module is saved as .py, not {target.name!r:.60}", hint='save("model.py")')
    files: list[tuple[Path, Write]] = [(target, lambda file: file.write(source.text.encode()))]
    if source.arrays:
        files.insert(0, (target.with_suffix(".npz"), lambda file: _write_arrays(file, source.arrays)))
    folders = [file for file, _ in files if file.is_dir()]
    if folders:
        raise InvalidValueError(f"{str(folders[0])!r:.60} is a folder", hint='save("model.py")')
    try:
        write_whole(files)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(target)) from None
    return target


def _write_arrays(file: IO[bytes], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """As `numpy.savez` does, whose own parameters forbid some names."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
