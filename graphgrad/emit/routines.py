"""The functions of a module: forward, backward, the two fused, and step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphgrad.core.dim import Dim
from graphgrad.core.interface import Interface
from graphgrad.core.node import Node
from graphgrad.core.spec import Shape
from graphgrad.core.structure import Structure
from graphgrad.emit.layers import layer_names
from graphgrad.emit.namer import identifier
from graphgrad.emit.numpy import Writer, clean, dtype_text, key_text, return_tuple
from graphgrad.emit.source import Comment, Line
from graphgrad.plan.plan import PlannedRoutine
from graphgrad.plan.schedule import Routine, is_free, sizes_in, sizes_of

Function = tuple[str, str, list[Line]]
"""A function's signature, docstring and body."""


def functions(writer: Writer) -> list[Function]:
    """Every function of the module that computes, in the order in which they are written."""
    plan = writer.plan
    interface = plan.schedule.interface
    made = [_forward(writer, plan.routines[0])]
    if interface.wrt is not None:
        backwards = [planned for planned in plan.routines if planned.routine.kind == "backward"]
        made += _backwards(writer, backwards)
        made.append(_fused(writer))
    if plan.schedule.step is not None:
        made.append(_step(writer, plan.routines[-1]))
    return made


def display(structure: Structure, items: Sequence[str]) -> str:
    """Source that builds a structure."""
    match structure.kind:
        case "one":
            return items[0]
        case "tuple":
            return return_tuple(items) if items else "()"
        case "list":
            return f"[{', '.join(items)}]"
    return dict_text(structure.keys, items)


def dict_text(keys: Iterable[str], items: Iterable[str]) -> str:
    """A dict display."""
    return "{" + ", ".join(f"{key_text(key)}: {item}" for key, item in zip(keys, items, strict=True)) + "}"


def arguments_text(writer: Writer) -> str:
    """The parameters of every function that takes the model's arguments."""
    return ", ".join(writer.names[leaf] for leaf in writer.plan.schedule.interface.arguments)


def _given(writer: Writer, planned: PlannedRoutine) -> list[str]:
    """The results as source, copied where they would share memory."""
    return [
        writer.value(node).text + (".copy()" if copied else "")
        for node, copied in zip(planned.routine.results, planned.copies, strict=True)
    ]


def output_words(interface: Interface, writer: Writer) -> str:
    """The outputs in a sentence."""
    names = [_called(writer, node) for node in writer.graph.outputs[interface.outputs]]
    if interface.structure.kind == "one":
        return names[0]
    if interface.structure.keys:
        names = [clean(key) for key in interface.structure.keys]
    return (
        f"a {interface.structure.kind} of {', '.join(names)}"
        if names
        else f"an empty {interface.structure.kind}"
    )


def _called(writer: Writer, node: Node) -> str:
    return writer.called(node) if not is_free(node) or node.op.is_leaf else "a constant"


# ---- bodies ----


def body(
    writer: Writer, planned: PlannedRoutine, available: Sequence[Node], sizes: Sequence[str] = ()
) -> list[Line]:
    """The statements of a routine, in paragraphs by layer; first the sizes that they and the caller need."""
    routine = planned.routine
    needed = dict.fromkeys((*sizes_in([*routine.steps, *routine.results]), *sizes))
    lines = _size_lines(writer, needed, [(writer.names[node], node.shape) for node in available])
    heading: tuple[str, ...] | None = None
    titles = _titles(writer, routine)
    for node in routine.steps:
        if node in planned.inside:
            continue
        title = titles.get(node)
        if title != heading:
            heading = title
            if lines and title:
                lines.append(Line(""))
            if title:
                lines.append(Line("# " + ": ".join(title)))
        lines += writer.statement(node, planned)
    return lines


def _size_lines(writer: Writer, names: Iterable[str], available: Sequence[tuple[str, Shape]]) -> list[Line]:
    """Read named sizes off the first array that has them; those that residuals bring need no line."""
    hidden = writer.plan.schedule.residual_sizes
    where: dict[str, str] = {}
    for text, shape in available:
        for axis, size in enumerate(shape):
            if isinstance(size, Dim) and size.name is not None:
                where.setdefault(size.name, f"{text}.shape[{axis}]")
    lines = []
    for name in names:
        if name in where:
            lines.append(Line(f"{writer.names.size(name)} = {where[name]}"))
        elif name not in hidden:
            raise AssertionError(f"no argument has the size {name}")  # checked when the graph was defined
    return lines


def _titles(writer: Writer, routine: Routine) -> dict[Node, tuple[str, ...]]:
    """The heading of each step: its layer, and its phase where a function has several."""
    phases = writer.plan.schedule.phases
    several = routine.kind == "step" or len({phases[node] for node in routine.steps}) > 1
    layers = layer_names(writer.graph, routine.steps, writer.reader_of)
    titles: dict[Node, tuple[str, ...]] = {}
    for node in routine.steps:
        phase, layer = phases[node], clean(layers[node])
        titles[node] = (*((phase,) if several else ()), *((layer,) if layer and phase != "update" else ()))
    return titles


# ---- forward and backward ----


def _forward(writer: Writer, planned: PlannedRoutine) -> Function:
    writer.enter(planned)
    interface = writer.plan.schedule.interface
    lines = body(writer, planned, interface.arguments, writer.plan.schedule.residual_sizes)
    outputs = display(interface.structure, _given(writer, planned))
    what = output_words(interface, writer)
    if interface.wrt is None:
        doc = f"Return {what}."
        lines.append(Line(f"return {outputs}"))
    else:
        doc = f"Return {what}, and the residuals that backward needs (arguments among them are not copied)."
        lines.append(Line(f"return {outputs}, {_residual_tuple(writer)}"))
    return f"forward({arguments_text(writer)})", doc, lines


def _residual_names(writer: Writer) -> list[str]:
    schedule = writer.plan.schedule
    return [writer.names[node] for node in schedule.residuals] + [
        writer.names.size(name) for name in schedule.residual_sizes
    ]


def _residual_tuple(writer: Writer) -> str:
    names = _residual_names(writer)
    return return_tuple(names) if names else "()"


def _backwards(writer: Writer, planned: Sequence[PlannedRoutine]) -> list[Function]:
    interface = writer.plan.schedule.interface
    if interface.structure.kind == "one":
        default = "" if interface.needs_cotangent else "=1.0"
        doc = _gradient_words(interface, output_words(interface, writer))
        return [(f"backward(residuals, cotangent{default})", doc, _pull(writer, planned[0]))]
    made: list[Function] = []
    calls: dict[str, str] = {}
    for number, one in enumerate(planned):
        seed = interface.seeds[number]
        label = identifier(_label(writer, interface, seed.output))
        function = f"_backward_from_{label}" if len(planned) > 1 else "_backward_from"
        if function in calls:  # two outputs of one name, or the same one twice
            function = f"{function.rstrip('_')}_of_output_{seed.output}"
        made.append(
            (f"{function}(residuals, cotangent)", _gradient_words(interface, label), _pull(writer, one))
        )
        calls[function] = _part(interface, seed.output)
    doc = "Return the gradients; cotangent has the outputs' structure, None is zero."
    made.append((_dispatch_signature(interface), doc, _dispatch(writer, calls)))
    return made


def _gradient_words(interface: Interface, label: str) -> str:
    keys = [clean(key) for key in interface.keys]
    if not keys:
        return "Return no gradient."
    return f"Return the gradient of cotangent * {label} by {'each of ' * (len(keys) > 1)}{', '.join(keys)}."


def _label(writer: Writer, interface: Interface, output: int) -> str:
    if interface.structure.keys:
        return interface.structure.keys[output]
    return _called(writer, writer.graph.outputs[output])


def _part(interface: Interface, output: int) -> str:
    if interface.structure.kind == "one":
        return "cotangent"
    if interface.structure.keys:
        return f"cotangent[{key_text(interface.structure.keys[output])}]"
    return f"cotangent[{output}]"


def default_cotangent(interface: Interface) -> str:
    """The cotangent that is used if none is given, as source; "" if one is needed."""
    if interface.needs_cotangent or interface.seeds[0].output != 0:
        return ""
    return display(interface.structure, ["1.0"] + ["None"] * (interface.structure.size - 1))


def _dispatch_signature(interface: Interface) -> str:
    default = default_cotangent(interface)
    return f"backward(residuals, cotangent{'=' + default if default else ''})"


def _dispatch(writer: Writer, calls: Mapping[str, str]) -> list[Line]:
    """The sum over the outputs whose cotangent is given; what the others hold, be it NaN, plays no part."""
    pairs = return_tuple([f"({function}, {part})" for function, part in calls.items()])
    return [
        Line("grads = None"),
        Line(f"for pull_back, given in {pairs}:"),
        Line("    if given is not None:"),
        Line("        more = pull_back(residuals, given)"),
        Line("        grads = more if grads is None else {key: grads[key] + more[key] for key in more}"),
        Line("if grads is None:"),
        *(Line(f"    {line.code}") for line in _zeros(writer)),
        Line("return grads"),
    ]


def _zeros(writer: Writer) -> list[Line]:
    """Where every cotangent is None."""
    schedule = writer.plan.schedule
    interface = schedule.interface
    wrt = interface.wrt or ()
    arrays = [(f"residuals[{at}]", node.shape) for at, node in enumerate(schedule.residuals)]
    lines = _size_lines(writer, sizes_of(wrt), arrays)
    lines += [
        Line(f"{writer.names.size(name)} = residuals[{len(arrays) + at}]")
        for at, name in enumerate(schedule.residual_sizes)
        if name in sizes_of(wrt)
    ]
    zeros = [f"np.zeros({writer.shape(node.shape)}, {dtype_text(node.dtype)})" for node in wrt]
    return [*lines, Line(f"grads = {dict_text(interface.keys, zeros)}")]


def _pull(writer: Writer, planned: PlannedRoutine) -> list[Line]:
    writer.enter(planned)
    schedule = writer.plan.schedule
    interface = schedule.interface
    seed = planned.routine.seed
    assert seed is not None  # backward routines have one
    names = _residual_names(writer)
    lines = (
        [Line(f"{return_tuple(names) if len(names) == 1 else ', '.join(names)} = residuals")] if names else []
    )
    leaf = seed.cotangent
    arrays = [*schedule.residuals]
    if any(leaf in node.inputs for node in planned.routine.steps) or leaf in planned.routine.results:
        arrays.append(leaf)
        value = f"{dtype_text(leaf.dtype)}(cotangent)" if leaf.shape == () else "cotangent"
        name = clean(_label(writer, interface, seed.output))
        lines.append(
            Line(f"{writer.names[leaf]} = {value}", Comment(f"{'seed:':<10} d {name} / d {name}"), (leaf,))
        )
    statements = body(writer, planned, arrays)
    if lines and statements and statements[0].code.startswith("#"):
        lines.append(Line(""))
    lines += statements
    lines.append(Line(f"return {dict_text(interface.keys, _given(writer, planned))}"))
    return lines


def _fused(writer: Writer) -> Function:
    interface = writer.plan.schedule.interface
    default = default_cotangent(interface)
    arguments = arguments_text(writer)
    keyword = f"*, cotangent{'=' + default if default else ''}"
    signature = f"forward_and_backward({', '.join(part for part in (arguments, keyword) if part)})"
    what = output_words(interface, writer)
    lines = [
        Line(f"outputs, residuals = forward({arguments})"),
        Line("return outputs, backward(residuals, cotangent)"),
    ]
    return signature, f"Return {what}, and the gradients by name.", lines


def _step(writer: Writer, planned: PlannedRoutine) -> Function:
    writer.enter(planned)
    interface = writer.plan.schedule.interface
    lines = body(writer, planned, interface.arguments)
    if interface.needs_cotangent:
        lines.insert(0, Line(f"{writer.names[interface.seeds[0].cotangent]} = {_part(interface, 0)}"))
    results = _given(writer, planned)
    copied = planned.copies
    for at, (node, text) in enumerate(zip(planned.routine.results, results, strict=True)):
        if copied[at]:  # before anything is written
            name = writer.names.fresh(f"{identifier(_called(writer, node))}_before"[:48])
            lines.append(Line(f"{name} = {text}"))
            results[at] = name
    count, width = interface.structure.size, len(interface.wrt or ())
    lines += [Line(""), Line("# write")]
    for leaf, value in zip(interface.updates, results[count + width :], strict=True):
        lines.append(Line(f"{writer.names[leaf]}[...] = {value}"))
    outputs = display(interface.structure, results[:count])
    grads = dict_text(interface.keys, results[count : count + width])
    lines.append(Line(f"return {outputs}" if interface.wrt is None else f"return {outputs}, {grads}"))
    written = ", ".join(writer.names[leaf] for leaf in interface.updates)
    same = "forward" if interface.wrt is None else "forward_and_backward"
    doc = f"Return what {same} returns, and write the new values of {written}."
    signature = ", ".join(
        part for part in (arguments_text(writer), "*, cotangent" * interface.needs_cotangent) if part
    )
    return f"step({signature})", doc, lines
