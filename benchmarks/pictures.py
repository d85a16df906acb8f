"""Time to draw: thousands of cards as they are, and a deep model that folds.

python -m benchmarks.pictures [--cards N] [--nodes N] [--rounds N]
"""

import argparse
import multiprocessing
import statistics
import time

import graphgrad as gg
from benchmarks import machine
from graphgrad.draw.render import render_bytes


def deep(blocks, width=16):
    """A gated residual net of so many equal blocks."""
    x = gg.input("x", ("batch", width))
    h = x
    for at in range(blocks):
        with gg.scope(f"block{at}"):
            z = gg.tanh(h @ gg.param(f"w{at}", (width, width)) + gg.param(f"b{at}", (width,)))
            h = z * gg.sigmoid(h) + h
    return gg.mean(h**2)


def nodes_of(loss):
    """How many nodes the loss and its gradients by every parameter have."""
    parameters = [leaf for leaf in gg.Graph((), (loss,)).leaves if leaf.op.name == "param"]
    return len(gg.Graph((), (loss, *gg.grad(loss, parameters))).nodes)


def timed(times, name, function, *args):
    start = time.perf_counter()
    result = function(*args)
    times[name] = time.perf_counter() - start
    return result


def small():
    """A small picture, so that all is loaded that draws."""
    picture = gg.draw(deep(2))
    return picture.source, picture.scene


def spread(cards):
    """Every op shown: from a story to coordinates, to DOT, to an SVG."""
    render_bytes(*small(), "svg")
    picture, times = gg.draw(deep(cards // 16), detail="op"), {}
    scene = timed(times, "layout", getattr, picture, "scene")
    source = timed(times, "dot", getattr, picture, "source")
    timed(times, "svg", render_bytes, source, scene, "svg")
    return f"{len(scene.cards):,} cards", times


def folded(nodes):
    """A model that repeats: from the loss to an SVG."""
    small()
    loss, times = deep(nodes // 23), {}
    picture = timed(times, "draw (differentiate, write, tell, fold)", gg.draw, loss)
    timed(times, "layout, dot, svg", picture._repr_mimebundle_)
    own = len(gg.Graph((), (loss,)).nodes)
    cards = len(picture.scene.cards)
    return f"{nodes_of(loss):,} nodes, {own:,} of them the model's own: {cards} cards", times


def measured(function, size, rounds):
    """The medians over rounds, each in a process of its own: whoever draws a large picture draws one, and in memory
    that another one has left in pieces everything takes a third longer."""
    times = {}
    for _ in range(rounds):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            what, found = pool.apply(function, (size,))
        for name, seconds in found.items():
            times.setdefault(name, []).append(seconds)
    print(f"\n{what}")
    return report(times)


def report(times):
    """The medians, printed, and the same as data."""
    medians = {name: statistics.median(found) for name, found in times.items()}
    medians["in all"] = sum(medians.values())
    for name, median in medians.items():
        print(f"  {name:<42} {median:6.2f} s")
    return medians


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__.split("\n")[0])
    parser.add_argument("--cards", type=int, default=5_000, help="shown without folding (5000)")
    parser.add_argument("--nodes", type=int, default=20_000, help="of the model that folds (20000)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is taken (3)")
    options = parser.parse_args()
    numbers = {
        "spread": measured(spread, options.cards, options.rounds),
        "folded": measured(folded, options.nodes, options.rounds),
    }
    print(f"\nwritten to {machine.write('pictures', numbers)}")


if __name__ == "__main__":
    main()
