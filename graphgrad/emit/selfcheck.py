"""The module's own check: float32 against float64, and gradients against finite differences."""

from __future__ import annotations

from collections.abc import Iterable

from graphgrad.core.dim import spell, symbols
from graphgrad.core.node import Node
from graphgrad.core.traverse import toposort
from graphgrad.emit.body import has_reference
from graphgrad.emit.numpy import Writer
from graphgrad.emit.spelling import dtype_text, key_text, return_tuple
from graphgrad.plan.sizes import sample_size

_COMMON = """
    rng = np.random.default_rng(0)
{sizes}    values = {{
{values}
    }}
    values.update(arrays)
    exact = {{name: wide(value) for name, value in values.items()}}
"""

_OWN = frozenset(
    (
        "arrays rng values name value wide exact first flat listed error errors got want scale key "
        "direction expected ends move found size array"
    ).split()
)
"""The variables of ``selfcheck``."""

_FORWARD = '''
def selfcheck(**arrays):
    """Compare forward with {itself} in float64, on standard normals (zeros for integers) or the arrays given by
    name; return the error.
    """
    def wide(value):
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind == "f" else value

    def flat(outputs):
        listed = outputs.values() if isinstance(outputs, dict) else outputs
        listed = listed if isinstance(outputs, (dict, list, tuple)) else [outputs]
        return [np.asarray(value, np.float64) for value in listed]
{common}
    error = 0.0
    for got, want in zip(flat(forward(**values){outputs}), flat({model}(**exact){of_model}), strict=True):
        scale = np.max(np.abs(want), initial=1.0, where=np.isfinite(want))
        error = max(error, float(np.max(np.abs(got - want), initial=0.0, where=np.isfinite(want)) / scale))
    if not error <= 1e-2:
        raise AssertionError(f"forward is off by {{error:.1e}} of its size")
    return {{"outputs": error}}
'''

_BACKWARD = '''
def selfcheck(**arrays):
    """Compare the gradients with finite differences of {itself}; return the errors.

    On standard normals (zeros for integers) or arrays given by name; along random directions, in float64.{but}
    """
    def wide(value):
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind == "f" else value

    def first(outputs):
        listed = list(outputs.values()) if isinstance(outputs, dict) else outputs
        return np.asarray(listed[0] if isinstance(listed, (list, tuple)) else listed)
{common}
    cotangent = np.ones_like(first(forward(**values)[0]))
    outputs, grads = forward_and_backward(**values, cotangent={cotangent})
    errors = {{}}{same}
    for key, name in {pairs}:
        direction = rng.standard_normal(np.shape(values[name]))
        expected = float(np.sum(grads[key] * direction))
        ends = [
            np.sum(first({model}(**{{**exact, name: exact[name] + move * direction}}){of_model}))
            for move in ({move}, -{move})
        ]
        found = float(ends[0] - ends[1]) / (2 * {move})
        size = float(np.linalg.norm(grads[key])) + {floor}
        errors[key] = abs(found - expected) / size
        if np.isfinite(found) and not errors[key] <= {tolerance}:
            raise AssertionError(f"the gradient by {{key}} is off by {{errors[key]:.1e}} of its size")
    return errors
'''


_BUT = """
    Not by what a stop_gradient holds: differences would let it move."""


_SAME = """
    got, want = np.asarray(first(outputs), np.float64), np.asarray(first(_reference(**exact)), np.float64)
    finite = np.isfinite(want)
    scale = np.max(np.abs(want), initial=1.0, where=finite)
    errors["value"] = float(np.max(np.abs(got - want), initial=0.0, where=finite) / scale)
    if not errors["value"] <= {rounding}:
        raise AssertionError(f"the value is off by {{errors['value']:.1e}} of its size")"""
"""Where the module is not the model as written, line by line: its value, too, is compared."""


def selfcheck_text(writer: Writer) -> str:
    """The source of ``selfcheck``."""
    interface = writer.plan.schedule.interface
    names = dict.fromkeys(
        name for leaf in interface.arguments for size in leaf.shape for name in symbols(size)
    )
    usual = sample_size(writer.graph)
    sizes = "".join(f"    {_local(writer, name)} = {_size_of(writer, name, usual)}\n" for name in names)
    values = "\n".join(
        f'        "{writer.names[leaf]}": {_sample(writer, leaf)},' for leaf in interface.arguments
    )
    common = _COMMON.format(sizes=sizes, values=values).rstrip("\n")
    arguments, held = set(interface.arguments), _held(writer)  # only asked, never iterated
    pairs = [
        f'({key_text(key)}, "{writer.names[node]}")'
        for key, node in zip(interface.keys, interface.wrt or (), strict=True)
        if node in arguments and node not in held
    ]
    apart = has_reference(writer.plan)
    model: dict[str, str] = {
        "model": "_reference" if apart else "forward",
        "of_model": "" if apart or interface.wrt is None else "[0]",
        "itself": "the model as it was written"
        if apart
        else "forward"
        if interface.wrt and pairs
        else "itself",
    }
    if interface.wrt is None or not pairs or not interface.seeds or interface.seeds[0].output != 0:
        return _FORWARD.format(common=common, outputs="" if interface.wrt is None else "[0]", **model)
    double = all(leaf.dtype.itemsize == 8 for leaf in interface.arguments if leaf.dtype.kind == "f")
    move, tolerance = "1e-6", "1e-6" if double else "1e-3"
    if narrows(
        writer.plan.schedule.forward.steps
    ):  # the differences, too, are only as fine as what it casts to
        move, tolerance = "1e-2", "5e-2"
    return _BACKWARD.format(
        common=common,
        cotangent=_cotangent(writer),
        pairs=return_tuple(pairs),
        move=move,
        tolerance=tolerance,
        floor="1e-9" if double else "1e-3",
        but="" if held.isdisjoint(interface.wrt) else _BUT,
        same=_SAME.format(rounding="1e-9" if double else "1e-2") if apart else "",
        **model,
    )


def narrows(steps: Iterable[Node]) -> bool:
    """Whether something is cast to a float of less than 64 bits on the way."""
    return any(
        node.op.name == "cast" and node.dtype.kind == "f" and node.dtype.itemsize < 8 for node in steps
    )


def _held(writer: Writer) -> set[Node]:
    """Leaves between which and the first output somebody stops a gradient: the differences know nothing of it."""
    order = toposort(writer.graph.original.outputs[:1])
    stops = [node for node in order if node.op.name == "stop_gradient" and node.notes.asked]
    return set(toposort(stops))


def _local(writer: Writer, name: str) -> str:
    """A named size in ``selfcheck``, which has variables of its own."""
    known = writer.names.size(name)
    return f"{known}_size" if known in _OWN else known


def _cotangent(writer: Writer) -> str:
    structure = writer.plan.schedule.interface.structure
    others = ["None"] * (structure.size - 1)
    match structure.kind:
        case "one":
            return "cotangent"
        case "dict":
            items = zip(structure.keys, ["cotangent", *others], strict=True)
            return "{" + ", ".join(f"{key_text(key)}: {item}" for key, item in items) + "}"
    return "[" + ", ".join(["cotangent", *others]) + "]"


def _size_of(writer: Writer, name: str, usual: int) -> str:
    """A size as the arrays given have it, else the usual number."""
    for leaf in writer.plan.schedule.interface.arguments:
        for axis, size in enumerate(leaf.shape):
            if getattr(size, "name", None) == name:
                argument = writer.names[leaf]
                return f'np.shape(arrays["{argument}"])[{axis}] if "{argument}" in arrays else {usual}'
    return str(usual)


def _sample(writer: Writer, leaf: Node) -> str:
    if leaf.op.name == "rng":
        return "np.random.default_rng(1)"
    sizes = [spell(size, lambda name: _local(writer, name)) for size in leaf.shape]
    shape = return_tuple(sizes) if sizes else "()"
    if leaf.dtype.kind != "f":
        return f"np.zeros({shape}, {dtype_text(leaf.dtype)})"
    if leaf.dtype.itemsize == 8:
        return f"rng.standard_normal({shape})"
    return f"np.asarray(rng.standard_normal({shape}), {dtype_text(leaf.dtype)})"
