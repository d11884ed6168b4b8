"""How `vmap` maps the NumPy functions whose results are constants to derivatives.

They are called with NumPy's own arguments. A rule takes the forms that it knows, and
leaves others, such as masks (`where=`) or places for the result, to the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from ..core import Primitive
from ..ops.basic import align, reshape

Rule = Callable[..., Any]


def batching_rule(primitive: Primitive, numpy_function: Any) -> Rule | None:
    """Return the batching rule of the constant made from a NumPy function, if any."""
    maker = _MAKERS.get(numpy_function)
    return None if maker is None else maker(primitive)


def _elementwise(primitive: Primitive) -> Rule:
    return lambda size, args, batched, /, **params: primitive(
        *align(args, batched), **params
    )


def _of_first(primitive: Primitive) -> Rule:
    """Map a function elementwise in its first argument, which alone differs."""
    return _of_one(primitive, 0)


def _of_second(primitive: Primitive) -> Rule:
    return _of_one(primitive, 1)


def _of_one(primitive: Primitive, argnum: int) -> Rule:
    def rule(size: int, args: Any, batched: Sequence[bool], /, **params: Any) -> Any:
        alone = all(b == (i == argnum) for i, b in enumerate(batched))
        return primitive(*args, **params) if alone else NotImplemented

    return rule


def _reduction(primitive: Primitive) -> Rule:
    """Map a function of (x, axis=None, keepdims=False)."""

    def rule(
        size: int,
        args: Any,
        batched: Sequence[bool],
        /,
        axis: Any = None,
        keepdims: bool = False,
        **params: Any,
    ) -> Any:
        x, *rest = args
        if len(rest) > 1 or any(batched[1:]) or params:
            return NotImplemented
        axis = rest[0] if rest else axis
        ndim = x.ndim - 1
        if axis is not None:
            return primitive(x, axis=_behind(axis, ndim), keepdims=bool(keepdims))
        ans = primitive(_rows(x), axis=1)
        return reshape(ans, shape=(size, *(1,) * ndim)) if keepdims else ans

    return rule


def _along(primitive: Primitive) -> Rule:
    """Map a function of (x, ..., axis=-1) whose result has the shape of x."""
    before = 2 if primitive.impl is np.argpartition else 1

    def rule(
        size: int,
        args: Any,
        batched: Sequence[bool],
        /,
        axis: Any = -1,
        **params: Any,
    ) -> Any:
        x, *others = args[:before]
        if len(args) > before + 1 or any(batched[1:]):
            return NotImplemented
        axis = args[before] if len(args) > before else axis
        if axis is None:
            return primitive(_rows(x), *others, axis=1, **params)
        return primitive(x, *others, axis=_behind(axis, x.ndim - 1), **params)

    return rule


def _third_is_axis(primitive: Primitive) -> Rule:
    """Map a function of (x, constants, axis, ...), all by position."""

    def rule(size: int, args: Any, batched: Sequence[bool], /, **params: Any) -> Any:
        x, constants, axis, *rest = args
        if any(batched[1:]) or params:
            return NotImplemented
        return primitive(x, constants, _behind(axis, x.ndim - 1), *rest)

    return rule


def _line(primitive: Primitive) -> Rule:
    """Map a function of two ends that fills the axis named by its last argument."""

    def rule(size: int, args: Any, batched: Sequence[bool], /, **params: Any) -> Any:
        if any(batched[2:]) or params:
            return NotImplemented
        *options, axis = args[2:]
        ends = align(args[:2], batched[:2])
        return primitive(*ends, *options, axis + 1 if axis >= 0 else axis)

    return rule


def _behind(axis: Any, ndim: int) -> Any:
    """Return the axes of an element where the mapped axis stands before them."""
    if isinstance(axis, tuple):
        return tuple([_behind(i, ndim) for i in axis])
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim + 1


def _rows(x: Any) -> Any:
    return reshape(x, shape=(x.shape[0], math.prod(x.shape[1:])))


_MAKERS: Final[dict[Any, Callable[[Primitive], Rule]]] = {
    **dict.fromkeys([np.isclose, np.iscomplex, np.isreal], _elementwise),
    **dict.fromkeys([np.round, np.around, np.fix], _elementwise),
    **dict.fromkeys([np.isneginf, np.isposinf], _elementwise),
    **dict.fromkeys([np.any, np.all, np.count_nonzero], _reduction),
    **dict.fromkeys([np.argmax, np.argmin, np.nanargmax, np.nanargmin], _reduction),
    **dict.fromkeys([np.argsort, np.argpartition], _along),
    **dict.fromkeys([np.isin, np.digitize], _of_first),
    **dict.fromkeys([np.linspace, np.logspace, np.geomspace], _line),
    np.searchsorted: _of_second,
    np.unwrap: _third_is_axis,
}
