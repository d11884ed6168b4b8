"""Elementwise functions that are no ufuncs in NumPy, or need their arguments arranged.

All other elementwise functions are exported as the primitives themselves, which take
every call form of the ufunc.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import NUMPY_EQUIVALENT, is_tracer
from ..errors import ArgumentError, ShapeError, UnsupportedError
from ..ops import elementwise as ew
from ..ops.basic import cast
from ..ops.special import bessel
from .dispatch import constant, converted, has_tracer, implements, operand

round = constant(np.round)
around = constant(np.around)
fix = constant(np.fix)
isneginf = constant(np.isneginf)
isposinf = constant(np.isposinf)


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """Return x where the condition holds, else y; with one argument, `nonzero`.

    The branch that isn't taken gets a zero cotangent. If its own derivative is infinite
    there, the product is NaN: use `safe_where`.
    """
    if x is None and y is None:
        return np.nonzero(condition)
    return ew.where(operand(condition), _weak(x), _weak(y))


def _weak(x: Any) -> Any:
    """Return an operand; Python numbers stay, because they promote weakly."""
    return x if isinstance(x, (int, float, complex)) else operand(x)


@implements(np.clip)
def clip(
    a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Any:
    """Return `a` limited to an interval; the gradient passes on the closed interval."""
    low = min if a_min is None else a_min
    high = max if a_max is None else a_max
    low = -np.inf if low is None else _weak(low)
    high = np.inf if high is None else _weak(high)
    return ew.clip(_weak(a), low, high)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """Return sin(pi x) / (pi x), and 1 at 0."""
    return ew.sinc(operand(x))


@implements(np.i0)
def i0(x: Any) -> Any:
    """Return the modified Bessel function of the first kind, of order 0."""
    x = operand(x)
    return cast(bessel.i0(x), x.dtype)


@implements(np.nan_to_num)
def nan_to_num(
    x: Any,
    copy: bool = True,
    nan: Any = 0.0,
    posinf: Any = None,
    neginf: Any = None,
) -> Any:
    """Return x with NaN and infinities replaced; they pass their gradient on."""
    x = operand(x)
    if x.dtype.kind == "c":  # each part has infinities of its own
        re, im = nan_to_num(ew.real(x), copy, nan, posinf, neginf), ew.imag(x)
        return re + 1j * nan_to_num(im, copy, nan, posinf, neginf)
    if not has_tracer((nan, posinf, neginf)):
        return ew.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    finite = ew.nan_to_num(x)
    for place, value in [
        (ew.isnan(x), nan),
        (np.isposinf(x), posinf),
        (np.isneginf(x), neginf),
    ]:
        if value is not None:
            finite = ew.where(place, converted(value, x.dtype), finite)
    return finite


@implements(np.real)
def real(val: Any) -> Any:
    """Return the real part."""
    val = operand(val)
    return ew.real(val) if val.dtype.kind == "c" else val


@implements(np.imag)
def imag(val: Any) -> Any:
    """Return the imaginary part."""
    return ew.imag(operand(val))


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """Return the angle of complex numbers, in radians or degrees; 0 has gradient 0."""
    radians = ew.angle(operand(z))
    return ew.rad2deg(radians) if deg else radians


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """Return the real part where all imaginary parts are close to zero, else `a`."""
    a = operand(a)
    if a.dtype.kind != "c":
        return a
    limit = tol * np.finfo(a.dtype).eps if tol > 1 else tol
    return ew.real(a) if bool(np.all(np.abs(ew.imag(a)) < limit)) else a


def divmod(x1: Any, x2: Any, /, **options: Any) -> tuple[Any, Any]:
    """Return the floored quotient, which has zero gradient, and the remainder."""
    x1, x2 = _optioned(np.divmod, (x1, x2), options)
    return ew.floor_divide(x1, x2), ew.remainder(x1, x2)


def modf(x: Any, /, **options: Any) -> tuple[Any, Any]:
    """Return the fractional and the integral parts, both with the sign of x."""
    (x,) = _optioned(np.modf, (x,), options)
    return ew.fmod(x, 1), ew.trunc(x)


def frexp(x: Any, /, **options: Any) -> tuple[Any, Any]:
    """Return mantissa and exponent, x = mantissa * 2**exponent."""
    (x,) = _optioned(np.frexp, (operand(x),), options)
    exponent = _exponent(x)
    return ew.ldexp(x, -exponent), exponent


def _optioned(ufunc: np.ufunc, xs: Any, options: dict[str, Any]) -> Any:
    """Return the arguments of a ufunc in the dtype asked for; refuse what differs."""
    dtype = options.pop("dtype", None)
    defaults = {"where": True, "casting": "same_kind", "order": "K", "subok": True}
    for name, value in options.items():
        if value is not None and value is not defaults.get(name, defaults):
            raise UnsupportedError(
                f"np.{ufunc.__name__}: {name}={value!r} is not supported for traced "
                "arrays; of the keywords dtype is"
            )
    return xs if dtype is None else [converted(x, dtype) for x in xs]


_exponent = constant(lambda x: np.frexp(x)[1], like=np.isreal)


NUMPY_EQUIVALENT[np.divmod] = divmod
NUMPY_EQUIVALENT[np.modf] = modf
NUMPY_EQUIVALENT[np.frexp] = frexp


def safe_where(
    condition: Any, f: Callable[[Any], Any], g: Callable[[Any], Any], x: Any
) -> Any:
    """Return f(x) where the condition holds, else g(x), each on its own elements only.

    Neither function sees an element of the other, so that a branch that would be
    infinite or NaN there cannot spoil value or gradient. f and g are elementwise
    functions; x and condition have one shape, or one is a scalar.

    >>> import autograd_lite.numpy as np
    >>> from autograd_lite import grad
    >>> def loss(x):
    ...     return np.sum(safe_where(x > 0, np.sqrt, lambda x: 0 * x, x))
    >>> print(grad(loss)(np.array([0.0, 4.0])))
    [0.   0.25]
    """
    if is_tracer(condition):
        raise UnsupportedError(
            "safe_where: inside vmap the condition c differs from element to element. "
            "Keep the elements of the other branch away from f by a number that suits "
            "it: np.where(c, f(np.where(c, x, 1.0)), g(x))"
        )
    condition = np.asarray(condition)
    if condition.dtype != bool:
        raise ArgumentError(
            f"safe_where: the condition has dtype {condition.dtype}, expected bool"
        )
    shape = np.broadcast_shapes(condition.shape, np.shape(x))
    condition = np.broadcast_to(condition, shape)
    chosen, other = condition.ravel(), ~condition.ravel()
    flat = np.reshape(np.broadcast_to(x, shape), (-1,))
    order = np.argsort(np.concatenate([np.nonzero(chosen)[0], np.nonzero(other)[0]]))
    parts = np.concatenate([_branch(f, flat[chosen]), _branch(g, flat[other])])
    return np.reshape(parts[order], shape)


def _branch(f: Callable[[Any], Any], x: Any) -> Any:
    """Return f of the elements x: (n,) that are its own; a number stands for all."""
    y = f(x)
    if isinstance(y, (bool, int, float, complex)):  # promotes weakly
        y = np.asarray(y, np.result_type(x.dtype, y))
    if np.ndim(y) == 0:
        return np.broadcast_to(y, x.shape)
    if np.shape(y) != x.shape:
        raise ShapeError(
            f"safe_where: a branch, {getattr(f, '__name__', f)}, made shape "
            f"{np.shape(y)} of the {x.shape[0]} elements that are its own, a vector; "
            "expected an elementwise function, or one that returns a number"
        )
    return y
