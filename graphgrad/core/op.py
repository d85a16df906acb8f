"""What an op is: one place that says everything about it, and a function that builds its nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeAlias

import numpy as np

from graphgrad.core.broadcasting import check_pairing
from graphgrad.core.dim import Size
from graphgrad.core.errors import GraphgradError, InvalidNameError
from graphgrad.core.form import Emission, Into
from graphgrad.core.node import Node, intern_node
from graphgrad.core.operators import bound
from graphgrad.core.provenance import composite, is_recording
from graphgrad.core.spec import Spec

P = ParamSpec("P")

Attrs: TypeAlias = Mapping[str, Any]
Infer: TypeAlias = Callable[..., "Spec | tuple[Spec, ...]"]
"""``infer(*input_specs, **attrs)``."""

BROADCAST: Literal["broadcast"] = "broadcast"
REDUCED: Literal["reduced"] = "reduced"
WHOLE: Literal["whole"] = "whole"


@dataclass(frozen=True, slots=True)
class Blocks:
    """The role of an axis whose slices go to blocks of an axis of the result, or whose blocks go to slices, one after
    the other: the first axis of those that a reshape makes one of, or the one that it makes several of."""

    axis: int


AxisRole: TypeAlias = int | Blocks | Literal["broadcast", "reduced", "whole"]
"""What becomes of an input's axis: the result's axis it is mapped to (slice i of the result needs only
slice i), `Blocks` of one, BROADCAST (size 1, stretched), REDUCED (summed or the like), or WHOLE (every slice of the
result needs all of it)."""
Axes: TypeAlias = Callable[..., tuple[tuple[AxisRole, ...], ...]]
"""``axes(*input_specs, **attrs)``: for each input, for each of its axes, the role."""

Combination: TypeAlias = Literal["add", "multiply", "maximum", "minimum", "logical_or", "logical_and"]
"""The ufunc that makes one result of those of several parts."""

Vjp: TypeAlias = Callable[..., "Node | None"]
"""``vjp(g, y, *inputs, **attrs)``: the cotangent of one input from the result's; None means zero."""


@dataclass(frozen=True)
class NotDifferentiable:
    """In place of VJPs: gradients stop here, for the reason given."""

    reason: str


@dataclass(frozen=True)
class Sample:
    """Arguments to test an op with: arrays, which become inputs, and the function's other arguments."""

    arrays: tuple[np.ndarray[Any, Any], ...]
    kwargs: Attrs = field(default_factory=dict)
    packed: bool = False
    """The function takes the arrays as one list."""


@dataclass(frozen=True)
class Fault:
    """Arguments that must be refused: specs of the inputs, other arguments, the error, words it says."""

    specs: tuple[tuple[tuple[int | str, ...], str], ...]
    kwargs: Attrs
    error: type[GraphgradError]
    words: str
    packed: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Op:
    """Everything there is to know of one op. Made by `defop`."""

    name: str
    doc: str
    operands: tuple[str, ...] | None
    """Names of the inputs; None if any number is taken."""
    infer: Infer
    axes: Axes
    reference: Callable[..., Any]
    """``reference(*arrays, **attrs)``: what the op means, by NumPy; never shared with emission."""
    numpy: Emission
    vjp: Mapping[str, Vjp] | Callable[..., Node | None] | NotDifferentiable
    """By operand's name; a single function ``vjp(i, g, y, *inputs, **attrs)`` if any number of inputs is
    taken."""
    jvp: Mapping[str, Vjp] | Literal["diagonal", "linear", "multilinear"] | NotDifferentiable
    """By operand's name, ``jvp(t, y, *inputs, **attrs)``, contributions added up; or "diagonal": the VJP's
    formula is the JVP's too; "linear": the op of the tangents; "multilinear": the op with one input replaced
    by its tangent. An op of several results gives a tuple, None where one does not depend on the input."""
    samples: Callable[[np.random.Generator], Iterator[Sample]]
    errors: Sequence[Fault]
    rule: Mapping[str, str]
    """The chain-rule term of each operand, as a textbook writes it; G is the result's cotangent."""
    cost: Callable[[tuple[Spec, ...], Spec], Size]
    """Floating-point operations, from the inputs' specs and the result's."""
    noun: str
    """What a result without a name is called in emitted code."""
    elementwise: bool
    """Works element by element with NumPy's broadcasting; its VJPs accept a cotangent that still has to be
    broadcast, and give one that still has to be summed over what was broadcast."""
    lazy: bool
    """Its VJPs accept a cotangent that still has to be broadcast; elementwise ops are."""
    view: bool
    """The result may share memory with the first input."""
    light: bool
    """So cheap and short that it may stand inside another statement: ``w.T``, ``x[:, 0]``."""
    repeats: bool
    """Its source names an operand more than once, so an operand is a name and nothing longer."""
    into: Into | None
    """How it is written where there is an array for its result; None if NumPy always makes a new one."""
    overwrites: tuple[int, ...]
    """The inputs whose memory `into` may write the result to, if they have the result's spec."""
    scratch: int
    """How many arrays like the result `into` needs on the way."""
    combines: Combination | None
    """How results for parts of REDUCED axes, cut at the same places in all inputs, become the result for the whole;
    None if they do not."""
    temporaries: Callable[[Node], Sequence[Spec]]
    """What arrays its expression makes on the way and drops."""
    uses_blas: Callable[[Node], bool]
    """Whether its source calls BLAS, which is held to one thread where several compute side by side."""
    is_expression: bool
    """Its source is an expression; otherwise statements."""
    singular: Callable[[Node], bool]
    """Whether a node's value or derivative may be inf or nan for finite inputs: then the branch that `where`
    did not take is guarded."""
    regular_above_zero: int | None
    """The operand that leaves nothing singular where it is above 0: what is divided by, or a root is taken of."""
    piecewise_constant: bool
    """Differentiable with gradient zero."""
    is_leaf: bool
    promote: Callable[[Sequence[Any]], tuple[Node, ...]]
    """Nodes from the function's arguments: arrays and scalars become constants, dtypes are made to agree."""

    def __call__(self, /, *inputs: Node, **attrs: Any) -> Node:
        """The node of this op on these inputs. Shape and dtype are inferred here, at the user's line."""
        try:
            spec = self.infer(*(part.spec for part in inputs), **attrs)
            if self.elementwise and len(inputs) > 1 and isinstance(spec, Spec) and is_recording():
                check_pairing(inputs, spec.shape)
        except GraphgradError as error:
            saw = error.saw or tuple(map(_seen, inputs))
            raise type(error)(f"{self.name}: {error.what}", saw=saw, hint=error.hint) from None
        return intern_node(self, inputs, attrs, spec if isinstance(spec, tuple) else (spec,))

    def __reduce__(self) -> tuple[Any, ...]:
        return (op_named, (self.name,))

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def operand_name(self, index: int) -> str:
        """What the formulas call input `index`."""
        return self.operands[index] if self.operands is not None else f"x{index}"

    def pull_back(self, index: int, g: Any, node: Node) -> Node | None:
        """The cotangent of input `index`; None means zero."""
        if isinstance(self.vjp, NotDifferentiable):
            return None
        if callable(self.vjp):
            return self.vjp(index, g, node, *node.inputs, **node.attrs)
        return self.vjp[self.operand_name(index)](g, node, *node.inputs, **node.attrs)


def _seen(node: Node) -> str:
    """A node for a message; what promotion converted is shown as the user knows it."""
    if node.op.name == "cast" and node.name is None:
        return f"{node.inputs[0].describe()}, as {node.dtype}"
    return node.describe()


_registry: dict[str, Op] = {}
_functions: dict[str, Callable[..., Node]] = {}


def op_named(name: str) -> Op:
    """The op registered under `name`."""
    return _registry[name]


def function_named(name: str) -> Callable[..., Node]:
    """The function that builds nodes of the op registered under `name`."""
    return _functions[name]


def registry() -> Mapping[str, tuple[Op, Callable[..., Node]]]:
    """Every op with the function that builds its nodes, by name."""
    return {name: (op, _functions[name]) for name, op in _registry.items()}


def apply(name: str, /, *inputs: Node, **attrs: Any) -> Node:
    """The node of the op called `name`: how a function that first works on its arguments ends."""
    return _registry[name](*inputs, **attrs)


_REQUIRED = ("infer", "axes", "reference", "numpy", "vjp", "jvp", "samples", "errors", "rule", "noun")


def defop(**fields: Any) -> Callable[[Callable[P, Node | None]], Callable[P, Node]]:
    """Define an op from its fields (see `Op`) and the function that users call.

    The function's docstring is the op's documentation and its parameters without default are the operands. A
    body that returns nothing means: the arguments are the inputs. Otherwise it ends with `apply`.

    Raises
    ------
    InvalidNameError
        When the module is imported: if a field is missing or misspelt, a name is taken, or there is no
        docstring.
    """

    def define(function: Callable[P, Node | None]) -> Callable[P, Node]:
        name = fields.pop("name", function.__name__)
        signature = inspect.signature(function)
        operands = fields.pop("operands", _operands(signature))
        full = (
            _defaults()
            | {"lazy": fields.get("elementwise", False)}
            | fields
            | {"name": name, "doc": function.__doc__ or "", "operands": operands}
        )
        _check(full)
        op = Op(**full)

        @composite  # a cast or broadcast made on the way does not take the name that the result is assigned to
        @wraps(function)
        def build(*args: P.args, **kwargs: P.kwargs) -> Node:
            made = function(*args, **kwargs)
            if made is not None:
                return made
            given = signature.bind(*args, **kwargs).args if kwargs else args
            return op(*op.promote(given))

        build.__annotations__ = {**function.__annotations__, "return": "Node"}
        build.op = op  # type: ignore[attr-defined]
        _registry[name] = op
        _functions[name] = build
        return build

    return define


def _operands(signature: inspect.Signature) -> tuple[str, ...]:
    return tuple(
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.default is inspect.Parameter.empty
    )


def _defaults() -> dict[str, Any]:
    return {
        "elementwise": False,
        "lazy": False,
        "view": False,
        "light": False,
        "repeats": False,
        "into": None,
        "overwrites": (),
        "scratch": 0,
        "combines": None,
        "temporaries": lambda node: (),
        "uses_blas": lambda node: False,
        "is_expression": True,
        "singular": lambda node: False,
        "regular_above_zero": None,
        "piecewise_constant": False,
        "is_leaf": False,
        "promote": lambda arguments: tuple(map(bound("as_node"), arguments)),
        "cost": lambda inputs, result: result.size,
    }


def _check(fields: Mapping[str, Any]) -> None:
    name = fields["name"]
    missing = [field_name for field_name in _REQUIRED if field_name not in fields]
    unknown = [field_name for field_name in fields if field_name not in Op.__dataclass_fields__]
    if missing or unknown:
        raise InvalidNameError(f"op {name}: fields missing {missing}, unknown {unknown}")
    if name in _registry:
        raise InvalidNameError(f"op {name} is defined twice")
    if not fields["doc"].strip():
        raise InvalidNameError(f"op {name} has no docstring")
    for table in ("vjp", "jvp", "rule"):
        entries = fields[table]
        if isinstance(entries, Mapping) and fields["operands"] is not None:
            wrong = [operand for operand in entries if operand not in fields["operands"]]
            lacking = (
                [operand for operand in fields["operands"] if operand not in entries]
                if table == "vjp"
                else []
            )
            if wrong or lacking:
                raise InvalidNameError(f"op {name}: {table} has {wrong} and lacks {lacking}")
