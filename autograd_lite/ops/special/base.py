"""How a function of `scipy.special` becomes a primitive.

Each is declared in one block: its name, what it is, and its derivative with respect to
each argument. SciPy computes the values; it is loaded by the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any, Final

import numpy as np

from ...core import Primitive, defjvp, defvjp
from ...errors import UnsupportedError
from ..basic import Ufunc
from ..elementwise import where
from ..matrices import vanishes

Slope = Callable[..., Any]

# Stands for the derivative with respect to an argument that has no rule: to ask for it
# raises `MissingRuleError`.
unknown: Final = None


@cache
def scipy_special() -> ModuleType:
    """Return `scipy.special`; imported on first use, because that takes long."""
    import scipy.special

    return scipy.special


class Special(Ufunc):
    """The elementwise primitive that computes the SciPy function of its name.

    Without a tracer among its arguments it is SciPy's function, all keywords included.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        nin: int,
        *,
        nout: int = 1,
        differentiable: bool = True,
        impl: Callable[..., Any] | None = None,
    ) -> None:
        Primitive.__init__(
            self,
            impl or _from_scipy(name),
            name=name,
            broadcasts=True,
            differentiable=differentiable,
            multiple=nout > 1,
        )
        self.nin = nin
        self.__doc__ = doc


def _from_scipy(name: str) -> Callable[..., Any]:
    def impl(*args: Any, **params: Any) -> Any:
        return getattr(scipy_special(), name)(*args, **params)

    return impl


def special(name: str, doc: str, *slopes: Slope | None, **options: Any) -> Special:
    """Return the primitive for a SciPy function, with its derivatives.

    `slopes[i](ans, *args)` is the derivative with respect to argument i, written in
    operations that can be differentiated; `unknown` where there is no rule.
    """
    fun = Special(name, doc, len(slopes), **options)
    define_slopes(fun, *slopes)
    return fun


def define_slopes(fun: Primitive, *slopes: Slope | None) -> None:
    """Define both modes of an elementwise primitive by its partial derivatives."""
    for argnum, slope in enumerate(slopes):
        if slope is not unknown:
            defvjp(fun, _pullback(slope), argnums=(argnum,))
            defjvp(fun, _pushforward(slope), argnums=(argnum,))


def _pullback(slope: Slope) -> Callable[..., Any]:
    return lambda ans, *args, **params: lambda g: g * slope(ans, *args, **params)


def _pushforward(slope: Slope) -> Callable[..., Any]:
    return lambda x_dot, ans, *args, **params: x_dot * slope(ans, *args, **params)


def special_pair(name: str, doc: str, nin: int, nout: int, *slopes: Any) -> Special:
    """Return the primitive for a SciPy function with several results.

    `slopes[i](ans, *args)` is the tuple of their derivatives with respect to argument
    i.
    """
    fun = Special(name, doc, nin, nout=nout)
    for argnum, slope in enumerate(slopes):
        if slope is not unknown:
            defvjp(fun, _joint_pullback(slope), argnums=(argnum,))
            defjvp(fun, _joint_pushforward(slope), argnums=(argnum,))
    return fun


def _joint_pullback(slope: Slope) -> Callable[..., Any]:
    def rule(ans: Any, *args: Any) -> Callable[[Any], Any]:
        def pull(g: Any) -> Any:
            pairs = list(zip(g, slope(ans, *args)))
            # What isn't used may have an infinite derivative.
            used = [pair for pair in pairs if not vanishes(pair[0])] or pairs[:1]
            total = used[0][0] * used[0][1]
            for y_bar, d in used[1:]:
                total = total + y_bar * d
            return total

        return pull

    return rule


def _joint_pushforward(slope: Slope) -> Callable[..., Any]:
    return lambda x_dot, ans, *args: tuple([x_dot * d for d in slope(ans, *args)])


def series(x: Any, coefficients: Any) -> Any:
    """Return the polynomial in x with these coefficients, the constant one first."""
    total = coefficients[-1] + 0 * x
    for c in coefficients[-2::-1]:
        total = c + x * total
    return total


def double(x: Any) -> Any:
    """Return x in double precision, for formulas whose terms cancel."""
    return x + np.float64(0)


def switch(near: Any, x: Any, close: Slope, apart: Slope, elsewhere: float) -> Any:
    """Return close(x) where `near` holds, else apart(x).

    Each is given harmless numbers where it isn't used: `close` zeros, `apart` the
    number `elsewhere`, so that neither overflows nor spoils the other's derivative.
    """
    return where(near, close(where(near, x, 0.0)), apart(where(near, elsewhere, x)))


SCALED = (
    "it scales by the real or imaginary part, and is not holomorphic. Use the function "
    "without the scaling."
)


def real_only(fun: str, x: Any, why: str = SCALED) -> None:
    """Raise for a complex argument of a function without a complex derivative."""
    if isinstance(x, complex) or getattr(x, "dtype", np.dtype(float)).kind == "c":
        raise UnsupportedError(f"no derivative of {fun} at a complex argument: {why}")
