"""DOT to SVG, PNG and PDF: with a Graphviz on this machine, or with the one that pygraphviz brings along."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import get_args

from graphgrad.core.errors import InvalidValueError, RenderError
from graphgrad.draw.shapes import Scene
from graphgrad.draw.style import DARK, LIGHT, Theme, clean

SUFFIXES = (".dot", ".svg", ".png", ".pdf")
PNG_DPI = 144
DOT_START = "digraph graphgrad"
"""How the DOT text of a picture begins."""
_INSTALLS = (
    "pip install 'graphgrad[pictures]' (no root needed), or apt install graphviz / brew install graphviz"
)
# Runs on its own: a crash inside Graphviz must not take the user's session along.
_PYGRAPHVIZ = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode("utf-8"))
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="nop2", args=" ".join(sys.argv[2:])))
"""

Engine = Callable[[str, str], bytes]


def render_file(source: str, scene: Scene, path: str | os.PathLike[str]) -> Path:
    """Write a picture in the format of its suffix, whole or not at all, and return its path.

    Without an engine the DOT text is still written beside it, and `RenderError` says how to get one.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidValueError(
            f"cannot draw to {path.name!r}: unknown suffix {path.suffix!r}",
            hint=f"one of {' '.join(SUFFIXES)}",
        )
    if suffix == ".dot":
        write_whole(path, source.encode("utf-8"))
        return path
    try:
        picture = render_bytes(source, scene, suffix[1:])
    except RenderError as error:
        beside = _beside(path)
        write_whole(beside, source.encode("utf-8"))
        saw = (*error.saw, f"the DOT text was written to {beside}")
        raise RenderError(error.what, saw=saw, hint=error.hint) from None
    write_whole(path, picture)
    return path


def _beside(path: Path) -> Path:
    """Where the DOT text goes: not over a file of that name that is none of ours."""
    beside = path.with_suffix(".dot")
    if beside.is_file() and not beside.read_bytes().startswith(DOT_START.encode()):
        return path.with_name(f"{path.name}.dot")
    return beside


def render_bytes(source: str, scene: Scene, format: str) -> bytes:
    """The picture as ``svg``, ``png`` or ``pdf``, by the first engine that works."""
    failed = []
    for name, engine in _engines():
        try:
            picture = engine(source, format)
        except (OSError, subprocess.SubprocessError, RuntimeError) as error:
            failed.append(f"{name}: {error}")
            continue
        return _finish_svg(picture.decode("utf-8"), scene).encode("utf-8") if format == "svg" else picture
    what = (
        f"no engine could draw the {format.upper()}"
        if failed
        else "drawing needs Graphviz, and none is installed"
    )
    raise RenderError(what, saw=failed, hint=_INSTALLS)


def _engines() -> list[tuple[str, Engine]]:
    engines: list[tuple[str, Engine]] = []
    program = shutil.which("neato") or shutil.which("dot")
    if program:
        system = [program, "-Kneato", "-n2"]
        engines.append((program, lambda source, format: _run([*system, f"-T{format}"], source, format)))
    if importlib.util.find_spec("pygraphviz") is not None:
        command = [sys.executable, "-c", _PYGRAPHVIZ]
        engines.append(("pygraphviz", lambda source, format: _run([*command, format], source, format)))
    return engines


def _run(command: list[str], source: str, format: str) -> bytes:
    if format == "png":
        command = [*command, f"-Gdpi={PNG_DPI}"]
    done = subprocess.run(command, input=source.encode("utf-8"), capture_output=True, check=False)
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RuntimeError(said[-1] if said else f"exit status {done.returncode}")
    return done.stdout


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it.

    Raises
    ------
    OSError
        If there is no such folder, or it may not be written to; it names the file that was asked for.
    """
    path = Path(path)
    temporary = path.parent / f".graphgrad-{os.getpid()}-{threading.get_ident()}.tmp"
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        why = error.strerror or error
        raise OSError(error.errno, f"cannot write the picture: {why}", str(path)) from None
    finally:
        with suppress(OSError):  # it may be there or not
            temporary.unlink()


def _finish_svg(svg: str, scene: Scene) -> str:
    """Add a title for screen readers, and rules for the reader's own choice of light or dark."""
    title_id = f"{scene.prefix}-about"
    title = html.escape(clean(scene.title).strip() or "graph")
    inside = f'<title id="{title_id}">{title}: forward and backward graph</title>'
    if scene.theme == "auto":
        inside += f"<style>{_dark_rules(scene.prefix)}</style>"
    opening = f'<svg id="{scene.prefix}" role="img" aria-labelledby="{title_id}"'
    return re.sub(r"<svg\b([^>]*)>", lambda found: f"{opening}{found[1]}>\n{inside}", svg, count=1)


def _dark_rules(prefix: str) -> str:
    """CSS that exchanges every light colour for its dark one where the reader prefers dark."""
    rules = []
    swap = {getattr(LIGHT, one.name).lower(): getattr(DARK, one.name) for one in fields(LIGHT)}
    for light, dark in swap.items():
        names = [light, "white"] if light == "#ffffff" else [light]
        for attribute in ("fill", "stroke"):
            for name in names:
                rules.append(f'#{prefix} [{attribute}="{name}"]{{{attribute}:{dark}}}')
    return f"@media (prefers-color-scheme:dark){{{''.join(rules)}}}"


def inline_svg(svg: str) -> str:
    """An SVG without the lines that only a file of its own has."""
    return svg[svg.index("<svg") :]


def check_theme(theme: Theme) -> Theme:
    """``theme``, if there is such a one: callers are not all type checked."""
    if theme in get_args(Theme):
        return theme
    raise InvalidValueError(f"unknown theme {theme!r}", hint="one of 'light', 'dark', 'auto'")
