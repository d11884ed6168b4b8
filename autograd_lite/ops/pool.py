"""Pooling over `(n, h, w, c)` arrays: linear maps beside their adjoints.

Max pooling is a windowed argmax, which has no gradient, and the gather of what won; the
VJP of the gather is a scatter-add and that one's the gather. Average pooling is linear,
so it has an adjoint as well. Derivatives of every order follow from these kernels.

`window` and `stride` are pairs of ints, `padding` is ((top, bottom), (left, right)).
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from ..core import Primitive, defjvp, defvjp, primitive
from .batch import batch_rows


@cache
def _kernels() -> ModuleType:
    """Return `kernels.pool`; imported on first use, because it loads Numba."""
    from ..kernels import pool as kernels

    return kernels


def max_pool(x: Any, **geometry: Any) -> Any:
    """Return the maximum of each window; the first of equal elements, or a NaN, wins.

    Its whole gradient goes to the element that won.
    """
    y, code = max_pool_winners(x, **geometry)
    return max_pool_gather(x, code, y, **geometry)


def _max_pool_winners(x: Any, **geometry: Any) -> Any:
    """Return the maxima of the windows and, without gradient, who won them."""
    return _kernels().max_pool(x, **geometry)


max_pool_winners = Primitive(
    _max_pool_winners, name="max_pool_winners", multiple=True, differentiable=False
)


@primitive
def max_pool_gather(x: Any, code: Any, y: Any = None, **geometry: Any) -> Any:
    """Return from each window of x the element that `code` names.

    Where they are known already, `y` says so: linear in x all the same.
    """
    return _kernels().max_pool_gather(x, code, **geometry) if y is None else y


@primitive
def max_pool_scatter(g: Any, code: Any, *, size: Any, **geometry: Any) -> Any:
    """Add each element to that of its window, in images of `size`, which won."""
    return _kernels().max_pool_scatter(g, code, size, **geometry)


def _gather_vjp(ans: Any, x: Any, code: Any, y: Any = None, **geometry: Any) -> Any:
    size = x.shape[1:3]
    return lambda g: max_pool_scatter(g, code, size=size, **geometry)


def _scatter_vjp(ans: Any, g: Any, code: Any, *, size: Any, **geometry: Any) -> Any:
    return lambda x_bar: max_pool_gather(x_bar, code, **geometry)


def _gather_jvp(
    x_dot: Any, ans: Any, x: Any, code: Any, y: Any = None, **geometry: Any
) -> Any:
    return max_pool_gather(x_dot, code, **geometry)


defvjp(max_pool_gather, _gather_vjp, None, None)
defvjp(max_pool_scatter, _scatter_vjp, None)
defjvp(max_pool_gather, _gather_jvp, None, None)
defjvp(
    max_pool_scatter,
    lambda g_dot, ans, g, code, **params: max_pool_scatter(g_dot, code, **params),
    None,
)


@primitive
def avg_pool(x: Any, **params: Any) -> Any:
    """Return the mean of each window; `count_include_pad` counts padding as zeros."""
    return _kernels().avg_pool(x, **params)


@primitive
def avg_pool_adjoint(g: Any, *, size: Any, **params: Any) -> Any:
    """Spread each element evenly over its window in images of `size`."""
    return _kernels().avg_pool_adjoint(g, size, **params)


def _avg_pool_vjp(ans: Any, x: Any, **params: Any) -> Any:
    size = x.shape[1:3]
    return lambda g: avg_pool_adjoint(g, size=size, **params)


defvjp(avg_pool, _avg_pool_vjp)
defvjp(
    avg_pool_adjoint,
    lambda ans, g, *, size, **params: lambda x_bar: avg_pool(x_bar, **params),
)
defjvp(avg_pool, lambda x_dot, ans, x, **params: avg_pool(x_dot, **params))
defjvp(
    avg_pool_adjoint, lambda g_dot, ans, g, **params: avg_pool_adjoint(g_dot, **params)
)

batch_rows(max_pool_winners, max_pool_gather, max_pool_scatter)
batch_rows(avg_pool, avg_pool_adjoint)
