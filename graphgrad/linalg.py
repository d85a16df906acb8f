"""Linear algebra, under the names of `numpy.linalg`."""

from graphgrad.ops.norm import norm, vector_norm

__all__ = ["norm", "vector_norm"]
