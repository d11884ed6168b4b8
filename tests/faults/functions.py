"""Functions with right rules, which the bank makes wrong in many ways.

`value(np, *xs)` is an array and `pull(np, g, ans, *xs)` the tuple of cotangents, both
in the operations of a `Space`. There is no conjugation in complex rules: a cotangent
is g * f'(z).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy

Value = Callable[..., Any]
Pull = Callable[..., tuple[Any, ...]]
Array = Any

X = numpy.array([[0.5, -1.2, 2.0], [1.5, 0.7, -0.3]])
SQUARE = numpy.array([[1.2, -0.4, 0.3], [0.7, 1.9, -0.6], [0.2, 0.5, -1.4]])
OTHER = numpy.array([[0.6, 1.1, -0.8], [-1.3, 0.4, 0.9], [1.7, -0.2, 0.5]])
ROW = numpy.array([[1.0, 2.0, -3.0]])
COLUMN = numpy.array([[1.5], [-0.8]])
SIGNAL = numpy.array([[0.3, -1.1, 0.8, 1.9, -0.4, 1.2, 0.6, -2.1]])
TIES = numpy.array([1.0, 2.0, 2.0, 0.5])
Z = X + 1j * numpy.array([[0.3, 0.8, -0.5], [-1.1, 0.2, 0.9]])


@dataclass(frozen=True)
class Function:
    """A function, its right rule, and arguments to check it at."""

    name: str
    value: Value
    pull: Pull
    args: tuple[Array, ...]


# -- element by element --------------------------------------------------------------

CUBE = Function(
    "cube", lambda np, x: x * x * x, lambda np, g, ans, x: (g * 3 * x * x,), (X,)
)
TANH = Function(
    "tanh", lambda np, x: np.tanh(x), lambda np, g, ans, x: (g * (1 - ans * ans),), (X,)
)
WAVE = Function(
    "exp(sin)",
    lambda np, x: np.exp(np.sin(x)),
    lambda np, g, ans, x: (g * ans * np.cos(x),),
    (X,),
)
ROOT = Function(
    "sqrt(1 + x^2)",
    lambda np, x: np.sqrt(1 + x * x),
    lambda np, g, ans, x: (g * x / ans,),
    (X,),
)
GAUSS = Function(
    "exp(-x^2)",
    lambda np, x: np.exp(-x * x),
    lambda np, g, ans, x: (-2 * g * x * ans,),
    (X,),
)
SIGNED_SQUARE = Function(
    "x |x|",
    lambda np, x: x * np.abs(x),
    lambda np, g, ans, x: (2 * g * np.abs(x),),
    (numpy.array([0.5, 0.0, -1.5]),),
)

# -- along axes ----------------------------------------------------------------------


def _softmax(np: Any, x: Array) -> Array:
    e = np.exp(x)
    return e / np.sum(e, axis=-1, keepdims=True)


SOFTMAX = Function(
    "softmax",
    _softmax,
    lambda np, g, ans, x: (ans * (g - np.sum(g * ans, axis=-1, keepdims=True)),),
    (X,),
)
LOGSUMEXP = Function(
    "logsumexp",
    lambda np, x: np.log(np.sum(np.exp(x), axis=-1, keepdims=True)),
    lambda np, g, ans, x: (g * np.exp(x - ans),),
    (X,),
)
NORM = Function(
    "norm",
    lambda np, x: np.sqrt(np.sum(x * x, axis=-1, keepdims=True)),
    lambda np, g, ans, x: (g * x / ans,),
    (X,),
)
CENTRED = Function(
    "centred",
    lambda np, x: x - np.sum(x, axis=0, keepdims=True) / x.shape[0],
    lambda np, g, ans, x: (g - np.sum(g, axis=0, keepdims=True) / x.shape[0],),
    (SQUARE,),
)
WEIGHTED = Function(
    "square of the sum",
    lambda np, x: np.sum(x, axis=0, keepdims=True) ** 2,
    lambda np, g, ans, x: (
        2 * g * np.sum(x, axis=0, keepdims=True) + np.const(numpy.zeros(x.shape), x),
    ),
    (SQUARE,),
)

# -- two arguments -------------------------------------------------------------------

SCALE = Function(
    "scale",
    lambda np, x, y: x * y,
    lambda np, g, ans, x, y: (g * y, np.sum(g * x, axis=0, keepdims=True)),
    (X, ROW),
)
BIAS = Function(
    "bias",
    lambda np, x, b: np.tanh(x + b),
    lambda np, g, ans, x, b: (
        g * (1 - ans * ans),
        np.sum(g * (1 - ans * ans), axis=0),
    ),
    (X, numpy.array([0.4, -0.2, 0.9])),
)
PER_ROW = Function(
    "per row",
    lambda np, x, y: x * y,
    lambda np, g, ans, x, y: (g * y, np.sum(g * x, axis=1, keepdims=True)),
    (X, COLUMN),
)
DISTANCES = Function(
    "outer differences",
    lambda np, x, y: (x - y) ** 2,
    lambda np, g, ans, x, y: (
        np.sum(2 * g * (x - y), axis=1, keepdims=True),
        -np.sum(2 * g * (x - y), axis=0, keepdims=True),
    ),
    (COLUMN, ROW),
)
PRODUCT = Function(
    "product",
    lambda np, x, y: x @ y,
    lambda np, g, ans, x, y: (g @ y.T, x.T @ g),
    (SQUARE, OTHER),
)
SQUARED = Function(
    "x^T x",
    lambda np, x: x.T @ x,
    lambda np, g, ans, x: (x @ (g + g.T),),
    (SQUARE,),
)
INVERSE = Function(
    "inverse",
    lambda np, x: np.inv(x),
    lambda np, g, ans, x: (-ans.T @ g @ ans.T,),
    (SQUARE,),
)
SOLVE = Function(
    "solve",
    lambda np, a, b: np.solve(a, b),
    lambda np, g, ans, a, b: (-np.solve(a.T, g) @ ans.T, np.solve(a.T, g)),
    (SQUARE, OTHER),
)

# -- linear along an axis: x @ matrix --------------------------------------------------


def window(
    n: int, size: int, stride: int = 1, before: int = 0, after: int = 0
) -> numpy.ndarray:
    """Return the matrix of weighted sums over windows of a padded signal, (n, out).

    The weights are 1, 2, 3, ...: a shifted window gives something else.
    """
    out = (n + before + after - size) // stride + 1
    matrix = numpy.zeros((n, out))
    for j in range(out):
        for k in range(size):
            i = j * stride + k - before
            if 0 <= i < n:
                matrix[i, j] += k + 1
    return matrix


def linear(name: str, matrix: numpy.ndarray) -> Function:
    """Return tanh(x @ matrix)."""
    return Function(
        name,
        lambda np, x: np.tanh(x @ np.const(matrix, x)),
        linear_pull(matrix),
        (SIGNAL,),
    )


def linear_pull(matrix: numpy.ndarray) -> Pull:
    """Return the rule of tanh(x @ matrix)."""
    return lambda np, g, ans, x: ((g * (1 - ans * ans)) @ np.const(matrix.T, x),)


N = SIGNAL.size
WINDOW = linear("window", window(N, 3) / 5)
PADDED = linear("padded window", window(N, 3, before=1, after=1) / 5)
STRIDED = linear("strided window", window(N, 3, stride=2, after=1) / 5)
RUNNING = linear("running sum", numpy.triu(numpy.ones((N, N))) / 5)

# -- ties and plateaus ---------------------------------------------------------------


def _share(np: Any, x: Array, ans: Array) -> Array:
    hit = np.const(numpy.ones(x.shape), x) * (x == ans)
    return hit / np.sum(hit, axis=-1, keepdims=True)


HINGE = Function(
    "squared hinge",
    lambda np, x, y: np.maximum(x - y, 0 * x) ** 2,
    lambda np, g, ans, x, y: (
        2 * g * np.maximum(x - y, 0 * x),
        -2 * g * np.maximum(x - y, 0 * x),
    ),
    (numpy.array([1.0, 2.0, 0.5]), numpy.array([1.0, 1.5, 0.9])),
)
TOP = Function(
    "largest",
    lambda np, x: np.amax(x, axis=-1, keepdims=True),
    lambda np, g, ans, x: (g * _share(np, np.stop(x), np.stop(ans)),),
    (TIES,),
)
SPREAD = Function(
    "spread",
    lambda np, x: np.amax(x, axis=-1, keepdims=True) - np.amin(x),
    lambda np, g, ans, x: (
        g * _share(np, np.stop(x), np.amax(np.stop(x)))
        - g * _share(np, np.stop(x), np.amin(np.stop(x))),
    ),
    (numpy.array([3.0, 0.2, 3.0, 3.0, 0.2, 1.1]),),
)


def _outside(np: Any, x: Array) -> Array:
    """Return 1 where |x| > 1, and a half at both ends."""
    one = np.const(numpy.ones(x.shape), x)
    return 0.5 * one * (x * x > 1) + 0.5 * one * (x * x >= 1)


SHRUNK = Function(
    "soft threshold",
    lambda np, x: np.maximum(x - 1, 0 * x) - np.maximum(-x - 1, 0 * x),
    lambda np, g, ans, x: (g * _outside(np, np.stop(x)),),
    (numpy.array([1.0, -1.0, 0.4, 2.0, -1.7]),),
)

# -- in float32 inside, whatever comes in ----------------------------------------------


def _single(np: Any, x: Array) -> Array:
    return np.cast(x, "float32")


SINGLE_TANH = Function(
    "tanh in float32",
    lambda np, x: np.tanh(_single(np, x)) + 0 * x,
    lambda np, g, ans, x: (g * (1 - ans * ans),),
    (X,),
)
SINGLE_PRODUCT = Function(
    "product in float32",
    lambda np, x, y: _single(np, x) @ _single(np, y) + 0 * x,
    lambda np, g, ans, x, y: (g @ y.T, x.T @ g),
    (SQUARE, OTHER),
)
SINGLE_LOGSUMEXP = Function(
    "logsumexp in float32",
    lambda np, x: (
        np.log(np.sum(np.exp(_single(np, x)), axis=-1, keepdims=True)) + 0 * x
    ),
    lambda np, g, ans, x: (np.sum(g, axis=-1, keepdims=True) * np.exp(x - ans),),
    (X,),
)

# -- complex -------------------------------------------------------------------------

EXPONENTIAL = Function(
    "complex exp", lambda np, z: np.exp(z), lambda np, g, ans, z: (g * ans,), (Z,)
)
POWER = Function(
    "complex cube",
    lambda np, z: z * z * z,
    lambda np, g, ans, z: (g * 3 * z * z,),
    (Z,),
)

FUNCTIONS = [
    *[CUBE, TANH, WAVE, ROOT, GAUSS, SIGNED_SQUARE],
    *[SOFTMAX, LOGSUMEXP, NORM, CENTRED, WEIGHTED],
    *[SCALE, BIAS, PER_ROW, DISTANCES, PRODUCT, SQUARED, INVERSE, SOLVE],
    *[WINDOW, PADDED, STRIDED, RUNNING, HINGE, TOP, SPREAD, SHRUNK],
    *[SINGLE_TANH, SINGLE_PRODUCT, SINGLE_LOGSUMEXP, EXPONENTIAL, POWER],
]
