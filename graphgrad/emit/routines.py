"""The functions of a module: forward, backward, the two fused, and step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphgrad.core.interface import Interface, Seed
from graphgrad.core.structure import Structure
from graphgrad.emit.body import body, called, given, hand_over, has_reference, size_lines, uses_workspace
from graphgrad.emit.namer import identifier
from graphgrad.emit.numpy import Writer
from graphgrad.emit.source import Comment, Line
from graphgrad.emit.spelling import clean, dtype_text, key_text, return_tuple
from graphgrad.emit.workspace import give_back_line
from graphgrad.plan.plan import PlannedRoutine
from graphgrad.plan.schedule import sizes_of

Function = tuple[str, str, list[Line]]
"""A function's signature, docstring and body."""


def functions(writer: Writer) -> list[Function]:
    """Every function of the module that computes, in the order in which they are written."""
    plan = writer.plan
    interface = plan.schedule.interface
    made: list[Function] = []
    if plan.schedule.has("fused"):
        made.append(_fused(writer, plan.routine("fused")))
    made.append(_forward(writer, plan.routines[0]))
    if interface.wrt is not None:
        backwards = [planned for planned in plan.routines if planned.routine.kind == "backward"]
        made += _backwards(writer, backwards)
        if not plan.schedule.has("fused"):
            made.append(_one_after_the_other(writer))
    if plan.schedule.has("step"):
        made.append(_step(writer, plan.routine("step")))
    if has_reference(plan):
        made.append(_reference(writer, plan.routine("reference")))
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


def output_words(interface: Interface, writer: Writer) -> str:
    """The outputs in a sentence."""
    names = [called(writer, node) for node in writer.graph.outputs[interface.outputs]]
    if interface.structure.kind == "one":
        return names[0]
    if interface.structure.keys:
        names = [clean(key) for key in interface.structure.keys]
    return (
        f"a {interface.structure.kind} of {', '.join(names)}"
        if names
        else f"an empty {interface.structure.kind}"
    )


# ---- forward and backward ----


def _forward(writer: Writer, planned: PlannedRoutine) -> Function:
    writer.enter(planned)
    interface = writer.plan.schedule.interface
    lines = body(writer, planned, interface.arguments, writer.plan.schedule.residual_sizes)
    last, results = hand_over(writer, planned)
    lines += last
    outputs = display(interface.structure, results)
    what = output_words(interface, writer)
    if interface.wrt is None:
        doc = f"Return {what}."
        lines.append(Line(f"return {outputs}"))
    else:
        doc = f"Return {what}, and the residuals that backward needs (arguments among them are not copied)."
        lines.append(Line(f"return {outputs}, {_residual_tuple(writer)}"))
    return f"forward({arguments_text(writer)})", doc, lines


def _reference(writer: Writer, planned: PlannedRoutine) -> Function:
    writer.enter(planned)
    interface = writer.plan.schedule.interface
    lines = body(writer, planned, interface.arguments)
    lines.append(Line(f"return {display(interface.structure, given(writer, planned))}"))
    doc = "The model as it was written, which selfcheck compares with."
    return f"_reference({arguments_text(writer)})", doc, lines


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
    return called(writer, writer.graph.outputs[output])


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
    brought = schedule.residual_sizes
    lines = size_lines(writer, [name for name in sizes_of(wrt) if name not in brought], arrays)
    lines += [
        Line(f"{writer.names.size(name)} = residuals[{len(arrays) + at}]")
        for at, name in enumerate(brought)
        if name in sizes_of(wrt)
    ]
    zeros = [f"np.zeros({writer.shape(node.shape)}, {dtype_text(node.dtype)})" for node in wrt]
    return [*lines, Line(f"grads = {dict_text(interface.keys, zeros)}")]


def _pull(writer: Writer, planned: PlannedRoutine) -> list[Line]:
    writer.enter(planned)
    schedule = writer.plan.schedule
    interface = schedule.interface
    names = _residual_names(writer)
    lines = (
        [Line(f"{return_tuple(names) if len(names) == 1 else ', '.join(names)} = residuals")] if names else []
    )
    seeded = _seed(writer, planned, "cotangent")
    arrays = [*schedule.residuals, *([_seed_of(planned).cotangent] if seeded else [])]
    lines += seeded
    statements = body(writer, planned, arrays)
    if lines and statements and statements[0].code.startswith("#"):
        lines.append(Line(""))
    lines += statements
    last, results = hand_over(writer, planned)
    return [*lines, *last, Line(f"return {dict_text(interface.keys, results)}")]


def _seed_of(planned: PlannedRoutine) -> Seed:
    seed = planned.routine.seed
    assert seed is not None  # every backward pass has one
    return seed


def _seed(writer: Writer, planned: PlannedRoutine, value: str) -> list[Line]:
    """Where the backward pass starts, unless nothing depends on it."""
    seed = _seed_of(planned)
    leaf = seed.cotangent
    if not any(leaf in node.inputs for node in planned.routine.steps) and leaf not in planned.routine.results:
        return []
    text = f"{dtype_text(leaf.dtype)}({value})" if leaf.shape == () else value
    name = clean(_label(writer, writer.plan.schedule.interface, seed.output))
    return [Line(f"{writer.names[leaf]} = {text}", Comment(f"{'seed:':<10} d {name} / d {name}"), (leaf,))]


def _with_cotangent(writer: Writer) -> str:
    default = default_cotangent(writer.plan.schedule.interface)
    keyword = f"*, cotangent{'=' + default if default else ''}"
    return f"forward_and_backward({', '.join(part for part in (arguments_text(writer), keyword) if part)})"


def _one_after_the_other(writer: Writer) -> Function:
    what = output_words(writer.plan.schedule.interface, writer)
    lines = [
        Line(f"outputs, residuals = forward({arguments_text(writer)})"),
        Line("return outputs, backward(residuals, cotangent)"),
    ]
    return _with_cotangent(writer), f"Return {what}, and the gradients by name.", lines


def _fused(writer: Writer, planned: PlannedRoutine) -> Function:
    """Both passes in one function, so that what forward keeps for backward lies in the workspace too."""
    writer.enter(planned)
    interface = writer.plan.schedule.interface
    count = interface.structure.size
    lines = []
    if interface.structure.kind != "one":
        both = _one_after_the_other(writer)[2]
        lines += [Line(f"if {_unusual(interface)}:"), *(Line(f"    {line.code}") for line in both)]
    lines += _seed(writer, planned, _part(interface, 0))
    lines += body(writer, planned, interface.arguments)
    last, results = hand_over(writer, planned)
    outputs = display(interface.structure, results[:count])
    lines += [*last, Line(f"return {outputs}, {dict_text(interface.keys, results[count:])}")]
    what = output_words(interface, writer)
    return _with_cotangent(writer), f"Return {what}, and the gradients by name.", lines


def _unusual(interface: Interface) -> str:
    """When it is not just the first output that has a cotangent."""
    first, *others = interface.seeds
    rest = [f"{_part(interface, seed.output)} is not None" for seed in others]
    return " or ".join([f"{_part(interface, first.output)} is None", *rest])


def _step(writer: Writer, planned: PlannedRoutine) -> Function:
    writer.enter(planned)
    interface = writer.plan.schedule.interface
    lines = body(writer, planned, interface.arguments)
    if interface.needs_cotangent:
        lines.insert(0, Line(f"{writer.names[interface.seeds[0].cotangent]} = {_part(interface, 0)}"))
    early, results = hand_over(writer, planned, early=True)  # before anything is written
    count, width = interface.structure.size, len(interface.wrt or ())
    lines += [*early, Line(""), Line("# write")]
    for leaf, value in zip(interface.updates, results[count + width :], strict=True):
        lines.append(Line(f"{writer.names[leaf]}[...] = {value}"))
    if uses_workspace(planned):
        lines.append(give_back_line(writer.plan, writer.names))
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
