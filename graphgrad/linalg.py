"""Linear algebra, under the names of `numpy.linalg`."""

from graphgrad.ops.contract import matmul
from graphgrad.ops.norm import norm, vector_norm
from graphgrad.ops.permute import matrix_transpose
from graphgrad.ops.tensor import multi_dot, outer, tensordot, vecdot

__all__ = ["matmul", "matrix_transpose", "multi_dot", "norm", "outer", "tensordot", "vecdot", "vector_norm"]
