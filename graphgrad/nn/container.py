"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphgrad.core.errors import ArgumentError, InvalidNameError
from graphgrad.nn.module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Layers one after the other, called "0", "1" and so on, or by the keys of a dict.

    Parameters
    ----------
    layers:
        Modules, or one dict of them.

    Raises
    ------
    ArgumentError, InvalidNameError
        If something is no module, or a key is the name of a method.

    >>> net = gg.nn.Sequential(gg.nn.Linear(784, 50), gg.nn.ReLU(), gg.nn.Linear(50, 1))
    >>> net(gg.input("x", ("batch", 784))).shape, len(net), net[0].weight.name
    ((Dim('batch'), 1), 3, '0.weight')
    """

    def __init__(self, *layers: Module | Mapping[str, Module]) -> None:
        named: Mapping[str, Any]
        match layers:
            case (Mapping() as named,):
                pass
            case _:
                named = {str(at): layer for at, layer in enumerate(layers)}
        for key, layer in named.items():
            if not isinstance(layer, Module):
                raise ArgumentError(
                    f"Sequential holds modules, not {type(layer).__name__} {layer!r:.60}",
                    hint="gg.nn.ReLU(), or a class of your own from gg.nn.Module",
                )
            if not isinstance(key, str) or hasattr(self, key):
                raise InvalidNameError(f"Sequential cannot call a layer {key!r:.60}")
            setattr(self, key, layer)

    def __call__(self, x: Any) -> Any:
        for layer in self:
            x = layer(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (part for _, part in self._attributes() if isinstance(part, Module))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, at: int) -> Any:
        return list(self)[at]
