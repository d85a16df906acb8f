"""Special functions, under SciPy's names."""

from graphgrad.ops.elementary import sigmoid as expit

__all__ = ["expit"]
