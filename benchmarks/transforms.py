"""Functions whose transformations are measured, written once for every library.

All the libraries spell what is needed here alike (`tanh`, `exp`, `sum(x, axis=1)`), so
each function is given the library's namespace, and its constants in the library's
arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = tuple[np.ndarray, ...]
# (namespace, constants) -> the function to be transformed
Maker = Callable[[Any, Sequence[Any]], Callable[..., Any]]


@dataclass(frozen=True)
class Function:
    """A function, its constants, and the arguments it is transformed at."""

    make: Maker
    constants: Callable[[np.random.Generator], Arrays]
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]


def layer(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """One dense layer: x: (100) -> (100)."""
    w, b = constants
    return lambda x: xp.tanh(w @ x + b)


def network(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """Three dense layers: x: (100) -> (100)."""
    one = layer(xp, constants)
    return lambda x: one(one(one(x)))


def chain(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """A hundred elementwise operations: x: (100) -> (100)."""

    def fun(x):
        for _ in range(20):
            x = xp.sin(x) * xp.exp(-x * x) + x
        return x

    return fun


def softmax(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """Elementwise functions and sums: x: (100) -> (100)."""

    def fun(x):
        y = xp.exp(x - xp.sum(x) / 100)
        return y / xp.sum(y)

    return fun


def network_loss(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """The sum of squares of `network`: x: (100) -> ()."""
    net = network(xp, constants)
    return lambda x: xp.sum(net(x) ** 2)


def rosenbrock(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """Rosenbrock's function, with its slices: x: (100) -> ()."""
    return lambda x: xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def logsumexp(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """The logarithm of a sum of exponentials: x: (100) -> ()."""
    return lambda x: xp.log(xp.sum(xp.exp(x)))


def cross_entropy(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """An MLP's loss: params, x: (..., n), y: (..., classes) one-hot -> ()."""

    def fun(params, x, y):
        *hidden, (w, b) = params
        for v, c in hidden:
            x = xp.tanh(x @ v + c)
        scores = x @ w + b
        return xp.sum(xp.log(xp.sum(xp.exp(scores), axis=-1))) - xp.sum(scores * y)

    return fun


def of_params(xp: Any, constants: Sequence[Any]) -> Callable[..., Any]:
    """`cross_entropy` on a constant batch, a function of its parameters alone."""
    loss = cross_entropy(xp, ())
    return lambda params: loss(params, *constants)


def vectors(rng: np.random.Generator) -> Arrays:
    """One vector of 100 numbers, the argument."""
    return (rng.standard_normal(100) / 2,)


def weights(rng: np.random.Generator) -> Arrays:
    """The constants of `layer`."""
    return rng.standard_normal((100, 100)) / 10, rng.standard_normal(100)


def nothing(rng: np.random.Generator) -> Arrays:
    """No constants."""
    return ()


def dense(rng: np.random.Generator, *widths: int) -> tuple[Arrays, ...]:
    """The parameters of an MLP, float32."""
    return tuple(
        (
            (rng.standard_normal((m, n)) / np.sqrt(m)).astype(np.float32),
            np.zeros(n, np.float32),
        )
        for m, n in zip(widths, widths[1:])
    )


def batch(rng: np.random.Generator, n: int, width: int, classes: int) -> Arrays:
    """n samples and their one-hot labels, float32."""
    x = rng.standard_normal((n, width), dtype=np.float32)
    return x, np.eye(classes, dtype=np.float32)[rng.integers(0, classes, n)]


MILLION = (784, 1000, 200, 10)  # widths of an MLP with 996,000 parameters, and biases
SMALL, MEDIUM = (20, 32, 32, 5), (784, 64, 10)


def samples(*widths: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    """Parameters of an MLP, and 128 samples."""
    return lambda rng: (dense(rng, *widths), *batch(rng, 128, widths[0], widths[-1]))


FUNCTIONS = {
    "layer": Function(layer, weights, vectors),
    "three layers": Function(network, weights, vectors),
    "100 elementwise": Function(chain, nothing, vectors),
    "softmax": Function(softmax, nothing, vectors),
    "three layers, squared": Function(network_loss, weights, vectors),
    "Rosenbrock": Function(rosenbrock, nothing, vectors),
    "log-sum-exp": Function(logsumexp, nothing, vectors),
    "MLP, 1e6 parameters, batch 32": Function(
        of_params,
        lambda rng: batch(rng, 32, MILLION[0], MILLION[-1]),
        lambda rng: (dense(rng, *MILLION), dense(rng, *MILLION)),
    ),
    "chain, 1e6 elements": Function(
        lambda xp, constants: lambda x: xp.sum(xp.tanh(x) * xp.exp(-x * x)),
        nothing,
        lambda rng: tuple(rng.standard_normal((2, 10**6), dtype=np.float32)),
    ),
    "MLP 20-32-32-5, 128 samples": Function(cross_entropy, nothing, samples(*SMALL)),
    "MLP 784-64-10, 128 samples": Function(cross_entropy, nothing, samples(*MEDIUM)),
}


@dataclass(frozen=True)
class Transform:
    """A transformation of one of the functions, at one point."""

    transform: str
    function: str

    kind = "transform"
    unit = "ms"
    scale = 1e3
    flops = 0

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.transform}: {self.function}"

    def make(self, xp: Any, convert: Callable[[Any], Any]) -> tuple[Any, list[Any]]:
        """The function, written with `xp`, and the arguments of its transformation.

        `convert` makes an array of a NumPy array, also in nested tuples.
        """
        chosen = FUNCTIONS[self.function]
        constants = chosen.constants(np.random.default_rng(0))
        arguments = chosen.arguments(np.random.default_rng(1))
        fun = chosen.make(xp, [convert(c) for c in constants])
        return fun, [_each(convert, a) for a in arguments]


def _each(convert: Callable[[Any], Any], x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(_each(convert, part) for part in x)
    return convert(x)


CASES = [
    *(
        Transform(transform, function)
        for transform in ("jacrev", "jacfwd")
        for function in ("layer", "three layers", "100 elementwise", "softmax")
    ),
    Transform("hessian", "three layers, squared"),
    Transform("hessian", "Rosenbrock"),
    Transform("hessian", "log-sum-exp"),
    Transform("hvp", "MLP, 1e6 parameters, batch 32"),
    Transform("hvp", "chain, 1e6 elements"),
    Transform("per-sample gradients", "MLP 20-32-32-5, 128 samples"),
    Transform("per-sample gradients", "MLP 784-64-10, 128 samples"),
]
