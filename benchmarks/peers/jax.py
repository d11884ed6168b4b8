"""JAX's code for the cases it can do."""

import jax
import jax.numpy as jnp

from benchmarks.cases import CHAIN_LINKS, Chain
from benchmarks.timing import Job


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


BUILDERS = {"chain": chain}
