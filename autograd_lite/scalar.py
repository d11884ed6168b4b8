"""scalar_primitive: an elementwise function, written for one number, compiled.

Derivatives come from dual numbers that run through the compiled function. Each is an
elementwise primitive of its own, made when it is needed, so there is one of any order.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .core import Primitive, Rules
from .errors import ArgumentError, UnsupportedError


def scalar_primitive(fun: Callable[..., Any]) -> Primitive:
    """Turn a function of numbers into an elementwise function of arrays, by Numba.

    `fun` takes numbers by position and returns one. It may use arithmetic, `math` and
    NumPy's scalar functions, if, for, while, and functions compiled with `numba.njit`.
    Arrays are broadcast; the result has their common dtype, float32 or float64, and
    large ones are computed by several threads. It is compiled at the first call for a
    dtype, and so is each derivative, in about a second.

    That pays for arithmetic and branches, which become one pass without temporaries. A
    function dominated by one exp or tanh is as fast, or faster, in NumPy operations.

    At max(a, b) and min(a, b) with a == b the slope is split evenly, abs has slope 0
    at 0, a branch is differentiated as it was taken, and floor and ceil have slope 0.

    Raises `UnsupportedError` for what Numba cannot compile, or has no derivative here,
    and for results that are no real numbers, naming the function and the line;
    `ArgumentError` for arguments by keyword, and for another number of them.

    >>> import numpy as np
    >>> from autograd_lite import grad
    >>> @scalar_primitive
    ... def huber(x, width):
    ...     if abs(x) < width:
    ...         return x * x / 2
    ...     return width * (abs(x) - width / 2)
    >>> huber(np.array([0.5, -3.0]), 1.0)
    array([0.125, 2.5  ])
    >>> grad(lambda x: huber(x, 1.0).sum())(np.array([0.5, -3.0]))
    array([ 0.5, -1. ])
    """
    if not callable(fun):
        raise ArgumentError(f"scalar_primitive needs a function, got {fun!r}")
    function = getattr(fun, "py_func", fun)  # of one that is compiled already
    kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    count = len(inspect.signature(function).parameters)
    if not count or kinds - {_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY}:
        raise ArgumentError(
            f"scalar_primitive: {function.__name__} must take a fixed number of "
            "arguments by position"
        )
    return _derivative(function, count, ())


_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _derivative(
    function: Callable[..., Any], count: int, path: tuple[int, ...]
) -> Primitive:
    """Return the primitive that differentiates a function along a path of arguments."""

    @functools.cache
    def loop() -> Callable[..., Any]:
        from .kernels.scalar import compiled

        return compiled(function, count, path)

    name = function.__name__ + "".join([f"_d{i}" for i in path])

    def impl(*xs: Any, **named: Any) -> Any:
        if named:
            raise ArgumentError(
                f"{name} takes numbers by position, but {', '.join(named)} by keyword: "
                f"call it as {name}{inspect.signature(function)}"
            )
        if len(xs) != count:
            raise ArgumentError(f"{name} takes {count} arguments, got {len(xs)}")
        arrays, dtype = _operands(name, xs)
        return _explained(loop(), arrays, function, name).astype(dtype, copy=False)

    primitive = Primitive(impl, name=name, broadcasts=True)
    primitive.__doc__ = function.__doc__

    @functools.cache
    def partial(argnum: int) -> Primitive:
        # The order in which partial derivatives are taken makes no difference.
        return _derivative(function, count, tuple(sorted([*path, argnum])))

    primitive.vjps = _Slopes(name, partial)
    primitive.jvps = _Pushes(count, partial)
    return primitive


class _Slopes(Rules):
    """The gradient rules: a derivative, made when it is asked for."""

    def __init__(self, name: str, partial: Callable[[int], Primitive]) -> None:
        super().__init__(name)
        self.partial = partial

    def __missing__(self, argnum: int) -> Callable[..., Any]:
        slope = self.partial(argnum)
        self[argnum] = lambda ans, *xs: lambda g: g * slope(*xs)
        return self[argnum]


class _Pushes(dict[int, Callable[..., Any] | None]):
    """The forward rules, made when they are asked for."""

    def __init__(self, count: int, partial: Callable[[int], Primitive]) -> None:
        super().__init__()
        self.count = count
        self.partial = partial

    def __contains__(self, argnum: object) -> bool:
        return argnum in range(self.count)

    def __missing__(self, argnum: int) -> Callable[..., Any]:
        slope = self.partial(argnum)

        def push(x_dot: Any, ans: Any, *xs: Any) -> Any:
            return x_dot * slope(*xs)

        self[argnum] = push
        return push


def _operands(name: str, xs: tuple[Any, ...]) -> tuple[list[Any], np.dtype[Any]]:
    """Return arguments as arrays of the dtype to compute in, and that of the result."""
    dtype = np.result_type(*[getattr(x, "dtype", x) for x in xs])
    if dtype.kind in "iub":
        dtype = np.dtype(float)
    if dtype.kind != "f":
        raise UnsupportedError(f"{name} computes with real numbers, got {dtype}")
    wide = dtype if dtype in (np.float32, np.float64) else _wider(dtype)
    return [np.asarray(x, wide) for x in xs], dtype


def _wider(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)


def _explained(
    loop: Callable[..., Any], arrays: list[Any], function: Any, name: str
) -> Any:
    """Run a loop; where it cannot be compiled, say which call and line failed."""
    from numba.core.errors import NumbaError

    try:
        return loop(*arrays)
    except (NumbaError, AttributeError) as error:  # the latter of math.nothing
        from .kernels.scalar import reason

        what, place = reason(error, function)
        raise UnsupportedError(
            f"scalar_primitive {name} cannot be compiled: {what}{place}. It may use "
            "numbers, if, loops, the functions of math and NumPy that have a "
            "derivative, and functions made with numba.njit."
        ) from error
