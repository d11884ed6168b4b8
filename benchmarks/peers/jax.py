"""JAX's code for the cases it can do."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks.cases import CHAIN_LINKS, Chain
from benchmarks.timing import Job
from benchmarks.transforms import Transform


def chain(name: str, case: Chain) -> Job:
    """Gradients of a chain of small operations."""
    jax.config.update("jax_enable_x64", True)  # the same doubles as everyone's

    def total(x, w, b):
        for _ in range(CHAIN_LINKS):
            x = jnp.tanh(x * w + b)
        return x.sum()

    gradient = jax.grad(total, argnums=(0, 1, 2))
    if name == "jax jit":
        gradient = jax.jit(gradient)
    inputs = [jnp.asarray(value) for value in case.inputs()]
    return Job(lambda: jax.block_until_ready(gradient(*inputs)))


TRANSFORMS: dict[str, Callable[..., Callable]] = {
    "jacrev": jax.jacrev,
    "jacfwd": jax.jacfwd,
    "hessian": jax.hessian,
    "hvp": lambda fun: lambda x, v: jax.jvp(jax.grad(fun), (x,), (v,))[1],
    "per-sample gradients": lambda fun: jax.vmap(jax.grad(fun), (None, 0, 0)),
}


def transform(name: str, case: Transform) -> Job:
    """A transformation of a function."""
    jax.config.update("jax_enable_x64", True)
    fun, arguments = case.make(jnp, jnp.asarray)
    derivative = TRANSFORMS[case.transform](fun)
    if name == "jax jit":
        derivative = jax.jit(derivative)
    return Job(lambda: jax.block_until_ready(derivative(*arguments)))


BUILDERS = {"chain": chain, "transform": transform}
