"""HIPS autograd's code for the cases it can do."""

from collections.abc import Callable

import autograd
import autograd.numpy as np
import numpy as onp

from benchmarks.cases import CHAIN_LINKS, Chain
from benchmarks.timing import Job
from benchmarks.transforms import Transform


def chain(name: str, case: Chain) -> Job:
    """Gradients of a chain of small operations."""

    def total(x, w, b):
        for _ in range(CHAIN_LINKS):
            x = np.tanh(x * w + b)
        return np.sum(x)

    gradient = autograd.grad(total, (0, 1, 2))
    inputs = case.inputs()
    return Job(lambda: gradient(*inputs))


def hvp(fun: Callable) -> Callable:
    """The product of the Hessian and a vector, a tree: reverse over reverse mode."""
    return lambda x, v: autograd.make_hvp(fun)(x)[0](v)


def per_sample(fun: Callable) -> Callable:
    """Gradients sample by sample: there is no vmap."""
    gradient = autograd.grad(fun)

    def stacked(params, x, y):
        found = [gradient(params, *sample) for sample in zip(x, y)]
        return tuple(
            tuple(onp.stack([g[i][j] for g in found]) for j in range(2))
            for i in range(len(params))
        )

    return stacked


TRANSFORMS: dict[str, Callable[..., Callable]] = {
    "jacrev": autograd.jacobian,
    "hessian": autograd.hessian,
    "hvp": hvp,
    "per-sample gradients": per_sample,
}


def transform(name: str, case: Transform) -> Job | None:
    """A transformation of a function; Jacobians in reverse mode alone."""
    if case.transform not in TRANSFORMS:
        return None
    fun, arguments = case.make(np, onp.asarray)
    derivative = TRANSFORMS[case.transform](fun)
    return Job(lambda: derivative(*arguments))


BUILDERS = {"chain": chain, "transform": transform}
