"""Loading what is heavy only when it is used."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class _LazyModule(ModuleType):
    """A module that is imported on the first look at one of its attributes."""

    def __getattr__(self, attribute: str) -> Any:
        module = importlib.import_module(self.__name__)
        self.__dict__.update(module.__dict__)
        return getattr(module, attribute)


def lazy_import(name: str) -> Any:
    """Return a stand-in for the module `name`, which is imported at its first use.

    >>> lazy_import("json").dumps([1])
    '[1]'
    """
    return _LazyModule(name)
