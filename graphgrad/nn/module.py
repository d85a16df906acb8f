"""Modules: layers, and models made of layers, as classes whose parameters are called by where they stand.

    class Net(gg.nn.Module):
        def __init__(self):
            self.hidden, self.relu, self.output = gg.nn.Linear(784, 50), gg.nn.ReLU(), gg.nn.Linear(50, 1)

        def __call__(self, x):
            return self.output(self.relu(self.hidden(x)))

A leaf is called what it is called from the start, but a layer does not know where it will stand when it is made. So
a layer declares its parameters (`parameter`), and they become leaves when somebody first asks for one of them: by then
``net.hidden.weight`` is known to be ``"hidden.weight"``, PyTorch's state-dict key. All parameters of a model are made
at once, in the order of its attributes, which is the order they have in signatures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from contextvars import ContextVar
from functools import wraps
from reprlib import recursive_repr
from textwrap import indent
from typing import Any

from graphgrad.core.errors import ArgumentError, UnsupportedError
from graphgrad.core.names import scope
from graphgrad.core.node import Node
from graphgrad.core.provenance import current_site, is_own, recorded, recording
from graphgrad.core.spec import as_dtype, as_shape
from graphgrad.ops.leaf import Init, param

__all__ = ["Module", "parameter"]

_running: ContextVar[Module | None] = ContextVar("graphgrad_module", default=None)
_making = threading.Lock()


class _Declared:
    """A parameter that has no name yet, and the line that asked for it."""

    __slots__ = ("dtype", "init", "leaf", "shape", "site")

    def __init__(self, shape: Any, dtype: Any, init: Init | None) -> None:
        self.shape, self.dtype, self.init = as_shape(shape), as_dtype(dtype), init
        self.site = current_site()
        self.leaf: Node | None = None

    def called(self, name: str) -> Node:
        """The leaf; one that stands in two places keeps its first name."""
        if self.leaf is None:
            with recording("off"):
                self.leaf = param(name, self.shape, self.dtype, self.init)
            self.leaf.notes.site = self.site
        return self.leaf

    def __deepcopy__(self, memo: object) -> _Declared:
        copied = _Declared(self.shape, self.dtype, self.init)  # a copied layer learns on its own
        copied.site = self.site
        return copied


def parameter(shape: Any, dtype: Any = "float32", init: Init | None = None) -> Any:
    """A parameter of a module, called by the attribute it is assigned to; zeros unless `init` says otherwise.

    Reading the attribute gives the leaf that `gg.param` makes, named by the way from the outermost module to here.

    >>> class Scale(gg.nn.Module):
    ...     def __init__(self, size):
    ...         self.factor = gg.nn.parameter((size,), init=gg.init.ones())
    ...     def __call__(self, x):
    ...         return x * self.factor
    >>> gg.nn.Sequential(Scale(3))[0].factor
    <param 0.factor: float32 (3,)>
    """
    return _Declared(shape, dtype, init)


class Module:
    """A layer or a model: fields, ``__init__``, and ``__call__``, which builds nodes.

    Modules and parameters in its attributes, also in lists, tuples and dicts, are its own. A parameter is called as in
    PyTorch's state dict, ``"hidden.weight"`` or ``"layers.0.bias"``, by the place of its module when its first
    parameter is asked for; calling a module opens a `gg.scope` with the name of its attribute. The outermost module
    has no name: to use two of them in one graph, let a module hold both.

    >>> class Net(gg.nn.Module):
    ...     def __init__(self):
    ...         self.hidden, self.output = gg.nn.Linear(784, 50), gg.nn.Linear(50, 1, bias=False)
    ...     def __call__(self, x):
    ...         return self.output(gg.tanh(self.hidden(x)))
    >>> net = Net()
    >>> [leaf.name for leaf in net.parameters()]
    ['hidden.weight', 'hidden.bias', 'output.weight']
    >>> net(gg.input("x", ("batch", 784))).scope
    ('output',)
    """

    _place: tuple[Module, str] | None = None
    """The module that holds this one, and under what name: the first, if there are several."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__call__" in vars(cls):
            cls.__call__ = _entering(cls.__call__)  # type: ignore[method-assign]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError(
            f"{type(self).__name__} has no __call__", hint="def __call__(self, x): ... in the class"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        for key, part in _parts(name, value):
            if isinstance(part, Module):
                self._hold(key, part)
            elif isinstance(part, _Declared) and part is not value:
                raise ArgumentError("a parameter of a module is assigned to an attribute of its own, not in a list",
                                    hint="self.weight = gg.nn.parameter(shape)")  # fmt: skip
        object.__setattr__(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if isinstance(value, _Declared):
            _make_leaves(_outermost(self))
            value = object.__getattribute__(self, name)
        return value

    @recursive_repr()
    def __repr__(self) -> str:
        """The layers that it holds, one a line, as PyTorch prints them."""
        held = [f"({name}): {part!r}" for name, part in self._attributes() if isinstance(part, Module)]
        options = self.extra_repr()
        inside = indent("\n".join([options, *held] if options else held), "  ")
        return f"{type(self).__name__}(\n{inside}\n)" if held else f"{type(self).__name__}({options})"

    def extra_repr(self) -> str:
        """What `repr` says of a module besides its layers: for a class of your own to say, as in PyTorch.

        >>> print(gg.nn.Sequential(gg.nn.Linear(784, 50), gg.nn.ReLU()))
        Sequential(
          (0): Linear(in_features=784, out_features=50, bias=True)
          (1): ReLU()
        )
        """
        return ""

    def parameters(self) -> list[Node]:
        """The leaves to learn, each once: its own, then those of its modules, in the order of attributes.

        >>> gg.nn.Linear(3, 2).parameters()
        [<param weight: float32 (2, 3)>, <param bias: float32 (2,)>]
        """
        return [leaf for _, leaf in self.named_parameters()]

    def named_parameters(self) -> list[tuple[str, Node]]:
        """The leaves to learn with their keys in a state dict of this module.

        >>> [key for key, _ in gg.nn.Sequential(gg.nn.Linear(3, 2), gg.nn.ReLU()).named_parameters()]
        ['0.weight', '0.bias']
        """
        _make_leaves(_outermost(self))
        found: dict[Node, str] = {}
        for path, module in _walk(self):
            for key, part in module._attributes():
                if isinstance(part, Node) and part.op.name == "param":
                    found.setdefault(part, path + key)
        return [(key, leaf) for leaf, key in found.items()]

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        """The modules and parameters among the attributes, with their names."""
        for name, value in list(vars(self).items()):
            if name != "_place":
                yield from _parts(name, value)

    def _hold(self, name: str, part: Module) -> None:
        if part._place is not None:
            return
        if part is _outermost(self):
            raise ArgumentError(
                f"a module cannot hold itself: {name!r} is the module that this {type(self).__name__} is in"
            )
        object.__setattr__(part, "_place", (self, name))


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The modules, parameters and other nodes in the value of an attribute: itself, or what a list or dict holds."""
    match value:
        case Module() | Node() | _Declared():
            yield name, value
        case list() | tuple():
            for at, item in enumerate(value):
                yield from _parts(f"{name}.{at}", item)
        case dict():
            for key, item in value.items():
                yield from _parts(f"{name}.{key}", item)


def _outermost(module: Module) -> Module:
    while module._place is not None:
        module = module._place[0]
    return module


def _walk(module: Module) -> list[tuple[str, Module]]:
    """A module and all it holds, each once and before what it holds, with the prefix of its parameters' keys.

    What was put into a list after that became an attribute gets its place here.
    """
    found, seen, waiting = [], set(), [("", module)]
    while waiting:
        path, module = waiting.pop()
        if id(module) in seen:  # a dataclass has no hash
            continue
        seen.add(id(module))
        found.append((path, module))
        held = [(key, part) for key, part in module._attributes() if isinstance(part, Module)]
        for key, part in held:
            module._hold(key, part)
        waiting += [(f"{path}{key}.", part) for key, part in reversed(held)]
    return found


def _make_leaves(outermost: Module) -> None:
    """Turn every declared parameter into a leaf."""
    with _making:
        for path, module in _walk(outermost):
            own = vars(module)
            for name, value in list(own.items()):
                if isinstance(value, _Declared):
                    own[name] = value.called(path + name)


def _entering(call: Callable[..., Any]) -> Callable[..., Any]:
    """The ``__call__`` of a module, in the scope of its name.

    Within a module of the user's, names and lines are noted as anywhere; the lines of graphgrad's own are not his.
    """
    build = recorded("inner" if is_own(call.__module__) else "user", call)

    @wraps(call)
    def enter(self: Module, /, *args: Any, **kwargs: Any) -> Any:
        around = _running.get()
        if around is self:  # super().__call__
            return build(self, *args, **kwargs)
        if around is None:
            _walk(self)
        token = _running.set(self)
        try:
            with nullcontext() if self._place is None else scope(self._place[1]):
                return build(self, *args, **kwargs)
        finally:
            _running.reset(token)

    return enter
