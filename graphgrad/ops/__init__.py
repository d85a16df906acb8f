"""The ops, a family a file, each op whole in one place. Importing this package binds Node's operators."""

from graphgrad.ops import (
    accumulate,
    arithmetic,
    compare,
    contract,
    convert,
    dispatch,
    elementary,
    gather,
    index,
    join,
    leaf,
    movement,
    projection,
    reduce,
    scatter,
    update,
)

__all__ = [
    "accumulate",
    "arithmetic",
    "compare",
    "contract",
    "convert",
    "dispatch",
    "elementary",
    "gather",
    "index",
    "join",
    "leaf",
    "movement",
    "projection",
    "reduce",
    "scatter",
    "update",
]
