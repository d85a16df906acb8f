"""A limit to working memory: the largest tiles that keep it, or what stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from graphgrad.core.dim import Size, evaluate, symbols
from graphgrad.core.errors import InvalidValueError
from graphgrad.plan.memory import bytes_text
from graphgrad.plan.rows import LARGEST

if TYPE_CHECKING:
    from graphgrad.plan.plan import Plan

_ANY = 10**9
"""A size larger than any tile."""


def fit(attempt: Callable[..., Plan], limit: int, threads: int | None) -> Plan:
    """The plan with the largest tiles whose working memory is within `limit` bytes.

    `attempt(keeps, most)` plans with at most so many rows a tile, and with or without values that are kept from one
    loop to the next. Memory is what all threads take together; if their number is not given, as many run as fit.

    Raises
    ------
    InvalidValueError
        If tiles of one row take more, or memory grows with a size whatever the tiles are: says which, and why.
    """
    plan = attempt()
    for keeps in (True, False):
        most = LARGEST
        while most:
            plan = attempt(keeps, most)
            if bytes_at_any_size(plan, threads or 1) <= limit:
                return replace(plan, most_threads=threads or _threads_within(plan, limit))
            most = min([most, *(space.most for space in plan.tiles)]) // 2
    raise _refusal(plan, limit, threads or 1)


def bytes_at_any_size(plan: Plan, threads: int) -> int:
    """Bytes of working memory, however large the named sizes are."""
    working = plan.memory_on(threads).working
    return evaluate(working, dict.fromkeys(symbols(working), _ANY))


def _threads_within(plan: Plan, limit: int) -> int:
    """How many threads there is memory for."""
    one, two = bytes_at_any_size(plan, 1), bytes_at_any_size(plan, 2)
    return 1 + (limit - one) // max(two - one, 1)


def _refusal(plan: Plan, limit: int, threads: int) -> InvalidValueError:
    working: Size = plan.memory_on(threads).working
    main = plan.main
    growing = [
        node
        for node in main.statements
        if main.placement is not None and node in main.placement.buffers and symbols(node.spec.nbytes)
    ]
    reasons = [f"{plan.schedule.graph.describe(node)}: {why}" for node, why in main.at_once.items()]
    if growing:
        what = f"a call works in {bytes_text(working)}, which grows with the data whatever the tiles are"
        named = [f"{plan.schedule.graph.describe(node)} is needed whole" for node in growing]
    else:
        what = f"a call works in {bytes_text(bytes_at_any_size(plan, threads))} at least"
        named = []
    return InvalidValueError(
        f"memory_limit={limit} is too little: {what}",
        saw=list(dict.fromkeys((*reasons, *named)))[:6],
        hint=f"memory_limit={bytes_at_any_size(plan, threads)}"
        if not growing
        else "smaller batches, or no limit",
    )
