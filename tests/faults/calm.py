"""CALM: right functions at awkward places, where a checker should not cry wolf.

Each is a function of a namespace `np` and of arrays, differentiated by the library's
own rules. `expected` are the verdicts that are right: "ok" where the function is smooth
at these arguments, "not differentiable here" at a kink, and both where the second
derivative jumps; "inconclusive" is right where values have more noise than slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy

OK: Final = ("ok",)
KINK: Final = ("not differentiable here",)
HARD: Final = ("ok", "inconclusive")
EDGE: Final = ("not differentiable here", "inconclusive", "ok")

Array = Any


@dataclass(frozen=True)
class Calm:
    """A right function at some arguments, and what may be said of it."""

    kind: str
    name: str
    fun: Callable[..., Any]  # (np, *args)
    args: tuple[Array, ...]
    expected: tuple[str, ...] = OK

    @property
    def id(self) -> str:
        """The name in test output."""
        return f"{self.kind}: {self.name}"


# -- magnitudes and dtypes -------------------------------------------------------------

Unary = Callable[..., Array]

ANYWHERE: Final[dict[str, Unary]] = {
    "identity": lambda np, x: 1.0 * x,
    "square": lambda np, x: x * x,
    "sum": lambda np, x: np.sum(x * 3),
    "mean of squares": lambda np, x: np.sum(x * x) / math.prod(x.shape),
    "reciprocal": lambda np, x: 1 / x,
    "cancels": lambda np, x: x - x,
    "constant": lambda np, x: 0 * x + 2.0,
    "sqrt of |x|": lambda np, x: np.sqrt(np.abs(x)),
    "log of x^2": lambda np, x: np.log(x * x),
    "arctan": lambda np, x: np.arctan(x),
    "tanh": lambda np, x: np.tanh(x),
    "relu": lambda np, x: np.maximum(x, 0 * x),
    "|x|": lambda np, x: np.abs(x),
    "root of two squares": lambda np, x: np.sqrt(x * x + (2 * x) ** 2),
    "rational": lambda np, x: x / (1 + np.abs(x)),
    "norm": lambda np, x: np.sqrt(np.sum(x * x)),
    "product of two": lambda np, x: x * np.sum(x),
    "normalised": lambda np, x: x / np.sum(np.abs(x)),
}
# Their slopes are lost in their values far from 0, or their squares out of range.
FLAT: Final = ("arctan", "rational", "log of x^2")
MODERATE: Final[dict[str, Unary]] = {
    "exp": lambda np, x: np.exp(x),
    "sin": lambda np, x: np.sin(x),
    "gauss": lambda np, x: np.exp(-x * x),
    "sinh": lambda np, x: np.sinh(x),
    "softmax": lambda np, x: np.exp(x) / np.sum(np.exp(x)),
    "logsumexp": lambda np, x: np.log(np.sum(np.exp(x))),
    "polynomial": lambda np, x: x**4 - 3 * x**2 + x,
    "log1p": lambda np, x: np.log(1 + x * x),
    "logistic": lambda np, x: 1 / (1 + np.exp(-x)),
    "deep": lambda np, x: np.tanh(np.sin(np.tanh(2 * np.sin(3 * x)))),
    "large offset": lambda np, x: x * x + 1e4,
    "outer": lambda np, x: np.reshape(x, (-1, 1)) * np.reshape(x, (1, -1)),
    "slices": lambda np, x: x[1:] * x[:-1] - x[1:],
    "where": lambda np, x: np.where(x > 0, x * x, -3 * x),
    "plateau": lambda np, x: np.tanh(30 * (x + 2)),
    "steep": lambda np, x: np.exp(8 * np.tanh(x)),
    "clip": lambda np, x: np.minimum(np.maximum(x, 0 * x - 0.9), 0 * x + 0.9),
}
MAGNITUDES: Final = (1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e12)
DTYPES: Final = ("float64", "float32")


def numbers(rng: numpy.random.Generator, shape: Any = (6,)) -> Any:
    """Numbers with magnitudes in [0.3, 2.3], away from 0.9 and from each other."""
    sign = numpy.where(rng.random(shape) < 0.5, -1.0, 1.0)
    steps = rng.permutation(numpy.arange(numpy.prod(shape, dtype=int)))
    size = 0.32 + 2 * (steps.reshape(shape) + 0.5) / max(steps.size, 1)
    size = numpy.where(abs(size - 0.9) < 0.02, 0.95, size)
    return sign * size


def magnitudes() -> Iterator[Calm]:
    """Yield functions at arguments from 1e-12 to 1e12, and of mixed magnitudes."""
    rng = numpy.random.default_rng(1)
    for name, fun in ANYWHERE.items():
        for scale in MAGNITUDES:
            for dtype in DTYPES:
                x = (scale * numbers(rng)).astype(dtype)
                label = f"{name} at {scale:g}, {dtype}"
                expected = HARD if name in FLAT and scale != 1 else OK
                yield Calm("magnitude", label, fun, (x,), expected)
        x = numbers(rng, (4,)) * [1e-12, 1e-3, 1.0, 1e12]
        yield Calm("magnitude", f"{name}, mixed", fun, (x,), HARD)


def dtypes() -> Iterator[Calm]:
    """Yield functions at moderate arguments in each dtype and many shapes."""
    rng = numpy.random.default_rng(2)
    every = {**ANYWHERE, **MODERATE}
    for name, fun in every.items():
        for dtype in ("float64", "float32", "float16"):
            for turn in range(4):
                x = numbers(rng).astype(dtype)
                label = f"{name} in {dtype}, {turn}"
                saturated = name == "plateau" or dtype == "float16"
                expected = HARD if saturated else OK
                yield Calm("dtype", label, fun, (x,), expected)
    for name, fun in every.items():
        if name not in ("slices",):
            for shape in ((), (1,), (1, 1, 2), (2, 3), (40,)):
                x = numbers(rng, shape)
                yield Calm("shape", f"{name} of {shape}", fun, (x,))


ANALYTIC: Final = [
    *["identity", "square", "sum", "reciprocal", "cancels", "exp", "sin", "gauss"],
    *["sinh", "softmax", "logsumexp", "polynomial", "log1p", "logistic", "outer"],
    *["mean of squares", "product of two", "slices", "large offset"],
]


def complexes() -> Iterator[Calm]:
    """Yield functions of complex arguments, and real functions of them."""
    rng = numpy.random.default_rng(3)
    every = {**ANYWHERE, **MODERATE}
    for name in ANALYTIC:
        for dtype in ("complex128", "complex64"):
            for turn in range(3):
                z = numbers(rng) * numpy.exp(0.7j * rng.random(6))
                label = f"{name} in {dtype}, {turn}"
                yield Calm("complex", label, every[name], (z.astype(dtype),))
    for turn in range(6):
        z = numbers(rng) * numpy.exp(2j * rng.random(6))
        for name, fun in REAL_OF_COMPLEX.items():
            yield Calm("complex", f"{name}, {turn}", fun, (z,))


REAL_OF_COMPLEX: Final[dict[str, Unary]] = {
    "|z|": lambda np, z: np.abs(z),
    "|z|^2": lambda np, z: np.real(z * np.conj(z)),
    "real part of a square": lambda np, z: np.real(z * z),
    "conjugate": lambda np, z: np.conj(z) * z,
    "imaginary part": lambda np, z: np.imag(np.exp(z)),
}


def empties() -> Iterator[Calm]:
    """Yield functions of arrays without elements."""
    for name in ("identity", "square", "sum", "tanh", "relu", "exp", "sin", "where"):
        fun = {**ANYWHERE, **MODERATE}[name]
        for shape in ((0,), (0, 3), (3, 0), (2, 0, 3)):
            for dtype in DTYPES:
                label = f"{name} of {shape}, {dtype}"
                yield Calm("empty", label, fun, (numpy.zeros(shape, dtype),))


# -- noise -----------------------------------------------------------------------------

NOISY: Final[dict[str, Unary]] = {
    "difference of large numbers": lambda np, x: (x + 1e8) - 1e8,
    "square of a difference": lambda np, x: ((x + 1e6) - 1e6) ** 2,
    "oscillating": lambda np, x: np.sin(1e5 * x),
    "spiked": lambda np, x: np.exp(-((x * 1e3) ** 2)),
    "underflowing": lambda np, x: np.exp(-300 - x),
    "overflowing inside": lambda np, x: np.log(1 + np.exp(x * 20)),
    "huge constant": lambda np, x: np.sum(x) + 1e12,
    "tiny slope": lambda np, x: 1 + 1e-14 * x,
    "steep wall": lambda np, x: np.tanh(1e4 * x),
    "high power": lambda np, x: (x / 3) ** 30,
    "almost singular": lambda np, x: 1 / (x - x[0] + 1e-5),
}


# In float32 cotangents of 1e10 cancel, and leave nothing of the rest.
CANCELLING: Final = ("almost singular",)


def noisy() -> Iterator[Calm]:
    """Yield functions whose values drown their slopes, here and there."""
    rng = numpy.random.default_rng(4)
    for name, fun in NOISY.items():
        for dtype in DTYPES[: 1 if name in CANCELLING else 2]:
            for turn in range(4):
                x = numbers(rng).astype(dtype)
                label = f"{name} in {dtype}, {turn}"
                yield Calm("noise", label, fun, (x,), HARD)
    for scale in (1e6, 1e12):
        for name in ("sin", "large offset", "plateau", "logistic"):
            x = scale * numbers(rng)
            fun = MODERATE[name]
            label = f"{name} at {scale:g}"
            with numpy.errstate(all="ignore"):
                yield Calm("noise", label, fun, (x,), (*HARD, *KINK))


# -- low precision inside --------------------------------------------------------------

W: Final = numpy.random.default_rng(9).standard_normal((6, 6)) / 2

INSIDE: Final[dict[str, Unary]] = {
    "tanh": lambda np, x: np.tanh(x),
    "square": lambda np, x: x * x,
    "mean of squares": lambda np, x: np.sum(x * x) / math.prod(x.shape),
    "exp": lambda np, x: np.exp(x),
    "logsumexp": lambda np, x: np.log(np.sum(np.exp(x))),
    "softmax": lambda np, x: np.exp(x) / np.sum(np.exp(x)),
    "norm": lambda np, x: np.sqrt(np.sum(x * x)),
    "layer": lambda np, x: np.tanh(np.const(W, x) @ x),
    "two layers": lambda np, x: np.const(W, x) @ np.tanh(np.const(W, x) @ x),
    "relu layer": lambda np, x: np.sum(np.maximum(np.const(W, x) @ x, 0 * x)),
    "polynomial": lambda np, x: x**4 - 3 * x**2 + x,
}


def low_inside() -> Iterator[Calm]:
    """Yield functions of float64 arrays that compute in float32 or float16 inside."""
    rng = numpy.random.default_rng(10)
    for name, fun in INSIDE.items():
        for low in ("float32", "float16"):
            for outer in DTYPES:
                for turn in range(2):
                    x = numbers(rng).astype(outer)
                    expected = OK if low == "float32" else HARD
                    yield Calm(
                        "low precision inside",
                        f"{name} in {low} of {outer}, {turn}",
                        lambda np, x, f=fun, low=low: f(np, np.cast(x, low)) + 0 * x,
                        (x,),
                        expected,
                    )
    captured = W.astype("float32")
    for turn in range(3):
        x = numbers(rng)
        yield Calm(
            "low precision inside",
            f"captures float32, {turn}",
            lambda np, x: np.tanh(np.asarray(captured) @ np.cast(x, "float32")),
            (x,),
        )


# -- kinks ----------------------------------------------------------------------------

KINKED: Final[dict[str, Unary]] = {
    "relu": lambda np, x: np.maximum(x, 0 * x),
    "|x|": lambda np, x: np.abs(x),
    "minimum": lambda np, x: np.minimum(x, 0.3 * x),
    "sum of |x|": lambda np, x: np.sum(np.abs(x)),
    "relu of a product": lambda np, x: np.sum(np.maximum(x * 2.0, 0 * x) * 3.0),
    "hinge": lambda np, x: np.maximum(1 - np.maximum(1 + x, 0 * x), 0 * x),
    "leaky": lambda np, x: np.where(x > 0, x, 0.1 * x),
    "|x| x + |x|": lambda np, x: x * np.abs(x) + np.abs(x),
}
TIED: Final[dict[str, Unary]] = {
    "largest": lambda np, x: np.amax(x),
    "smallest of each row": lambda np, x: np.amin(np.reshape(x, (2, -1)), 1),
    "range": lambda np, x: np.amax(x) - np.amin(x),
    "maximum of neighbours": lambda np, x: np.maximum(x[1:], x[:-1]),
}


def kinks() -> Iterator[Calm]:
    """Yield functions at their kinks: they have no derivative there."""
    rng = numpy.random.default_rng(5)
    for name, fun in KINKED.items():
        for zeros in (1, 2, 3, 6):
            for turn in range(3):
                for dtype in DTYPES:
                    x = numbers(rng)
                    x[rng.permutation(6)[:zeros]] = 0
                    label = f"{name} with {zeros} zeros in {dtype}, {turn}"
                    yield Calm("kink", label, fun, (x.astype(dtype),), KINK)
    for name, fun in TIED.items():
        for turn in range(6):
            x = numpy.array([2.0, 1.0, 2.0, -1.0, -1.0, 0.5]) * rng.uniform(0.5, 2)
            x = numpy.array([x[0], x[0], x[1], x[3], x[3], x[5]])
            yield Calm("kink", f"{name}, {turn}", fun, (x,), KINK)


def many_kinks() -> Iterator[Calm]:
    """Yield networks whose biases are zero, where parts of the images are black.

    All their units that see nothing but black are at a kink, as at the first step of
    training: far more than there are points nearby that could be looked at.
    """
    for seed in range(4):
        rng = numpy.random.default_rng(seed)
        images = rng.random((12, 5)) * (numpy.arange(12) % 3 == 0)[:, None]
        w, v = rng.normal(size=(5, 8)), rng.normal(size=(8, 12))
        weights = rng.normal(size=12)

        def loss(np, w, b, v, c, images=images, weights=weights):
            x = np.asarray(images) @ w + b
            x = np.where(x > 0, x, 0 * x) @ v + c
            return np.sum(np.tanh(np.sum(np.where(x > 0, x, 0 * x), 0) * 0.1) * weights)

        args = w, numpy.zeros(8), v, numpy.zeros(12)
        yield Calm("kink", f"network at its start, {seed}", loss, args, KINK)


def near_kinks() -> Iterator[Calm]:
    """Yield functions next to a kink: they have a derivative there."""
    rng = numpy.random.default_rng(6)
    for name in ("relu", "|x|", "minimum", "leaky", "sum of |x|"):
        for gap in (1e-4, 1e-6, 1e-9):
            for turn in range(3):
                x = numbers(rng)
                x[turn] = gap * numpy.sign(x[turn])
                label = f"{name}, {gap:g} away, {turn}"
                yield Calm("near a kink", label, KINKED[name], (x,))


def second_order_kinks() -> Iterator[Calm]:
    """Yield functions that are differentiable once, not twice."""
    rng = numpy.random.default_rng(7)
    for name, fun in {
        "x |x|": lambda np, x: x * np.abs(x),
        "squared relu": lambda np, x: np.maximum(x, 0 * x) ** 2,
        "huber": lambda np, x: np.where(
            np.abs(x) < 1, x * x / 2, np.abs(x) - 0.5 + 0 * x
        ),
    }.items():
        for turn in range(4):
            x = numbers(rng)
            x[turn] = 1.0 if name == "huber" else 0.0
            yield Calm("second-order kink", f"{name}, {turn}", fun, (x,), KINK)


def edges() -> Iterator[Calm]:
    """Yield functions at the edge of their domain, where slopes are one-sided."""
    for name, fun in {
        "sqrt at 0": lambda np, x: np.sqrt(x),
        "x^1.5 at 0": lambda np, x: np.sqrt(x) * x,
        "x log x at 0": lambda np, x: x * np.log(x + 1e-300),
        "arcsin at 1": lambda np, x: np.arcsin(1 - x),
    }.items():
        x = numpy.array([0.0, 0.5, 0.2])
        yield Calm("edge", name, fun, (x,), EDGE)


# -- linear algebra --------------------------------------------------------------------


def conditioned(rng: numpy.random.Generator, n: int, condition: float) -> Any:
    """A matrix of singular values from 1 down to 1 / condition."""
    u, _ = numpy.linalg.qr(rng.standard_normal((n, n)))
    v, _ = numpy.linalg.qr(rng.standard_normal((n, n)))
    return u * numpy.geomspace(1, 1 / condition, n) @ v


LINEAR: Final[dict[str, Callable[..., Array]]] = {
    "inv": lambda np, a, b: np.linalg.inv(a),
    "solve": lambda np, a, b: np.linalg.solve(a, b),
    "det": lambda np, a, b: np.linalg.det(a),
    "log det": lambda np, a, b: np.log(np.abs(np.linalg.det(a))),
    "quadratic form": lambda np, a, b: np.sum(b * np.linalg.solve(a, b)),
    "a^T a": lambda np, a, b: a.T @ a @ b,
    "cholesky": lambda np, a, b: np.linalg.cholesky(a @ a.T),
    "residual": lambda np, a, b: a @ np.linalg.solve(a, b) + a,
    "product of inverses": lambda np, a, b: np.linalg.inv(a @ a.T) @ b,
}


# Singular in floating point when squared; the residual's second derivative is noise.
SQUARED: Final = ("cholesky", "product of inverses", "residual")


def matrices() -> Iterator[Calm]:
    """Yield linear algebra of well- and ill-conditioned matrices."""
    rng = numpy.random.default_rng(8)
    for name, fun in LINEAR.items():
        for condition in (2.0, 1e2, 1e4, 1e6, 1e8):
            for turn in range(3):
                if condition > 1e4 and name in SQUARED:
                    continue
                a, b = conditioned(rng, 4, condition), rng.standard_normal((4, 4))
                label = f"{name}, condition {condition:g}, {turn}"
                expected = OK if condition < 1e3 else HARD
                yield Calm("matrix", label, fun, (a, b), expected)
        for condition in (2.0, 1e2, 1e3):
            a, b = conditioned(rng, 4, condition), rng.standard_normal((4, 4))
            pair = (a.astype("float32"), b.astype("float32"))
            label = f"{name}, condition {condition:g}, float32"
            yield Calm("matrix", label, fun, pair, HARD)


CALM: Final = [
    *magnitudes(),
    *dtypes(),
    *complexes(),
    *empties(),
    *noisy(),
    *low_inside(),
    *kinks(),
    *many_kinks(),
    *near_kinks(),
    *second_order_kinks(),
    *edges(),
    *matrices(),
]
