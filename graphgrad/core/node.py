"""Nodes: immutable and interned, so that equal construction gives the same object."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from graphgrad.core.dim import Dim, Size
from graphgrad.core.errors import ArgumentError
from graphgrad.core.lazy import lazy_import
from graphgrad.core.names import check_name
from graphgrad.core.operators import Operators, bound
from graphgrad.core.provenance import Notes, record
from graphgrad.core.spec import Shape, Spec

if TYPE_CHECKING:
    from graphgrad.core.op import Op

_hashlib = lazy_import("hashlib")  # loads OpenSSL
_NO_ATTRS: Mapping[str, Any] = MappingProxyType({})
_serials = itertools.count()


class Node(Operators):
    """One value of a model: an op applied to other nodes, or a leaf.

    Nodes are made by graphgrad's functions and operators, never directly. They are immutable, compare by
    identity, and equal construction gives the same object.

    >>> x = gg.input("x", ("batch", 3))
    >>> gg.tanh(x) is gg.tanh(x), gg.tanh(x).shape, gg.tanh(x).dtype
    (True, (Dim('batch'), 3), dtype('float32'))
    """

    __slots__ = ("__weakref__", "attrs", "inputs", "notes", "op", "serial", "specs")
    op: Op
    inputs: tuple[Node, ...]
    attrs: Mapping[str, Any]
    """Static attributes, such as an axis."""
    specs: tuple[Spec, ...]
    """One for each result; nearly all ops have one."""
    serial: int
    """Counts up as nodes are made: the order in which the user wrote them."""
    notes: Notes

    def __init__(
        self, op: Op, inputs: tuple[Node, ...], attrs: Mapping[str, Any], specs: tuple[Spec, ...]
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "op", op)
        set_field(self, "inputs", inputs)
        set_field(self, "attrs", MappingProxyType(dict(attrs)) if attrs else _NO_ATTRS)
        set_field(self, "specs", specs)
        set_field(self, "serial", next(_serials))
        set_field(self, "notes", Notes())

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"nodes are immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"nodes are immutable: cannot delete {name!r}")

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: object) -> Node:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return bound("reduce")(self)  # type: ignore[no-any-return]  # as a flat list: see core/flat.py

    @property
    def spec(self) -> Spec:
        """The spec of the only result.

        Raises
        ------
        ArgumentError
            If the op has several results: take one of them first.
        """
        try:
            (spec,) = self.specs
        except ValueError:
            raise ArgumentError(f"{self.op.name} has {len(self.specs)} results; take one of them") from None
        return spec

    @property
    def shape(self) -> Shape:
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.spec.shape)

    @property
    def size(self) -> Size:
        return self.spec.size

    @property
    def flops(self) -> Size:
        """Floating-point operations that computing it takes."""
        return self.op.cost(tuple(spec for part in self.inputs for spec in part.specs), self.specs[0])

    @property
    def name(self) -> str | None:
        """The leaf's name, or the variable the node was assigned to, or what `named` called it."""
        if self.op.is_leaf:
            leaf_name: str | None = self.attrs.get("name")
            return leaf_name
        return self.notes.name

    @property
    def scope(self) -> tuple[str, ...]:
        """The layers the node was made in."""
        return self.notes.site.scope if self.notes.site is not None else ()

    def describe(self) -> str:
        """One line for a message: what the node is called and its specs."""
        known_as = self.name or self.op.name
        shown = known_as if len(known_as) <= 60 else known_as[:57] + "..."
        return f"{shown}: {', '.join(map(str, self.specs))}"

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.describe()}>"


_table: dict[tuple[Any, ...], weakref.ref[Node]] = {}
_lock = threading.RLock()  # re-entrant: a weakref callback may run while the lock is held


def intern_node(op: Op, inputs: tuple[Node, ...], attrs: Mapping[str, Any], specs: tuple[Spec, ...]) -> Node:
    """The one node of this op, these inputs and these attributes.

    The key holds the inputs' ids: they stay alive as long as the node does, and the entry goes when the node
    goes.
    """
    key = (op, attrs_key(attrs), *map(id, inputs))
    with _lock:
        known = _table.get(key)
        node = known() if known is not None else None
        if node is None:
            node = Node(op, inputs, attrs, specs)
            node.notes.shared = not op.is_leaf and all(part.notes.shared for part in inputs)

            def forget(dead: weakref.ref[Node]) -> None:
                with _lock:
                    if _table.get(key) is dead:
                        del _table[key]

            _table[key] = weakref.ref(node, forget)
    record(node.notes)
    return node


def attrs_key(attrs: Mapping[str, Any]) -> tuple[Any, ...]:
    """A hashable key of attributes: 1, 1.0 and True differ, as do 0.0 and -0.0, and nan is one value."""
    return tuple((name, _value_key(value)) for name, value in sorted(attrs.items())) if attrs else ()


def _value_key(value: Any) -> Any:
    match value:
        case None | bool() | int() | str() | np.dtype():
            return (type(value), value)
        case float():
            return (float, value.hex())
        case Dim():
            return (Dim, value.terms)
        case tuple():
            return (tuple, *map(_value_key, value))
        case slice():
            return (slice, _value_key(value.start), _value_key(value.stop), _value_key(value.step))
        case np.ndarray():
            data = value.tobytes()
            if len(data) > 16:
                data = _hashlib.blake2b(data, digest_size=16).digest()
            return (np.ndarray, value.dtype.str, value.shape, data)
    return (type(value), value)


def named(node: Node, name: str) -> Node:
    """Name an intermediate: in emitted code, in pictures, and as the key of its gradient. Returns the same
    node.

    The name stands before the variable it is assigned to; the first one given stays. A leaf keeps its own
    name.

    >>> gg.named(gg.exp(gg.input("x", ())), "growth").name
    'growth'
    """
    checked = check_name(name, "an intermediate")
    if not isinstance(node, Node):
        raise ArgumentError(f"only a node can be named, not {type(node).__name__}")
    if not node.notes.explicit and not node.op.is_leaf:
        node.notes.name, node.notes.explicit = checked, True
    return node
