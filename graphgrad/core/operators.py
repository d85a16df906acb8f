"""Node's operators. Each calls the op function bound under its name, so that core does not know the ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from graphgrad.core.errors import NodeUseError

if TYPE_CHECKING:
    from graphgrad.core.node import Node

_bound: dict[str, Callable[..., Node]] = {}


def bind(name: str, function: Callable[..., Any]) -> None:
    """Make `function` what the operator or method `name` of every node calls."""
    _bound[name] = function


def bound(name: str) -> Callable[..., Any]:
    """The function bound under `name`."""
    return _bound[name]


class Operators:
    """Arithmetic, comparison, indexing and the usual methods of an array, for nodes."""

    __slots__ = ()
    __array_priority__ = 1000

    def __add__(self, other: Any) -> Node:
        return _bound["add"](self, other)

    def __radd__(self, other: Any) -> Node:
        return _bound["add"](other, self)

    def __sub__(self, other: Any) -> Node:
        return _bound["subtract"](self, other)

    def __rsub__(self, other: Any) -> Node:
        return _bound["subtract"](other, self)

    def __mul__(self, other: Any) -> Node:
        return _bound["multiply"](self, other)

    def __rmul__(self, other: Any) -> Node:
        return _bound["multiply"](other, self)

    def __truediv__(self, other: Any) -> Node:
        return _bound["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return _bound["divide"](other, self)

    def __matmul__(self, other: Any) -> Node:
        return _bound["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Node:
        return _bound["matmul"](other, self)

    def __pow__(self, other: Any) -> Node:
        return _bound["pow"](self, other)

    def __rpow__(self, other: Any) -> Node:
        return _bound["power"](other, self)

    def __floordiv__(self, other: Any) -> Node:
        return _bound["floor_divide"](self, other)

    def __rfloordiv__(self, other: Any) -> Node:
        return _bound["floor_divide"](other, self)

    def __mod__(self, other: Any) -> Node:
        return _bound["remainder"](self, other)

    def __rmod__(self, other: Any) -> Node:
        return _bound["remainder"](other, self)

    def __divmod__(self, other: Any) -> tuple[Node, Node]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Node, Node]:
        return other // self, other % self

    def __and__(self, other: Any) -> Node:
        return _bound["and"](self, other)

    def __rand__(self, other: Any) -> Node:
        return _bound["and"](other, self)

    def __or__(self, other: Any) -> Node:
        return _bound["or"](self, other)

    def __ror__(self, other: Any) -> Node:
        return _bound["or"](other, self)

    def __xor__(self, other: Any) -> Node:
        return _bound["xor"](self, other)

    def __rxor__(self, other: Any) -> Node:
        return _bound["xor"](other, self)

    def __lshift__(self, other: Any) -> Node:
        return _bound["left_shift"](self, other)

    def __rlshift__(self, other: Any) -> Node:
        return _bound["left_shift"](other, self)

    def __rshift__(self, other: Any) -> Node:
        return _bound["right_shift"](self, other)

    def __rrshift__(self, other: Any) -> Node:
        return _bound["right_shift"](other, self)

    def __invert__(self) -> Node:
        return _bound["invert"](self)

    def __neg__(self) -> Node:
        return _bound["negative"](self)

    def __pos__(self) -> Node:
        return self  # type: ignore[return-value]  # only Node has these operators

    def __abs__(self) -> Node:
        return _bound["abs"](self)

    def __lt__(self, other: Any) -> Node:
        return _bound["less"](self, other)

    def __le__(self, other: Any) -> Node:
        return _bound["less_equal"](self, other)

    def __gt__(self, other: Any) -> Node:
        return _bound["greater"](self, other)

    def __ge__(self, other: Any) -> Node:
        return _bound["greater_equal"](self, other)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    __hash__ = object.__hash__

    def __getitem__(self, index: Any) -> Node:
        return _bound["getitem"](self, index)

    def __iter__(self) -> Iterator[Node]:
        return (self[i] for i in range(len(self)))

    def __len__(self) -> int:
        length: int = bound("len")(self)
        return length

    def reshape(self, *shape: Any, order: str = "C") -> Node:
        """See `graphgrad.reshape`; the shape may be one tuple or several sizes."""
        return _bound["reshape"](self, shape[0] if len(shape) == 1 else shape, order)

    def ravel(self, order: str = "C") -> Node:
        """See `graphgrad.ravel`."""
        return _bound["ravel"](self, order)

    def flatten(self, order: str = "C") -> Node:
        """See `graphgrad.ravel`: nodes are immutable, so a copy is no different."""
        return _bound["ravel"](self, order)

    def swapaxes(self, axis1: int, axis2: int) -> Node:
        """See `graphgrad.swapaxes`."""
        return _bound["swapaxes"](self, axis1, axis2)

    def repeat(self, repeats: Any, axis: int | None = None) -> Node:
        """See `graphgrad.repeat`."""
        return _bound["repeat"](self, repeats, axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
        """See `graphgrad.diagonal`."""
        return _bound["diagonal"](self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
        """See `graphgrad.trace`."""
        return _bound["trace"](self, offset, axis1, axis2)

    def dot(self, other: Any) -> Node:
        """See `graphgrad.dot`."""
        return _bound["dot"](self, other)

    def transpose(self, *axes: Any) -> Node:
        """See `graphgrad.transpose`; the axes may be one tuple or several ints."""
        return _bound["transpose"](self, (axes[0] if len(axes) == 1 else axes) or None)

    @property
    def T(self) -> Node:  # NumPy's name
        """The axes reversed."""
        return _bound["transpose"](self, None)

    @property
    def mT(self) -> Node:  # NumPy's name
        """The last two axes swapped."""
        return _bound["matrix_transpose"](self)

    def sum(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.sum`."""
        return _bound["sum"](self, axis, keepdims, **options)

    def prod(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.prod`."""
        return _bound["prod"](self, axis, keepdims, **options)

    def mean(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.mean`."""
        return _bound["mean"](self, axis, keepdims, **options)

    def var(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.var`."""
        return _bound["var"](self, axis, keepdims, **options)

    def std(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.std`."""
        return _bound["std"](self, axis, keepdims, **options)

    def cumsum(self, axis: Any = None, dtype: Any = None) -> Node:
        """See `graphgrad.cumsum`."""
        return _bound["cumsum"](self, axis, dtype)

    def cumprod(self, axis: Any = None, dtype: Any = None) -> Node:
        """See `graphgrad.cumprod`."""
        return _bound["cumprod"](self, axis, dtype)

    def max(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.max`."""
        return _bound["max"](self, axis, keepdims, **options)

    def min(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.min`."""
        return _bound["min"](self, axis, keepdims, **options)

    def any(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.any`."""
        return _bound["any"](self, axis, keepdims, **options)

    def all(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.all`."""
        return _bound["all"](self, axis, keepdims, **options)

    def argmax(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.argmax`."""
        return _bound["argmax"](self, axis, keepdims, **options)

    def argmin(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Node:
        """See `graphgrad.argmin`."""
        return _bound["argmin"](self, axis, keepdims, **options)

    def clip(self, min: Any = None, max: Any = None) -> Node:
        """See `graphgrad.clip`."""
        return _bound["clip"](self, min, max)

    def round(self, decimals: int = 0) -> Node:
        """See `graphgrad.round`."""
        return _bound["round"](self, decimals)

    def squeeze(self, axis: Any = None) -> Node:
        """See `graphgrad.squeeze`."""
        return _bound["squeeze"](self, axis)

    def astype(self, dtype: Any) -> Node:
        """See `graphgrad.cast`."""
        return _bound["cast"](self, dtype)

    def take(self, indices: Any, axis: Any = None, mode: str = "raise") -> Node:
        """See `graphgrad.take`."""
        return _bound["take"](self, indices, axis, mode)

    def argsort(self, axis: Any = -1, kind: Any = None) -> Node:
        """See `graphgrad.argsort`."""
        return _bound["argsort"](self, axis, kind)

    def argpartition(self, kth: Any, axis: Any = -1) -> Node:
        """See `graphgrad.argpartition`."""
        return _bound["argpartition"](self, kth, axis)

    def searchsorted(self, v: Any, side: str = "left") -> Node:
        """See `graphgrad.searchsorted`."""
        return _bound["searchsorted"](self, v, side)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Node:
        return _bound["array_ufunc"](ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Node:
        return _bound["array_function"](function, args, kwargs)

    def __bool__(self) -> NoReturn:
        raise _misuse(self, "has no truth value: its numbers exist only when the model runs",
                      "gg.where(condition, a, b) instead of `if`, `and`, `or` and `not`")  # fmt: skip

    def __float__(self) -> NoReturn:
        raise _misuse(
            self, "is no number yet", "gg.compile(node) and call it; gg.cast(node, dtype) to change the dtype"
        )

    def __int__(self) -> NoReturn:
        raise _misuse(
            self, "is no number yet", "gg.compile(node) and call it; gg.cast(node, dtype) to change the dtype"
        )

    __index__ = __complex__ = __int__

    def __contains__(self, item: object) -> NoReturn:
        raise _misuse(self, "cannot be searched with `in`", "gg.equal(node, value) and a reduction over it")

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise _misuse(self, "is no array yet", "gg.compile(node) and call it")

    def __setitem__(self, index: object, value: object) -> NoReturn:
        raise _misuse(self, "cannot be assigned to: nodes are immutable",
                      "y = gg.at(node, i).set(v), or .add(v) for +=")  # fmt: skip

    def __delitem__(self, index: object) -> NoReturn:
        raise _misuse(self, "cannot lose elements: nodes are immutable", "slices and gg.concatenate")


def _misuse(node: Any, problem: str, hint: str) -> NodeUseError:
    return NodeUseError(f"a node {problem}", saw=[node.describe()], hint=hint)
