"""The models that tests of drawing go through: two of them always, the others where there is time."""

import pytest

from tests.models import MODELS

NAMES = [
    pytest.param(name, marks=[] if name in ("lesson8", "gated") else [pytest.mark.slow]) for name in MODELS
]
