"""Wrong rules that treat g, dtypes, memory or the past in a way that rules must not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy

from . import functions as f
from .fault import Change, Fault, Row, changed, single
from .functions import Array

# -- what g does -----------------------------------------------------------------------


def nonlinear() -> Iterator[Row]:
    """Yield rules that are not linear in the cotangent."""
    changes: list[tuple[str, Change]] = [
        ("|g|", lambda np, b, g, *_: b * np.where(g > 0, 1 + 0 * g, -1 + 0 * g)),
        ("offset", lambda np, b, *_: b + 1e-3),
        ("clipped", lambda np, b, *_: np.where(b > 0.1, 0.1 + 0 * b, b)),
        ("saturating", lambda np, b, *_: np.tanh(b)),
        ("normalised", lambda np, b, *_: b / np.sqrt(np.sum(b * b))),
    ]
    for function in (f.CUBE, f.TANH, f.WINDOW):
        fitting = changes[1:] if function is f.WINDOW else changes
        for name, change in fitting:
            yield function, name, changed(function, change)


def dtypes() -> Iterator[Row]:
    """Yield rules that return another dtype than their argument's."""
    for function, name in (
        (f.CUBE, "float32"),
        (f.TANH, "float32"),
        (f.PRODUCT, "float32"),
        (f.CUBE, "complex128"),
        (single(f.CUBE), "float64"),
        (single(f.SOFTMAX), "float64"),
        (single(f.PRODUCT), "float64"),
        (single(f.INVERSE), "float16"),
    ):
        wrong = changed(function, lambda np, b, *_, name=name: np.cast(b, name))
        yield function, f"{name} for {function.args[0].dtype}", wrong


# -- arrays that are shared, and states (not for libraries whose arrays can't change) --


def doubled_in_place(np: Any, g: Array, ans: Array, *xs: Array) -> tuple[Array, ...]:
    """A rule of the cube that uses its cotangent as a work space."""
    g *= 3
    return (g * xs[0] * xs[0],)


def undone(np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
    """A rule of the cube that scales its cotangent and returns it."""
    g *= 3 * x * x
    return (g,)


def eats_argument(np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
    """A rule of the cube that writes into its argument."""
    x *= x
    return (3 * g * x,)


def shared_product(np: Any, g: Array, ans: Array, x: Array, y: Array) -> Any:
    """A rule of the product that changes g between its two cotangents."""
    x_bar = g @ y.T
    g += 1e-3
    return x_bar, x.T @ g


class Kept:
    """A rule of the cube that returns the same array each time."""

    def __init__(self) -> None:
        self.work: Any = None

    def __call__(self, np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        found = 3 * g * x * x
        if self.work is None or self.work.shape != found.shape:
            self.work = found
        else:
            self.work[...] = found
        return (self.work,)


class Added(Kept):
    """A rule of the cube that adds to what it returned before."""

    def __call__(self, np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        found = 3 * g * x * x
        self.work = found if self.work is None else self.work + found
        return (self.work,)


ALIASES: list[Row] = [
    (f.CUBE, "g as a work space", doubled_in_place),
    (f.CUBE, "g scaled and returned", undone),
    (f.CUBE, "x as a work space", eats_argument),
    (f.PRODUCT, "g changed between two uses", shared_product),
    (f.CUBE, "the same array each time", Kept()),
    (f.CUBE, "added to the last result", Added()),
]


class Every:
    """A rule of the cube that is wrong by a factor in every n-th call."""

    def __init__(self, n: int, factor: float) -> None:
        self.calls, self.n, self.factor = 0, n, factor

    def __call__(self, np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        self.calls += 1
        wrong = self.calls % self.n == 0
        return (3 * g * x * x * (self.factor if wrong else 1.0),)


class Remembers:
    """A rule of the cube that keeps the x of its first call."""

    def __init__(self) -> None:
        self.x: Any = None

    def __call__(self, np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        slope = 3 * x * x
        old, self.x = self.x, np.stop(slope)
        return (g * (slope if old is None else old + 1e-3 * g),)


class Momentum:
    """A rule of the cube that averages over its calls."""

    def __init__(self) -> None:
        self.mean: Any = 0.0

    def __call__(self, np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        found = 3 * g * x * x
        self.mean = 0.1 * self.mean + 0.9 * np.stop(found)
        return (found + 0.1 * self.mean,)


class Dropout:
    """A rule of the cube that draws random numbers."""

    def __init__(self, share: float) -> None:
        self.rng, self.share = numpy.random.default_rng(0), share

    def __call__(self, np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        noise = 1 + self.share * self.rng.standard_normal(tuple(x.shape))
        return (3 * g * x * x * np.const(noise, x),)


STATES: list[Row] = [
    (f.CUBE, "wrong in every second call", Every(2, 1.1)),
    (f.CUBE, "wrong in every third call", Every(3, 1.01)),
    (f.CUBE, "slope of the last call", Remembers()),
    (f.CUBE, "momentum", Momentum()),
    (f.CUBE, "random, 1 %", Dropout(0.01)),
    (f.CUBE, "random", Dropout(1.0)),
]

# -- complex numbers, and memory: for check_primitive ----------------------------------

CONJUGATES: list[Row] = [
    (f.EXPONENTIAL, "slope conjugated", lambda np, g, ans, z: (g * np.conj(ans),)),
    (f.EXPONENTIAL, "g conjugated", lambda np, g, ans, z: (np.conj(g) * ans,)),
    (f.EXPONENTIAL, "both conjugated", lambda np, g, ans, z: (np.conj(g * ans),)),
    (f.POWER, "slope conjugated", lambda np, g, ans, z: (g * np.conj(3 * z * z),)),
    (f.POWER, "times i", lambda np, g, ans, z: (1j * g * 3 * z * z,)),
    (f.POWER, "real part of z", lambda np, g, ans, z: (g * 3 * z * np.conj(z),)),
]


def by_layout(name: str, holds: Callable[[Any], bool]) -> Fault:
    """Return a fault that shows where an argument lies otherwise in memory."""

    def pull(np: Any, g: Array, ans: Array, x: Array) -> tuple[Array, ...]:
        odd = isinstance(x, numpy.ndarray) and x.size > 0 and holds(x)
        return (3 * g * x * x * (1.01 if odd else 1.0),)

    return Fault("memory layout", f.CUBE, name, pull, checker="check_primitive")


LAYOUTS = [
    by_layout("not contiguous", lambda x: not x.flags.forc),
    by_layout("Fortran order", lambda x: not x.flags.c_contiguous),
    by_layout("read-only", lambda x: not x.flags.writeable),
    by_layout("negative strides", lambda x: min(x.strides, default=0) < 0),
]
