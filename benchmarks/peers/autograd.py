"""HIPS autograd's code for the cases it can do."""

import autograd
import autograd.numpy as np

from benchmarks.cases import CHAIN_LINKS, Chain
from benchmarks.timing import Job


def chain(name: str, case: Chain) -> Job:
    """Gradients of a chain of small operations."""

    def total(x, w, b):
        for _ in range(CHAIN_LINKS):
            x = np.tanh(x * w + b)
        return np.sum(x)

    gradient = autograd.grad(total, (0, 1, 2))
    inputs = case.inputs()
    return Job(lambda: gradient(*inputs))


BUILDERS = {"chain": chain}
