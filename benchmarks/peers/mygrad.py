"""MyGrad's code for the cases it can do."""

import mygrad

from benchmarks.cases import CHAIN_LINKS, Chain
from benchmarks.timing import Job


def chain(name: str, case: Chain) -> Job:
    """Gradients of a chain of small operations."""
    mygrad.turn_memory_guarding_off()
    inputs = case.inputs()

    def run():
        x, w, b = variables = [mygrad.tensor(value) for value in inputs]
        for _ in range(CHAIN_LINKS):
            x = mygrad.tanh(x * w + b)
        x.sum().backward()
        return tuple(v.grad for v in variables)

    return Job(run)


BUILDERS = {"chain": chain}
