"""`Compiled`: an emitted module, loaded, with its arguments checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphgrad.core.dim import Dim, at_least
from graphgrad.core.errors import ArgumentError, DTypeError, GraphgradError, ShapeError
from graphgrad.core.graph import Graph
from graphgrad.core.interface import Interface
from graphgrad.core.node import Node
from graphgrad.core.operators import bound
from graphgrad.core.spec import shape_text
from graphgrad.emit.source import Source
from graphgrad.plan.alias import base
from graphgrad.plan.memory import Memory
from graphgrad.plan.plan import Plan
from graphgrad.plan.schedule import is_free
from graphgrad.run.arguments import Arguments, check_targets
from graphgrad.run.bound import Bound
from graphgrad.run.explain import Explanation, explain
from graphgrad.run.load import emitted_lines, file_name, load
from graphgrad.run.nonfinite import check_finite
from graphgrad.run.profile import Profile, profile
from graphgrad.run.save import save
from graphgrad.run.verify import verify

Array = np.ndarray[Any, Any]


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
        self._arguments = Arguments(self._interface.name, self._interface.arguments, _fallible_sizes(plan))
        self._copied = tuple(is_free(base(node)) for node in plan.schedule.residuals)

    # ---- what it is ---------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._interface.name

    @property
    def signature(self) -> tuple[str, ...]:
        """The arguments' names, in the order in which they can be given by position."""
        return self._arguments.names

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

    # ---- running ------------------------------------------------------------------------------------------------------

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run the model: the outputs, or with `wrt` the outputs and the gradients by name.

        Raises
        ------
        ArgumentError, DTypeError, ShapeError
            If the arguments do not fit; nothing has run then.
        """
        if self._interface.wrt is None:
            values = self._arguments.bind(args, kwargs)
            outputs = self._outputs(self._run("forward", values))
            self._check_finite(outputs, {}, values)
            return outputs
        kwargs, cotangent = self._take_cotangent(kwargs)
        values = self._arguments.bind(args, kwargs)
        outputs, grads = self._run("forward_and_backward", values, cotangent=self._cotangent(cotangent))
        outputs, grads = self._outputs(outputs), _arrays(grads)
        self._check_finite(outputs, grads, values)
        return outputs, grads

    def forward(self, /, *args: Any, **kwargs: Any) -> Any:
        """The outputs; with `wrt`, the outputs and the residuals that `backward` takes.

        The residuals are the call's own: changing an argument afterwards does not change them.
        """
        values = self._arguments.bind(args, kwargs)
        result = self._run("forward", values)
        if self._interface.wrt is None:
            return self._outputs(result)
        outputs, residuals = result
        own = tuple(
            np.array(value) if copied else value
            for value, copied in zip(residuals, self._copied, strict=False)
        )
        return self._outputs(outputs), (*own, *residuals[len(self._copied) :])

    def backward(self, residuals: Any, cotangent: Any = None) -> dict[str, Array]:
        """The gradients by name, from the residuals of a `forward` call, which stay as they are.

        Parameters
        ----------
        cotangent:
            In the outputs' structure, None meaning zero; by default 1 for a scalar first output and None for the rest.
        """
        if self._interface.wrt is None:
            raise ArgumentError(
                f"{self.name} was compiled without wrt, so it has no backward",
                hint="gg.compile(..., wrt=[...])",
            )
        if not isinstance(residuals, tuple) or len(residuals) < len(self._copied):
            raise ArgumentError(f"{self.name}.backward takes the residuals that forward returned")
        return _arrays(self._run("backward", [residuals, self._cotangent(cotangent)]))

    def step(self, /, *args: Any, **kwargs: Any) -> Any:
        """What a call returns; and the new value of each leaf in `updates` is written into the array passed for it."""
        if not self._interface.updates:
            raise ArgumentError(f"{self.name} was compiled without updates, so it has no step")
        values = self._arguments.bind(args, kwargs)
        given = dict(zip(self._interface.arguments, values, strict=True))
        original = dict(zip(self.signature, args, strict=False)) | kwargs
        for leaf in self._interface.updates:
            if not isinstance(original[leaf.attrs["name"]], np.ndarray):
                raise ArgumentError(f"{self.name}.step writes {leaf.name!r}, so it must be an array")
        check_targets(self._interface.updates, given, self.name)
        result = self._run("step", values)
        if self._interface.wrt is None:
            return self._outputs(result)
        outputs, grads = result
        return self._outputs(outputs), _arrays(grads)

    def init(self, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """Initial values of the parameters and states, by name, in the order of the signature.

        Raises
        ------
        ShapeError
            If a parameter has a symbolic size.
        """
        generator = np.random.default_rng() if rng is None else rng
        if not isinstance(generator, np.random.Generator):
            raise ArgumentError(
                f"init takes a numpy.random.Generator, not {type(rng).__name__}",
                hint="np.random.default_rng(0)",
            )
        return {
            leaf.attrs["name"]: _initial(leaf, generator)
            for leaf in self._interface.arguments
            if leaf.op.name in ("param", "state")
        }

    def bind(self, values: Mapping[str, Any]) -> Bound:
        """A callable that owns these arguments (a copy of each) and takes the others."""
        return Bound(self, values)

    # ---- looking ------------------------------------------------------------------------------------------------------

    def save(self, path: Any) -> Any:
        """Write the module to a file, whole or not at all; large constants go to a ``.npz`` of the same name."""
        return save(self.emitted, path)

    def memory(self, **sizes: int) -> Memory:
        """Bytes of one call; without sizes, each a formula in the symbolic ones."""
        return self.plan.memory.at(sizes) if sizes else self.plan.memory

    def explain(self, line: int) -> Explanation:
        """What a line of the source is: the model's line, the term of the chain rule, bytes and flops."""
        return explain(self.emitted, self.plan, line)

    def draw(self, **options: Any) -> Any:
        """A picture of forward and backward; see `graphgrad.draw`."""
        return bound("draw")(self, **options)

    def verify(self, **arrays: Any) -> dict[str, float]:
        """Compare with the interpreter and with finite differences; see `graphgrad.run.verify.verify`."""
        return verify(self.plan, self._namespace, self._arguments, arrays)

    def profile(self, **arrays: Any) -> Profile:
        """Time every statement; see `graphgrad.run.profile.profile`."""
        return profile(self.emitted, self.plan, self._arguments.bind((), arrays))

    # ---- inside -------------------------------------------------------------------------------------------------------

    def _take_cotangent(self, kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        rest = dict(kwargs)
        return (rest, None) if "cotangent" in self.signature else (rest, rest.pop("cotangent", None))

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

    def _check_finite(self, outputs: Any, grads: Mapping[str, Array], values: Sequence[Any]) -> None:
        if self._interface.check_nan:
            leaves = dict(zip(self._interface.arguments, values, strict=True))
            for seed in self._interface.seeds:
                leaves[seed.cotangent] = np.ones((), seed.cotangent.dtype)
            flat = self._interface.structure.flatten(outputs, "outputs")
            check_finite([*flat, *grads.values()], self.graph, leaves)

    def _outputs(self, outputs: Any) -> Any:
        structure = self._interface.structure
        return structure.build(np.asarray(value) for value in structure.flatten(outputs, "outputs"))

    def _cotangent(self, cotangent: Any) -> Any:
        """A cotangent in the outputs' structure, checked; the default if none is given."""
        structure, interface = self._interface.structure, self._interface
        if cotangent is None:
            if interface.needs_cotangent or not interface.seeds or interface.seeds[0].output != 0:
                raise ArgumentError(
                    f"{self.name}: the first output is no float scalar, so a cotangent is needed",
                    hint="cotangent=...",
                )
            return structure.build([1.0] + [None] * (structure.size - 1))
        parts = structure.flatten(cotangent, "cotangent")
        seeds = {seed.output: seed.cotangent for seed in interface.seeds}
        return structure.build(self._cotangent_part(seeds.get(at), part) for at, part in enumerate(parts))

    def _cotangent_part(self, leaf: Node | None, value: Any) -> Any:
        if value is None:
            return None
        if leaf is None:
            raise DTypeError(f"{self.name}: the cotangent of an integer output is None")
        spec = leaf.spec
        array = np.asarray(value, spec.dtype) if isinstance(value, int | float) else np.asarray(value)
        if array.dtype != spec.dtype:
            raise DTypeError(f"{self.name}: the cotangent has dtype {spec.dtype}, got {array.dtype}")
        fits = array.ndim == len(spec.shape) and all(
            not isinstance(size, int) or size == number
            for size, number in zip(spec.shape, array.shape, strict=False)
        )
        if not fits:
            raise ShapeError(
                f"{self.name}: the cotangent has shape {shape_text(spec.shape)}, got {array.shape}"
            )
        return array


def _arrays(grads: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.asarray(value) for name, value in grads.items()}


def _initial(leaf: Node, rng: np.random.Generator) -> Array:
    if not all(isinstance(size, int) for size in leaf.shape):
        raise ShapeError(
            f"{leaf.name!r} has a size that is known only at a call, so it has no initial value",
            saw=[leaf.describe()],
        )
    shape = tuple(int(size) for size in leaf.shape if isinstance(size, int))
    scheme = leaf.attrs["identity"].init
    return (
        np.zeros(shape, leaf.dtype)
        if scheme is None
        else np.asarray(scheme(rng, shape, leaf.dtype), leaf.dtype)
    )


def _fallible_sizes(plan: Plan) -> list[Dim]:
    """Sizes that could come out negative: what a slice leaves of a symbolic size."""
    shapes = dict.fromkeys(spec.shape for node in plan.schedule.graph.nodes for spec in node.specs)
    sizes = dict.fromkeys(size for shape in shapes for size in shape if isinstance(size, Dim))
    return [size for size in sizes if not at_least(size, 0)]
