"""Holding the cyclic garbage collector off while something large and acyclic is built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Within: no collection runs by itself. Each would walk all of the growing graph, tree or text, and free nothing.

    >>> with collector_paused():
    ...     nodes = [gg.const(number) for number in range(3)]
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
