"""The models that the tests, the benchmark of the levels and the gallery of pictures run on.

Each is written as a user would write it, in a module of its own with the same model in torch, and is one `Model`:

    model = MODELS["attention"]
    loss, wrt = model.build()                            # nodes; new leaves each time
    arrays = model.arguments(rng, batch=4, time=5)       # an array for each leaf, by name
    value, gradients = model.expected(arrays, names)     # by torch, in float64

Most sizes are small and fixed; those that are symbolic stand in `Model.sizes` with a number to try. To add one, write
its module and its name below.
"""

from importlib import import_module

from tests.models.model import Model

_MODULES = (
    "lesson8",
    "classifier",
    "residual",
    "gated",
    "attention",
    "lstm",
    "recurrent",
    "logistic",
    "mixture",
    "factorisation",
    "batch_norm",
    "contrastive",
    "sorted_rows",
    "pooling",
    "choice",
    "physics",
)

MODELS: dict[str, Model] = {name: import_module(f"tests.models.{name}").MODEL for name in _MODULES}
