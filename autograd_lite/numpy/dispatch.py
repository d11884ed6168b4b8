"""How a function named as in NumPy finds its way: to NumPy, or to our primitives."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..core import (
    NUMPY_EQUIVALENT,
    Primitive,
    Tracer,
    defbatch,
    elementwise,
    nondifferentiable,
)
from ..errors import DifferentiationTypeError, ShapeError, UnsupportedError
from ..ops.basic import cast, derivative, stack
from .mapped import batching_rule

Fun = Callable[..., Any]
Axis = int | tuple[int, ...] | None


def implements(numpy_function: Fun, *aliases: Any) -> Callable[[Fun], Fun]:
    """Make a function of tracers the differentiable version of a NumPy function.

    Called without a tracer, the result is NumPy's own: bit for bit, every keyword. With
    a tracer the decorated function is called, whose signature lists what it supports;
    anything else raises `UnsupportedError`, unless it has NumPy's default value. Plain
    NumPy, given a tracer, finds the function as well.
    """

    def decorate(traced: Fun) -> Fun:
        checked = _checked(traced, numpy_function)

        @functools.wraps(traced)
        def function(*args: Any, **kwargs: Any) -> Any:
            if has_tracer(args) or (kwargs and has_tracer(kwargs.values())):
                return checked(*args, **kwargs)
            return numpy_function(*args, **kwargs)

        for known in (numpy_function, *aliases):
            NUMPY_EQUIVALENT[known] = checked
        return function

    return decorate


def has_tracer(values: Iterable[Any]) -> bool:
    """Return whether there is a tracer among values, or in lists and tuples of them."""
    for value in values:
        if isinstance(value, Tracer):
            return True
        if isinstance(value, (list, tuple)) and has_tracer(value):
            return True
    return False


def _checked(traced: Fun, numpy_function: Fun) -> Fun:
    """Return `traced` with a check of what it is given against what it supports."""
    code = traced.__code__
    variadic = bool(code.co_flags & inspect.CO_VARARGS)
    n = code.co_argcount
    allowed = frozenset(code.co_varnames[: n + code.co_kwonlyargcount])

    def checked(*args: Any, **kwargs: Any) -> Any:
        if (len(args) > n and not variadic) or not kwargs.keys() <= allowed:
            args, kwargs = _supported(numpy_function, n, allowed, args, kwargs)
        return traced(*args, **kwargs)

    return checked


def _supported(
    numpy_function: Fun, n: int, allowed: frozenset[str], args: Any, kwargs: Any
) -> tuple[Any, dict[str, Any]]:
    """Drop the arguments that have NumPy's default; raise for others not supported."""
    parameters = inspect.signature(numpy_function).parameters
    beyond = dict(zip(list(parameters)[n:], args[n:])) if n else {}  # 0: variadic
    given = {**beyond, **kwargs}
    kept = {}
    for name, value in given.items():
        if name in allowed or name not in parameters:  # the latter: Python's TypeError
            kept[name] = value
        elif not _is_default(value, parameters[name].default):
            raise UnsupportedError(
                f"{_public_name(numpy_function)}: {name}={value!r} is not supported "
                f"for traced arrays. Supported are {', '.join(sorted(allowed))}."
            )
    return (args[:n] if n else args), kept


def _public_name(function: Fun) -> str:
    """Return how users call a function of NumPy or SciPy: np.sum, scipy.linalg.qr."""
    module = [part for part in function.__module__.split(".") if part[0] != "_"]
    return ".".join(["np" if module[0] == "numpy" else module[0], *module[1:]]) + (
        f".{function.__name__}"
    )


def _is_default(value: Any, default: Any) -> bool:
    if value is None or value is default:
        return True
    return isinstance(value, (bool, int, str)) and value == default


def constant(
    numpy_function: Fun, *, multiple: bool = False, like: Fun | None = None
) -> Fun:
    """Return the version of a NumPy function whose result has no derivative.

    What it returns is a plain array, except in `vmap`, or a tuple of them with
    `multiple`. `like` is the function it is mapped like in `vmap`.
    """
    primitive = Primitive(numpy_function, differentiable=False, multiple=multiple)
    primitive.batch = batching_rule(primitive, like or numpy_function)

    @functools.wraps(numpy_function)
    def function(*args: Any, **kwargs: Any) -> Any:
        if has_tracer(args) or (kwargs and has_tracer(kwargs.values())):
            return traced(*args, **kwargs)
        return numpy_function(*args, **kwargs)

    def traced(*args: Any, **kwargs: Any) -> Any:
        if kwargs and has_tracer(kwargs.values()):
            args, kwargs = _by_position(numpy_function, args, kwargs)
        args = tuple([operand(a) if has_tracer((a,)) else a for a in args])
        return primitive(*args, **kwargs)

    NUMPY_EQUIVALENT[numpy_function] = traced
    return function


def _by_position(
    function: Fun, args: Any, kwargs: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Return arguments with the traced ones, and all before them, by position."""
    parameters = inspect.signature(function).parameters
    traced = [name for name in kwargs if has_tracer((kwargs[name],))]
    order = list(parameters)
    last = max([order.index(name) for name in traced if name in order], default=-1)
    kept, given = dict(kwargs), list(args)
    for name, parameter in list(parameters.items())[len(args) : last + 1]:
        if parameter.kind is parameter.KEYWORD_ONLY:
            raise UnsupportedError(
                f"np.{function.__name__}: {name}= does not take a traced array"
            )
        given.append(kept.pop(name, parameter.default))
    return tuple(given), kept


def operand(x: Any) -> Any:
    """Return an array argument as an array or tracer; lists of tracers are stacked."""
    if isinstance(x, (Tracer, np.ndarray, np.generic)):
        return x
    if isinstance(x, (list, tuple)) and has_tracer(x):
        return stack(*[operand(item) for item in x])
    return np.asarray(x)


def mask_of(where: Any, shape: tuple[int, ...]) -> Any:
    """Return the `where` argument of a reduction, checked: booleans that fit."""
    where = operand(where)
    if where.dtype != bool:
        raise DifferentiationTypeError(
            f"where= has dtype {where.dtype}, expected bool; write where=(mask != 0)"
        )
    if np.broadcast_shapes(where.shape, shape) != tuple(shape):
        raise ShapeError(
            f"where= of shape {where.shape} cannot be broadcast to the array's, {shape}"
        )
    return where


def converted(x: Any, dtype: Any) -> Any:
    """Return an operand in a dtype; as integers or booleans it is a constant."""
    x, dtype = operand(x), np.dtype(dtype)
    if dtype.kind not in "fciub":
        raise UnsupportedError(f"dtype {dtype} is not supported for traced arrays")
    return cast(x, dtype) if dtype.kind in "fc" else _as_constant(x, dtype)


@nondifferentiable
def _as_constant(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


defbatch(_as_constant, lambda size, args, batched: _as_constant(*args))


@elementwise
def exactly(x: Any, value: Any) -> Any:
    """Return `value`, which is x but for rounding: NumPy's bits, our derivative."""
    return value


derivative(exactly, lambda ans, x, value: lambda g: g, None)


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return a NumPy `axis` argument as a tuple of non-negative ints; None is all."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    return normalize_axis_tuple(axis, ndim)


def reduced_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes of a reduction; NumPy's ufuncs know an axis 0 of a number too."""
    return () if ndim == 0 and axis in (0, -1) else axes_of(axis, ndim)


def axis_of(axis: int, ndim: int) -> int:
    """Return one axis as a non-negative int."""
    return axes_of(axis, ndim)[0]
