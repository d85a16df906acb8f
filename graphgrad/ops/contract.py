"""Products that sum over shared axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from graphgrad.core.dim import Size, multiply
from graphgrad.core.errors import ShapeError
from graphgrad.core.form import PRODUCT, Destination, Form, Helper, Speller, infix
from graphgrad.core.node import Node
from graphgrad.core.op import BROADCAST, REDUCED, AxisRole, Fault, Sample, apply, defop
from graphgrad.core.operators import bind
from graphgrad.core.spec import Shape, Spec, broadcast
from graphgrad.ops import tall
from graphgrad.ops.family import promoting
from graphgrad.ops.leaf import Operand
from graphgrad.ops.movement import expand_dims, squeeze, sum_to
from graphgrad.ops.permute import matrix_transpose


def _product(x: Spec, y: Spec) -> Spec:
    if not x.shape or not y.shape:
        raise ShapeError("a product of matrices needs dimensions", hint="x * y for scalars")
    inner = y.shape[0] if len(y.shape) == 1 else y.shape[-2]
    if x.shape[-1] != inner:
        raise ShapeError(
            f"inner sizes {x.shape[-1]} and {inner} differ",
            hint="transpose one of them, or check the layer's sizes",
        )
    batch = broadcast((x.shape[:-2], y.shape[:-2]))
    rows = x.shape[-2:-1]
    columns = () if len(y.shape) == 1 else y.shape[-1:]
    return Spec((*batch, *rows, *columns), x.dtype)


def _product_axes(x: Spec, y: Spec) -> tuple[tuple[AxisRole, ...], ...]:
    batch: Shape = broadcast((x.shape[:-2], y.shape[:-2]))

    def leading(shape: Shape) -> list[AxisRole]:
        offset = len(batch) - len(shape)
        return [
            BROADCAST if size == 1 and batch[offset + axis] != 1 else offset + axis
            for axis, size in enumerate(shape)
        ]

    rows = len(x.shape) > 1
    left = [*leading(x.shape[:-2]), *([len(batch)] if rows else []), REDUCED]
    right = [REDUCED] if len(y.shape) == 1 else [*leading(y.shape[:-2]), REDUCED, len(batch) + rows]
    return tuple(left), tuple(right)


def _flops(inputs: tuple[Spec, ...], result: Spec) -> Size:
    return multiply(multiply(2, result.size), inputs[0].shape[-1])


def _by_left(g: Node, z: Node, x: Node, y: Node) -> Node:
    if x.ndim == 1 and y.ndim == 1:
        return g * y
    if y.ndim == 1:
        return sum_to(expand_dims(g, g.ndim) * y, x.shape)
    if x.ndim == 1 and y.ndim == 2:
        return y @ g
    if x.ndim == 1:  # rows were added in front of x and taken out of the result
        return sum_to(squeeze(expand_dims(g, g.ndim - 1) @ matrix_transpose(y), y.ndim - 2), x.shape)
    return sum_to(g @ matrix_transpose(y), x.shape)


def _by_right(g: Node, z: Node, x: Node, y: Node) -> Node:
    if x.ndim == 1 and y.ndim == 1:
        return g * x
    if y.ndim == 1:
        if x.ndim == 2:
            return x.T @ g
        return sum_to(squeeze(matrix_transpose(x) @ expand_dims(g, g.ndim), x.ndim - 1), y.shape)
    if x.ndim == 1:
        return sum_to(expand_dims(x, 1) * expand_dims(g, g.ndim - 1), y.shape)
    return sum_to(matrix_transpose(x) @ g, y.shape)


_OUTER = Helper(
    "_outer",
    '''
def _outer(column, row, out):
    """column @ row. As a sum begins with 0, there is no -0.0 in a product of matrices."""
    np.multiply(column, row, out=out)
    return np.add(out, 0, out=out)
''',
)


def _product_into(speller: Speller, parts: Sequence[Form], node: Node, to: Destination) -> Form | None:
    if to.out is None:
        return None
    # dot has half the overhead, but skips a factor that is one number and 0, beside which nan and inf would be nan
    plain = all(
        part.ndim <= 2 and any(isinstance(n, int) and n > 1 for n in part.shape) for part in node.inputs
    )
    if plain and (form := tall.spell(speller, parts, node, to)):
        return form
    if plain or not _is_outer(*node.inputs):
        function = "np.dot" if plain else "np.matmul"
    else:
        function = speller.helper(_OUTER) if node.dtype.kind == "f" else "np.multiply"
    return Form(f"{function}({parts[0].text}, {parts[1].text}, out={to.out})")


def _is_outer(x: Node, y: Node) -> bool:
    """Whether nothing is added up, and lines are so long that `_OUTER` takes less time than np.matmul."""
    columns = y.shape[-1]
    long = not isinstance(columns, int) or columns >= 8
    return x.ndim > 1 and y.ndim > 1 and x.shape[-1] == 1 and long


def _samples(rng: np.random.Generator) -> Iterator[Sample]:
    shapes: Sequence[tuple[tuple[int, ...], tuple[int, ...]]] = (
        ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (2, 3, 4)), ((3,), (5, 3, 4)),
        ((5, 2, 3), (3,)), ((1, 2, 3), (4, 3, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 2)),
    )  # fmt: skip
    for left, right in shapes:
        yield Sample((rng.normal(size=left), rng.normal(size=right)))


@defop(
    infer=_product,
    axes=_product_axes,
    reference=np.matmul,
    numpy=infix("@", PRODUCT),
    into=_product_into,
    vjp={"x": _by_left, "y": _by_right},
    jvp="multilinear",
    samples=_samples,
    errors=(
        Fault((((2, 3), "float32"), ((2, 3), "float32")), {}, ShapeError, "inner sizes 3 and 2"),
        Fault((((), "float32"), ((3,), "float32")), {}, ShapeError, "needs dimensions"),
        Fault((((2, 2, 3), "float32"), ((4, 3, 2), "float32")), {}, ShapeError, "do not broadcast"),
    ),
    rule={"x": "dA = G B.T", "y": "dB = A.T G"},
    noun="product",
    combines="add",
    operands=("x", "y"),
    cost=_flops,
    uses_blas=lambda node: node.dtype.name in ("float32", "float64"),
)
def matmul(x: Operand, y: Operand) -> Node:
    """The matrix product x @ y of any ranks, as `numpy.matmul` has it.   dA = G B.T, dB = A.T G

    A vector on the left is a row, on the right a column; leading axes are broadcast.

    >>> gg.matmul(gg.input("x", ("batch", 784)), gg.param("w", (784, 50))).shape
    (Dim('batch'), 50)
    """
    left, right = promoting(np.matmul)((x, y))
    return apply("matmul", left, right)


bind("matmul", matmul)
