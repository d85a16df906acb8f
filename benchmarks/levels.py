"""What level default gains over level plain: flops and bytes after each pass, and the times of both.

python -m benchmarks.levels [model ...] [--times N ...] [--rounds N] [--calls N]

The models are those of tests/models. Every model is measured on as many rows as its tests have, where the number of
calls counts, and on more, where arrays count; plain and default in blocks in turn, once both agree.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import graphgrad as gg
from benchmarks import machine
from benchmarks.runner import DisagreementError, in_blocks
from graphgrad.core.dim import evaluate
from tests.models import MODELS
from tests.models.model import Model

LEVELS = ("plain", "default")
TIMES = (1, 100)
"""How many times the rows of the tests."""


@dataclass(frozen=True)
class Pass:
    """A pass that changed the graph, and what the graph costs after it."""

    name: str
    flops: int
    bytes: int
    """At the peak of a call, every statement making a new array."""


@dataclass(frozen=True)
class Comparison:
    """Both levels of one model at some sizes. Times are seconds a call: the least of all, which nothing disturbed."""

    sizes: Mapping[str, int]
    passes: tuple[Pass, ...]
    planned: int
    """Bytes at the peak of a call as default emits it, with planned memory."""
    plain: float
    default: float
    ratio: float
    """The median over the rounds of default's least time by plain's: a minute later the machine has another speed."""


def compare(model: Model, times: int, rounds: int, calls: int) -> Comparison:
    """Measure one model on that many times its usual rows.

    Raises
    ------
    DisagreementError
        If the two levels differ by more than rounding; nothing is timed then.
    """
    batch, *others = model.sizes.items()
    sizes = {batch[0]: times * batch[1], **dict(others)}
    loss, wrt = model.build()
    ledger = gg.explain(loss, wrt=wrt)
    arrays = model.arguments(np.random.default_rng(0), **sizes)
    compiled = {"plain": gg.compile(loss, wrt=wrt, level="plain"), "default": ledger.compiled}
    ensure_agreement(model, *(one(**arrays) for one in compiled.values()))
    samples = in_blocks([lambda one=one: one(**arrays) for one in compiled.values()], rounds, calls)
    least = [[min(one[at : at + calls]) for at in range(0, len(one), calls)] for one in samples]
    return Comparison(
        sizes,
        tuple(
            Pass(step.name, evaluate(step.flops, sizes), evaluate(step.peak, sizes)) for step in ledger.steps
        ),
        evaluate(ledger.compiled.memory().peak, sizes),
        *map(min, samples),
        statistics.median(default / plain for plain, default in zip(*least, strict=True)),
    )


def ensure_agreement(model: Model, plain: tuple[Any, Any], default: tuple[Any, Any]) -> None:
    for key, expected in {"loss": plain[0], **plain[1]}.items():
        found = default[0] if key == "loss" else default[1][key]
        if not np.allclose(found, expected, rtol=1e-3, atol=1e-3 * np.max(np.abs(expected), initial=0)):
            raise DisagreementError(f"{model.name}: the levels differ in {key}")


def table(model: Model, compared: Sequence[Comparison]) -> str:
    """Passes and times as aligned text, a column of each for every number of rows."""
    rows = [
        ["", *(", ".join(f"{size} = {number:,}" for size, number in one.sizes.items()) for one in compared)]
    ]
    for at, step in enumerate(compared[0].passes):
        rows.append([step.name, *(f"{work(one.passes[at])}" for one in compared)])
    rows.append(["with planned memory", *(f"{one.planned / 1e3:,.1f} kB" for one in compared)])
    for level in LEVELS:
        rows.append([f"{level}, a call", *(f"{1e3 * getattr(one, level):.3f} ms" for one in compared)])
    rows.append(["default / plain", *(f"{one.ratio:.2f}" for one in compared)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    return "\n".join([model.title, *(f"  {line.rstrip()}" for line in lines)])


def work(step: Pass) -> str:
    return f"{step.flops:,} flops, {step.bytes / 1e3:,.1f} kB"


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.levels", description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", metavar="model", help=f"of {', '.join(MODELS)} (all)")
    parser.add_argument("--times", nargs="+", type=int, default=TIMES, metavar="N",
                        help="how many times the rows of the tests (1 100)")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5, help="blocks of calls for each level (%(default)s)")
    parser.add_argument("--calls", type=int, default=7, help="samples in a block (%(default)s)")
    parser.add_argument("--out", type=Path, default=machine.RESULTS, help="where the JSON goes (%(default)s)")
    options = parser.parse_args(given)
    if unknown := [name for name in options.models if name not in MODELS]:
        parser.error(f"no model {unknown[0]}; there are {', '.join(MODELS)}")
    found = {}
    for name in options.models or MODELS:
        found[name] = [compare(MODELS[name], times, options.rounds, options.calls) for times in options.times]
        print(table(MODELS[name], found[name]), end="\n\n", flush=True)
    slower = [name for name, each in found.items() if any(one.ratio > 1 for one in each)]
    print(f"slower at default than at plain: {', '.join(slower) or 'none'}")
    numbers = {name: [asdict(one) for one in each] for name, each in found.items()}
    print(f"written to {machine.write('levels', {'models': numbers}, options.out)}")


if __name__ == "__main__":
    main()
