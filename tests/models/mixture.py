"""A mixture of Gaussians with diagonal covariances: its log-likelihood, in float64."""

import math

import numpy as np

import graphgrad as gg
from tests.models.model import Model, normal

DIMS, PARTS = 3, 4


def build():
    x = gg.input("x", ("n", DIMS), "float64")
    weights = gg.param("weights", (PARTS,), "float64")
    means = gg.param("means", (PARTS, DIMS), "float64")
    log_scales = gg.param("log_scales", (PARTS, DIMS), "float64")
    z = (x[:, None, :] - means) * gg.exp(-log_scales)
    log_density = (
        -0.5 * gg.sum(z**2, axis=-1) - gg.sum(log_scales, axis=-1) - DIMS / 2 * math.log(2 * math.pi)
    )
    joint = log_density + gg.nn.log_softmax(weights)
    log_likelihood = gg.sum(gg.logsumexp(joint, axis=1))
    return log_likelihood, [weights, means, log_scales]


def data(rng, n):
    return {"x": normal(rng, n, DIMS, dtype=np.float64)}


def torch(x, weights, means, log_scales):
    from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

    parts = Independent(Normal(means, log_scales.exp()), 1)
    return MixtureSameFamily(Categorical(logits=weights), parts).log_prob(x).sum()


MODEL = Model("mixture", "Gaussian mixture", build, data, torch, {"n": 9})
