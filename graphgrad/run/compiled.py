"""`Compiled`: an emitted module, loaded, with its arguments checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from graphgrad.core.dim import Dim
from graphgrad.core.errors import ArgumentError, GraphgradError
from graphgrad.core.graph import Graph
from graphgrad.core.interface import Interface
from graphgrad.core.lazy import lazy_import
from graphgrad.core.node import Node
from graphgrad.core.operators import bound
from graphgrad.core.rewriting import Firing
from graphgrad.emit.source import Source
from graphgrad.plan.alias import base
from graphgrad.plan.plan import Plan
from graphgrad.plan.schedule import is_free
from graphgrad.plan.sizes import never_negative
from graphgrad.run.arguments import Arguments, check_targets
from graphgrad.run.bound import Bound
from graphgrad.run.cotangents import complete, default
from graphgrad.run.explain import Explanation, explain
from graphgrad.run.footprint import Footprint
from graphgrad.run.initial import initial_values
from graphgrad.run.load import emitted_lines, file_name, load
from graphgrad.run.nonfinite import blame, is_finite
from graphgrad.run.residuals import unpack
from graphgrad.run.verify import verify

if TYPE_CHECKING:
    from graphgrad.rewrite.lineage import Decline
    from graphgrad.run.profile import Profile

Array = np.ndarray[Any, Any]
_passes = lazy_import("graphgrad.rewrite.passes")
_profile = lazy_import("graphgrad.run.profile")
_save = lazy_import("graphgrad.run.save")


class Compiled:
    """A compiled model: call it with arrays, read its source, save it, look at it.

    Made by `graphgrad.compile`. It may be called from many threads at once.
    """

    def __init__(self, plan: Plan, source: Source, stages: Sequence[tuple[str, Graph]]) -> None:
        self.plan = plan
        self.stages = tuple(stages)
        self.emitted = source
        self._interface: Interface = plan.schedule.interface
        self._namespace = load(source)
        self._file = file_name(source)
        self.arguments = Arguments(
            self._interface.name, self._interface.arguments, never_negative(plan.schedule.graph)
        )
        self._copied = tuple(is_free(base(node)) for node in plan.schedule.residuals)
        self._takes_cotangent = self._interface.wrt is not None and "cotangent" not in self.signature
        self._default = default(self._interface)

    # ---- what it is ------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._interface.name

    @property
    def signature(self) -> tuple[str, ...]:
        """The arguments' names, in the order in which they can be given by position."""
        return self.arguments.names

    @property
    def source(self) -> str:
        """The emitted module."""
        return self.emitted.text

    @property
    def has_backward(self) -> bool:
        """Whether it was compiled with `wrt`."""
        return self._interface.wrt is not None

    @property
    def graph(self) -> Graph:
        """The graph that was emitted: the model and its gradients."""
        return self.plan.schedule.graph

    @property
    def firings(self) -> tuple[Firing, ...]:
        """What the optimiser's rules did, in order; ``graph.rewriting.describe(firing)`` says it in a line."""
        rewriting = self.graph.rewriting
        return () if rewriting is None else rewriting.firings

    @property
    def declines(self) -> tuple[Decline, ...]:
        """Which rules fit somewhere and did not fire, and why."""
        found: tuple[Decline, ...] = _passes.declined(self.graph, self._interface.level)
        return found

    @property
    def function(self) -> Callable[..., Any]:
        """The emitted function that calling runs, without any check of its arguments."""
        name = "forward" if self._interface.wrt is None else "forward_and_backward"
        function: Callable[..., Any] = self._namespace[name]
        return function

    def __repr__(self) -> str:
        return f"<compiled {self.name}({', '.join(self.signature)})>"

    def __reduce__(self) -> tuple[Any, ...]:
        """As the graph it was compiled from, never as code."""
        return (bound("finish"), (self.graph, self._interface, self.stages))

    # ---- running ---------------------------------------------------------------------------------------

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run the model: the outputs, or with `wrt` the outputs and the gradients by name.

        Raises
        ------
        ArgumentError, DTypeError, ShapeError
            If the arguments do not fit; nothing has run then.
        """
        interface = self._interface
        if interface.wrt is None:
            values = self.arguments.bind(args, kwargs)
            outputs = self._outputs(self._run("forward", values))
            if interface.check_nan:
                self._ensure_finite(outputs, self._output_nodes, self._given(values))
            return outputs
        cotangent = self._take_cotangent(kwargs)
        values = self.arguments.bind(args, kwargs)
        parts, whole = self._cotangents(cotangent, interface.arguments, values)
        outputs, grads = self._run("forward_and_backward", values, cotangent=whole)
        outputs, grads = self._outputs(outputs), _arrays(grads)
        if interface.check_nan:
            nodes, seeds = self._pulled(parts)
            self._ensure_finite((outputs, grads), [*self._output_nodes, *nodes], self._given(values) | seeds)
        return outputs, grads

    def forward(self, /, *args: Any, **kwargs: Any) -> Any:
        """The outputs; with `wrt`, the outputs and the residuals that `backward` takes.

        The residuals are the call's own: changing an argument afterwards does not change them.
        """
        values = self.arguments.bind(args, kwargs)
        result = self._run("forward", values)
        given, residuals = (result, ()) if self._interface.wrt is None else result
        outputs = self._outputs(given)
        if self._interface.check_nan:
            self._ensure_finite(outputs, self._output_nodes, self._given(values))
        if self._interface.wrt is None:
            return outputs
        count = len(self._copied)
        own = (
            np.array(value) if copied else value
            for value, copied in zip(residuals, self._copied, strict=False)
        )
        return outputs, (*own, *residuals[count:])

    def backward(self, residuals: Any, cotangent: Any = None) -> dict[str, Array]:
        """The gradients by name, from the residuals of a `forward` call, which stay as they are.

        Parameters
        ----------
        cotangent:
            In the outputs' structure, None meaning zero; by default 1 for a scalar first output and None for the
            rest.
        """
        if self._interface.wrt is None:
            raise ArgumentError(
                f"{self.name} was compiled without wrt, so it has no backward",
                hint="gg.compile(..., wrt=[...])",
            )
        kept, hidden = unpack(self.plan.schedule, residuals)
        parts, whole = self._cotangents(cotangent, list(kept), list(kept.values()), hidden)
        grads = _arrays(self._run("backward", (residuals, whole)))
        if self._interface.check_nan:
            nodes, seeds = self._pulled(parts)
            self._ensure_finite(grads, nodes, kept | seeds, hidden)
        return grads

    def step(self, /, *args: Any, **kwargs: Any) -> Any:
        """What a call returns; and the new value of each leaf in `updates` is written into the array passed for
        it. With `check_nan`, nothing is written if something is not finite."""
        interface = self._interface
        if not interface.updates:
            raise ArgumentError(f"{self.name} was compiled without updates, so it has no step")
        cotangent = self._take_cotangent(kwargs)
        values = self.arguments.bind(args, kwargs)
        given = self._given(values)
        check_targets(
            interface.updates, given, dict(zip(self.signature, args, strict=False)) | kwargs, self.name
        )
        seeds: dict[Node, Any] = {}
        keywords: dict[str, Any] = {}
        if interface.needs_cotangent or cotangent is not None:
            seeds, keywords = self._step_cotangent(cotangent, values)
        before = {leaf: np.array(given[leaf]) for leaf in interface.updates if interface.check_nan}
        result = self._run("step", values, **keywords)
        outputs, grads = (result, {}) if interface.wrt is None else result
        outputs, grads = self._outputs(outputs), _arrays(grads)
        if interface.check_nan:
            self._ensure_step_finite((outputs, grads), given, before, seeds)
        return (outputs, grads) if interface.wrt is not None else outputs

    def init(self, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """Initial values of the parameters and states, by name, in the order of the signature.

        Raises
        ------
        ArgumentError, ShapeError
            If `rng` is no generator, or a parameter has a symbolic size.
        """
        return initial_values(self._interface.arguments, rng)

    def bind(self, values: Mapping[str, Any]) -> Bound:
        """A callable that owns these arguments (a copy of each) and takes the others."""
        return Bound(self, values)

    # ---- looking ---------------------------------------------------------------------------------------

    def save(self, path: Any) -> Any:
        """Write the module to a file, whole or not at all; large constants go to a ``.npz`` of the same name."""
        return _save.save(self.emitted, path)

    def memory(self, /, **sizes: int) -> Footprint:
        """Bytes of one call on all threads that loops run on; without sizes, each a formula in the symbolic ones.

        ``memory().draw()`` draws them.
        """
        return Footprint(self.plan, self.emitted, self._threads(), sizes)

    def _threads(self) -> int:
        """How many threads loops run on."""
        most, given = self.plan.most_threads, self._interface.threads
        if not self.plan.tiles:
            return 1
        threads: int = given or self._namespace["_team"].cores()
        return threads if most is None else min(threads, most)

    def explain(self, line: int) -> Explanation:
        """What a line of the source is: the model's line, the term of the chain rule, bytes and flops."""
        return explain(self.emitted, self.plan, line)

    def draw(self, **options: Any) -> Any:
        """A picture of forward and backward; see `graphgrad.draw`."""
        return bound("draw")(self, **options)

    def verify(self, /, **arrays: Any) -> dict[str, float]:
        """Compare with the interpreter and with finite differences; see `graphgrad.run.verify.verify`."""
        return verify(self.plan, self._namespace, self.arguments, arrays)

    def profile(self, /, **arrays: Any) -> Profile:
        """Time every statement; see `graphgrad.run.profile.profile`. Its ``draw()`` shows the times on the picture."""
        timed: Profile = _profile.profile(self.emitted, self.plan, self.arguments.bind((), arrays))
        return timed

    # ---- inside ----------------------------------------------------------------------------------------

    def _take_cotangent(self, kwargs: dict[str, Any]) -> Any:
        """Remove the keyword that is no argument of the model, unless one has that very name."""
        return kwargs.pop("cotangent", None) if self._takes_cotangent else None

    def _run(self, function: str, values: Sequence[Any], **keywords: Any) -> Any:
        try:
            return self._namespace[function](*values, **keywords)
        except GraphgradError:
            raise
        except Exception as error:
            self._annotate(error)
            raise

    def _annotate(self, error: Exception) -> None:
        """Add to an error from within where in the user's model it happened."""
        for line in emitted_lines(error, self._file):
            origin = self.emitted.by_line.get(line)
            if origin is not None:
                error.add_note(str(explain(self.emitted, self.plan, line)))

    def _given(self, values: Sequence[Any]) -> dict[Node, Any]:
        return dict(zip(self._interface.arguments, values, strict=True))

    @property
    def _output_nodes(self) -> tuple[Node, ...]:
        return self.graph.outputs[self._interface.outputs]

    def _outputs(self, outputs: Any) -> Any:
        match self._interface.structure.kind:
            case "one":
                return np.asarray(outputs)
            case "dict":
                return _arrays(outputs)
        return type(outputs)(map(np.asarray, outputs))

    def _cotangents(
        self,
        cotangent: Any,
        nodes: Sequence[Node],
        values: Sequence[Any],
        hidden: Mapping[str, int] = MappingProxyType({}),
    ) -> tuple[tuple[Any, ...], Any]:
        """A cotangent for each output, checked against the sizes that these values have; and all in their structure."""
        if cotangent is None and self._default is not None:
            return self._default
        sizes: dict[str, int] = dict(hidden)
        for node, value in zip(nodes, values, strict=True):
            for size, number in zip(node.shape, np.shape(value), strict=True):
                if isinstance(size, Dim) and size.name is not None:
                    sizes[size.name] = number
        parts = complete(self._interface, cotangent, sizes)
        return parts, self._interface.structure.build(parts)

    def _step_cotangent(
        self, cotangent: Any, values: Sequence[Any]
    ) -> tuple[dict[Node, Any], dict[str, Any]]:
        interface = self._interface
        if not interface.needs_cotangent:
            raise ArgumentError(f"{self.name}.step starts from a scalar, so it takes no cotangent")
        parts, whole = self._cotangents(cotangent, interface.arguments, values)
        if parts[0] is None:
            raise ArgumentError(f"{self.name}.step needs the cotangent of the first output")
        return {interface.seeds[0].cotangent: parts[0]}, {"cotangent": whole}

    def _pulled(self, parts: Sequence[Any]) -> tuple[list[Node], dict[Node, Any]]:
        """The gradients that cotangents ask for, and the seeds they start from."""
        nodes: list[Node] = []
        seeds: dict[Node, Any] = {}
        for number, seed in enumerate(self._interface.seeds):
            if parts[seed.output] is not None:
                nodes += self.graph.outputs[self._interface.gradients(number)]
                seeds[seed.cotangent] = np.asarray(parts[seed.output], seed.cotangent.dtype)
        return nodes, seeds

    def _ensure_finite(
        self,
        results: Any,
        computed: Sequence[Node],
        values: Mapping[Node, Any],
        sizes: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        if not is_finite(results):
            raise blame(computed, values, sizes, self.graph)

    def _ensure_step_finite(
        self, results: Any, given: Mapping[Node, Any], before: Mapping[Node, Any], seeds: Mapping[Node, Any]
    ) -> None:
        interface = self._interface
        if is_finite((results, [given[leaf] for leaf in before])):
            return
        for leaf, value in before.items():
            given[leaf][...] = value
        outputs = self.graph.outputs
        computed = [*self._output_nodes, *outputs[interface.step_gradients], *outputs[interface.new_values]]
        raise blame(computed, {**given, **seeds}, {}, self.graph)


def _arrays(results: dict[str, Any]) -> dict[str, Array]:
    """The same dict, NumPy's scalars in it made arrays."""
    for name, value in results.items():
        if type(value) is not np.ndarray:
            results[name] = np.asarray(value)
    return results
