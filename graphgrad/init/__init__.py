"""Initial values of parameters: the schemes of torch.nn.init, each a small value that makes arrays.

    scheme = gg.init.kaiming_normal(nonlinearity="relu")
    w = gg.param("w", (784, 50), init=scheme)
    scheme(np.random.default_rng(0), (784, 50), "float32")

A scheme draws from the generator it is given and from nothing else, so a seed fixes every number. Equal
settings make equal schemes, and a scheme pickles.

A weight is (in, out), as in ``x @ w``. `in_axis` and `out_axis` say otherwise: -1 and -2 for torch's
(out, in), 1 and 0 for its convolutions (out, in, height, width). The axes that are left are the receptive
field, whose size counts in both fans: fan_in = size(in_axis) * field, fan_out = size(out_axis) * field.
"""

from graphgrad.init.drawn import normal, orthogonal, sparse, trunc_normal, uniform
from graphgrad.init.fixed import constant, dirac, eye, ones, zeros
from graphgrad.init.scaled import (
    calculate_gain,
    kaiming_normal,
    kaiming_uniform,
    xavier_normal,
    xavier_uniform,
)
from graphgrad.init.scheme import Scheme

__all__ = [
    "Scheme",
    "calculate_gain",
    "constant",
    "dirac",
    "eye",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "trunc_normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
