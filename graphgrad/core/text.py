"""The text form of a graph: one node a line. Read back, given the leaves, it builds the identical nodes.

%0 = input "x" float32[batch, 784]
%1 = param "w" float32[784, 50]
%2 = matmul(%0, %1) -> float32[batch, 50]
return %2
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim, as_size
from graphgrad.core.errors import InvalidValueError
from graphgrad.core.node import Node, intern_node
from graphgrad.core.op import op_named
from graphgrad.core.provenance import recording
from graphgrad.core.spec import Spec
from graphgrad.core.traverse import toposort


def write_nodes(outputs: Iterable[Node], inputs: Iterable[Node] = ()) -> str:
    """The text of everything `outputs` need, `inputs` first."""
    outputs = tuple(outputs)
    order = toposort([*inputs, *outputs])
    number = {node: at for at, node in enumerate(order)}
    lines = []
    for node in order:
        if node.op.is_leaf:
            lines.append(f"%{number[node]} = {node.op.name} {node.attrs['name']!a} {_spec(node.spec)}")
        else:
            parts = ", ".join(f"%{number[part]}" for part in node.inputs)
            attrs = "".join(f"; {name}={_write(value)}" for name, value in sorted(node.attrs.items()))
            lines.append(
                f"%{number[node]} = {node.op.name}({parts}{attrs}) -> {' '.join(map(_spec, node.specs))}"
            )
    lines.append("return " + " ".join(f"%{number[node]}" for node in outputs))
    return "\n".join(lines) + "\n"


def read_nodes(text: str, leaves: Iterable[Node]) -> tuple[Node, ...]:
    """The outputs that the text describes, built on these leaves, which are found by kind and name.

    Raises
    ------
    InvalidValueError
        If the text is not the text form of a graph.
    """
    known = {(leaf.op.name, leaf.attrs["name"]): leaf for leaf in leaves}
    nodes: dict[str, Node] = {}
    with recording("off"):
        for line in text.splitlines():
            if line.startswith("return"):
                return tuple(nodes[reference] for reference in line.split()[1:])
            target, _, right = line.partition(" = ")
            nodes[target] = _read_node(right, nodes, known)
    raise InvalidValueError("the text of a graph ends with a line `return ...`")


def _read_node(right: str, nodes: dict[str, Node], known: dict[tuple[str, str], Node]) -> Node:
    leaf = re.fullmatch(r"(\w+) ('.*'|\".*\") \S+\[.*\]", right)
    if leaf:
        kind, name = leaf[1], ast.literal_eval(leaf[2])
        if (kind, name) not in known:
            raise InvalidValueError(f"the text needs the {kind} {name!r}, which was not given")
        return known[kind, name]
    whole = re.fullmatch(r"(\w+)\(([%\d, ]*)((?:; .*)?)\) -> (.*)", right)
    if not whole:
        raise InvalidValueError(f"no line of a graph: {right!r}")
    inputs = tuple(nodes[reference] for reference in whole[2].split(", ") if reference)
    attrs = {}
    for pair in whole[3].split("; ")[1:]:
        name, _, value = pair.partition("=")
        attrs[name] = _read(ast.parse(value, mode="eval").body)
    specs = tuple(_read_spec(item) for item in re.findall(r"\w+\[.*?\](?= |$)", whole[4]))
    return intern_node(op_named(whole[1]), inputs, attrs, specs)


def _spec(spec: Spec) -> str:
    return f"{spec.dtype}[{', '.join(map(str, spec.shape))}]"


def _read_spec(text: str) -> Spec:
    dtype, _, sizes = text.rstrip("]").partition("[")
    tree = ast.parse(f"[{sizes}]", mode="eval").body
    items = tree.elts if isinstance(tree, ast.List) else []
    return Spec(tuple(as_size(_size_text(item)) for item in items), np.dtype(dtype))


def _size_text(item: ast.expr) -> int | str:
    return item.value if isinstance(item, ast.Constant) and isinstance(item.value, int) else ast.unparse(item)


def _write(value: Any) -> str:
    match value:
        case Dim():
            return f"dim({str(value)!a})"
        case float():
            return f"number({value.hex()!r})"
        case tuple():
            return f"({', '.join(map(_write, value))}{',' if len(value) == 1 else ''})"
        case slice():
            return f"slice({_write(value.start)}, {_write(value.stop)}, {_write(value.step)})"
        case np.dtype():
            return f"dtype({str(value)!r})"
        case np.ndarray():
            return f"array({value.dtype.str!r}, {value.shape!r}, {value.tobytes().hex()!r})"
    return ascii(value)


def _read(tree: ast.expr) -> Any:
    match tree:
        case ast.Tuple(elts=items):
            return tuple(map(_read, items))
        case ast.Call(func=ast.Name(id=kind), args=args):
            parts = [_read(argument) for argument in args]
            match kind:
                case "dim":
                    return as_size(parts[0])
                case "number":
                    return float.fromhex(parts[0])
                case "slice":
                    return slice(*parts)
                case "dtype":
                    return np.dtype(parts[0])
                case "array":
                    array = np.frombuffer(bytes.fromhex(parts[2]), np.dtype(parts[0])).reshape(parts[1])
                    array.flags.writeable = False
                    return array
    return ast.literal_eval(tree)
