"""Distributions of `scipy.stats`: densities and distribution functions with gradients.

One module per distribution, with the names and arguments of SciPy's. The functions are
composed of special functions, and are differentiable in every argument that is no
count. Outside of the support a density is 0 and its gradient 0. `scipy.stats` itself is
not loaded.

>>> from autograd_lite import grad
>>> from autograd_lite.scipy.stats import norm
>>> print(grad(norm.logpdf)(0.5))
-0.5
"""

from . import (
    bernoulli,
    beta,
    binom,
    cauchy,
    chi2,
    dirichlet,
    expon,
    gamma,
    laplace,
    logistic,
    lognorm,
    multivariate_normal,
    norm,
    poisson,
    t,
    uniform,
)

__all__ = [
    "bernoulli",
    "beta",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "laplace",
    "logistic",
    "lognorm",
    "multivariate_normal",
    "norm",
    "poisson",
    "t",
    "uniform",
]
