"""The ops, a family a file, each op whole in one place. Importing this package binds Node's operators."""

from graphgrad.ops import (
    arithmetic,
    compare,
    contract,
    convert,
    dispatch,
    elementary,
    index,
    join,
    leaf,
    movement,
    permute,
    projection,
    reduce,
    update,
)

__all__ = [
    "arithmetic",
    "compare",
    "contract",
    "convert",
    "dispatch",
    "elementary",
    "index",
    "join",
    "leaf",
    "movement",
    "permute",
    "projection",
    "reduce",
    "update",
]
