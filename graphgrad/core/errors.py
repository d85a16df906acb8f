"""Every error graphgrad raises on purpose.

    GraphgradError
    |-- InvalidNameError     (ValueError)            a name that is empty or holds control characters
    |-- ShapeError           (ValueError)            shapes or axes that do not fit
    |-- InvalidValueError    (ValueError)            a value outside what is allowed
    |-- DTypeError           (TypeError)             a dtype that does not fit
    |-- ArgumentError        (TypeError)             missing, unknown or repeated arguments, wrong objects
    |-- NodeUseError         (TypeError)             a node used as if it were a number or an array
    |-- UnsupportedError     (NotImplementedError)   an op or option that does not exist (yet)
    |-- NonFiniteError       (ArithmeticError)       a NaN or inf found by check_nan=True
    |-- VerificationError    (AssertionError)        a graph, a gradient or a module that fails its own check
    `-- RenderError          (RuntimeError)          no engine to draw with

A message says what failed, the specs it saw, the user's own line, the layer, and one suggestion. What is legal but
hardly meant is a `GraphgradWarning` (UserWarning), told in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphgrad.core.provenance import Site, current_site


def message(what: str, saw: Iterable[str], site: Site | None, hint: str | None) -> str:
    """The text of an error or a warning."""
    lines = [what, *(f"  {line}" for line in saw)]
    if site is not None:
        lines.append(f"  at {site.describe()}")
    if hint:
        lines.append(f"  try: {hint}")
    return "\n".join(lines)


class GraphgradError(Exception):
    """Root of graphgrad's errors.

    Parameters
    ----------
    what:
        What failed, in one sentence.
    saw:
        The things involved with their specs, one line each.
    hint:
        One suggestion.
    site:
        The user's line; by default the line that is being run.
    """

    def __init__(
        self, what: str, *, saw: Iterable[str] = (), hint: str | None = None, site: Site | None = None
    ) -> None:
        self.what = what
        self.saw = tuple(saw)
        self.hint = hint
        self.site = site or current_site()
        super().__init__(message(what, self.saw, self.site, hint))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.saw, self.hint, self.site))


def _rebuild(
    kind: type[GraphgradError], what: str, saw: tuple[str, ...], hint: str | None, site: Site | None
) -> GraphgradError:
    return kind(what, saw=saw, hint=hint, site=site)


class InvalidNameError(GraphgradError, ValueError):
    """A name that is empty, holds control characters, or is used twice."""


class ShapeError(GraphgradError, ValueError):
    """Shapes, sizes or axes that do not fit."""


class InvalidValueError(GraphgradError, ValueError):
    """A value outside what is allowed."""


class DTypeError(GraphgradError, TypeError):
    """A dtype that does not fit."""


class ArgumentError(GraphgradError, TypeError):
    """Missing, unknown or repeated arguments, or an object of the wrong kind."""


class NodeUseError(GraphgradError, TypeError):
    """A node used as if it were a number or an array."""


class UnsupportedError(GraphgradError, NotImplementedError):
    """An op or an option that does not exist."""


class NonFiniteError(GraphgradError, ArithmeticError):
    """A NaN or inf where `check_nan=True` allows none."""


class VerificationError(GraphgradError, AssertionError):
    """A graph, a gradient or an emitted module that fails its own check."""


class RenderError(GraphgradError, RuntimeError):
    """No engine to render a picture with, or the engine failed."""


class GraphgradWarning(UserWarning):
    """A model that can be compiled, but does what is hardly meant; see docs/reference/warnings.md."""
