"""The compiler on one screen: define, stabilize, differentiate, rewrite, schedule, plan, emit, run.

Shapes and dtypes are inferred when nodes are made, so a graph that exists is a graph that fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphgrad.autodiff.joint import differentiate
from graphgrad.core.collector import collector_paused
from graphgrad.core.graph import Graph
from graphgrad.core.interface import Interface
from graphgrad.core.node import Node
from graphgrad.define import check_options, define
from graphgrad.emit.module import emit
from graphgrad.lint import lint
from graphgrad.plan.plan import plan_memory
from graphgrad.plan.schedule import schedule
from graphgrad.rewrite.passes import rewrite, stabilize
from graphgrad.run.compiled import Compiled


def compile(
    outputs: Any,
    *,
    inputs: Sequence[Node] | None = None,
    wrt: Any = None,
    updates: Mapping[Node, Any] | None = None,
    target: str = "numpy",
    level: str = "default",
    memory_limit: int | None = None,
    threads: int | None = None,
    check_nan: bool = False,
    trace: bool = False,
    name: str = "model",
    allow_unused: bool = True,
) -> Compiled:
    """Compile outputs, and the gradients of the first one, to NumPy source, and load it.

    Parameters
    ----------
    outputs:
        A node, or a tuple, list or dict of nodes; results have that structure.
    inputs:
        The arguments' order; by default inputs, states, parameters and generators, each as they were made.
    wrt:
        What to differentiate by: a node, list, tuple or dict (whose keys then name the gradients).
    updates:
        New values of leaves, which `Compiled.step` writes into the arrays passed for them.
    level:
        "plain" is the chain rule as a textbook writes it; "default" rewrites it as far as results stay what they are
        but for rounding and overflow, "fast" also where that holds for fewer arguments.
    memory_limit:
        Bytes that a call may work in beyond its arguments and results, all threads together: tiles are made to fit.
    threads:
        How many threads run the loops over tiles; by default one for each core, or as many as the environment's
        GRAPHGRAD_THREADS says.
    check_nan:
        Raise `NonFiniteError` at the node where the first NaN or inf of a call arises.
    trace:
        Keep the graph after every pass in `Compiled.stages`.
    name:
        The module's name.
    allow_unused:
        As in `grad`.

    Raises
    ------
    GraphgradError
        If something asked for cannot be; the message says what, and at which line.

    Warns
    -----
    GraphgradWarning
        If the model is legal but does what is hardly meant, such as computing in float64 what is float32.

    >>> x = gg.input("x", ("n",))
    >>> model = gg.compile(gg.sum(x**2), wrt=x)
    >>> model(np.ones(3, np.float32))
    (array(3., dtype=float32), {'x': array([2., 2., 2.], dtype=float32)})
    """
    check_options(target, level, memory_limit, threads)
    with collector_paused():
        options = (level, name, check_nan, memory_limit, threads)
        defined, interface = define(outputs, inputs, wrt, updates, *options)
        stable = stabilize(defined, level, interface.wrt or ())
        joint = differentiate(stable, interface, allow_unused)
        lint(defined, joint, interface)
        stages = (
            ("define", defined),
            *([] if stable is defined else [("stabilize", stable)]),
            ("differentiate", joint),
            *rewrite(joint, level),
        )
    return finish(stages[-1][1], interface, stages if trace else ())


def finish(graph: Graph, interface: Interface, stages: Sequence[tuple[str, Graph]] = ()) -> Compiled:
    """From a whole graph to something that runs."""
    with collector_paused():
        scheduled = schedule(graph, interface)
        plan = plan_memory(scheduled)
        source = emit(plan)
        return Compiled(plan, source, stages)
