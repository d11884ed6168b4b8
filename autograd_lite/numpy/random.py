"""numpy.random under the name that ported code expects; samples are constants.

New code passes an explicit Generator: `rng = np.random.default_rng(seed)`. The names
are looked up on first use: loading numpy.random takes longer than all of ours.
"""

from typing import Any

import numpy as np

# fmt: off
NAMES = [
    "BitGenerator", "Generator", "MT19937", "PCG64", "PCG64DXSM", "Philox",
    "RandomState", "SFC64", "SeedSequence", "beta", "binomial", "bytes", "chisquare",
    "choice", "default_rng", "dirichlet", "exponential", "f", "gamma", "geometric",
    "get_bit_generator", "get_state", "gumbel", "hypergeometric", "laplace", "logistic",
    "lognormal", "logseries", "multinomial", "multivariate_normal", "negative_binomial",
    "noncentral_chisquare", "noncentral_f", "normal", "pareto", "permutation",
    "poisson", "power", "rand", "randint", "randn", "random", "random_integers",
    "random_sample", "ranf", "rayleigh", "sample", "seed", "set_bit_generator",
    "set_state", "shuffle", "standard_cauchy", "standard_exponential", "standard_gamma",
    "standard_normal", "standard_t", "triangular", "uniform", "vonmises", "wald",
    "weibull", "zipf",
]  # fmt: on


def __getattr__(name: str) -> Any:
    """Return NumPy's object of this name."""
    if name not in NAMES:
        raise AttributeError(f"autograd_lite.numpy.random has no {name!r}")
    return getattr(np.random, name)


def __dir__() -> list[str]:
    return NAMES
