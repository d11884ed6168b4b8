"""Attaches operators, methods and attributes of arrays to tracers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core import Primitive, Tracer
from ..errors import ArgumentError, TracerConversionError, TracerMutationError
from ..ops import basic
from ..ops import elementwise as ew
from ..ops.index import getitem
from ..refusals import no_number
from . import elementwise, joins, picking, products, reductions, scans, shapes, sorting
from .at import At
from .dispatch import converted

_OPERANDS = (Tracer, np.ndarray, float, int, complex, np.generic)


def _binary(function: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the methods for `self op other` and `other op self`."""

    def forward(self: Tracer, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return function(self, other)
        if isinstance(other, (list, tuple)):
            return function(self, joins.array(other))
        return NotImplemented

    def reflected(self: Tracer, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return function(other, self)
        if isinstance(other, (list, tuple)):
            return function(joins.array(other), self)
        return NotImplemented

    return forward, reflected


_plain_pow, _reflected_pow = _binary(ew.power)
_SPECIAL_POWERS: dict[Any, Primitive] = {2: ew.square, 0.5: ew.sqrt, -1: ew.reciprocal}


def _pow(self: Tracer, other: Any) -> Any:
    """Return self**other; small powers as NumPy does them, which is faster."""
    if type(other) is int or type(other) is float:
        special = _SPECIAL_POWERS.get(other)
        if special is not None:
            return special(self)
    return _plain_pow(self, other)


_BINARY = {
    "add": ew.add,
    "sub": ew.subtract,
    "mul": ew.multiply,
    "truediv": ew.divide,
    "floordiv": ew.floor_divide,
    "mod": ew.remainder,
    "divmod": elementwise.divmod,
    "pow": ew.power,
    "matmul": products.matmul,
    "and": ew.bitwise_and,
    "or": ew.bitwise_or,
    "xor": ew.bitwise_xor,
    "lshift": ew.left_shift,
    "rshift": ew.right_shift,
}
_COMPARISONS = {
    "eq": ew.equal,
    "ne": ew.not_equal,
    "lt": ew.less,
    "le": ew.less_equal,
    "gt": ew.greater,
    "ge": ew.greater_equal,
}


def _reshape(self: Tracer, *shape: Any, order: str = "C") -> Any:
    """Return the array with another shape: x.reshape(2, 3) or x.reshape((2, 3))."""
    return shapes.reshape(self, shape[0] if len(shape) == 1 else shape, order)


def _transpose(self: Tracer, *axes: Any) -> Any:
    """Return the array with its axes in another order, reversed by default."""
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return shapes.transpose(self, order or None)


def _astype(self: Tracer, dtype: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the array in another dtype; integers and booleans are constants."""
    return converted(self, dtype)


def _view(self: Tracer, *args: Any) -> Any:
    """Return the array itself; raise where other bits are asked for."""
    if args and args[0] != self.dtype:
        raise TracerConversionError(f"view of a traced array as {args[0]}")
    return self


def _leaving(name: str, instead: str) -> Callable[..., Any]:
    """Return a method that makes something else than an array, and raises."""

    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        call = f"x.{name}({', '.join([repr(a) for a in args])})"
        text = no_number(call, self.shape, self.dtype)
        raise TracerConversionError(f"{text} {instead}" if instead else text)

    return method


def _in_place(name: str, instead: str) -> Callable[..., Any]:
    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        raise TracerMutationError(
            f"x.{name}() changes an array in place, which a traced array of shape "
            f"{self.shape} cannot do; use {instead} for a new array"
        )

    return method


def _to_device(self: Tracer, device: Any, /, *, stream: Any = None) -> Any:
    """Return the array itself: as in NumPy, the CPU is the one device."""
    if device != "cpu" or stream is not None:
        raise ArgumentError(f"x.to_device({device!r}): NumPy knows 'cpu' alone")
    return self


def _iterate(self: Tracer) -> Iterator[Any]:
    """Iterate over the subarrays along axis 0."""
    return (getitem(self, i) for i in range(len(self)))


_WRITING = {
    "fill": "np.full_like(x, v)",
    "partition": "np.partition(x, kth)",
    "put": "np.ravel(x).at[indices].set(v)",
    "resize": "np.resize(x, shape)",
    "sort": "np.sort(x)",
    "byteswap": "x as it is",
    "setfield": "x.at[index].set(v)",
    "setflags": "x, which nobody can write to,",
}
_LEAVING = {
    "item": "",
    "tolist": "For a list of traced subarrays: list(x).",
    "tobytes": "",
    "tofile": "",
    "dump": "",
    "dumps": "",
    "getfield": "",
    "__dlpack__": "",
    "__buffer__": "",
    "__trunc__": "np.trunc(x) keeps an array.",
    "__floor__": "np.floor(x) keeps an array.",
    "__ceil__": "np.ceil(x) keeps an array.",
}
_METHODS: dict[str, Any] = {
    **{f"__{name}__": _binary(f)[0] for name, f in (_BINARY | _COMPARISONS).items()},
    **{f"__r{name}__": _binary(f)[1] for name, f in _BINARY.items()},
    "__pow__": _pow,
    "__rpow__": _reflected_pow,
    "__neg__": lambda self: ew.negative(self),
    "__pos__": lambda self: ew.positive(self),
    "__abs__": lambda self: ew.absolute(self),
    "__invert__": lambda self: ew.invert(self),
    "__round__": lambda self, decimals=0: elementwise.round(self, decimals),
    "__getitem__": getitem,
    "__iter__": _iterate,
    "__contains__": lambda self, x: bool(reductions.any(self == x)),
    "__hash__": None,
    "T": property(lambda self: basic.transpose(self, axes=range(self.ndim)[::-1])),
    "mT": property(lambda self: shapes.matrix_transpose(self)),
    "real": property(lambda self: elementwise.real(self)),
    "imag": property(lambda self: elementwise.imag(self)),
    "flat": property(lambda self: shapes.ravel(self)),
    "itemsize": property(lambda self: self.dtype.itemsize),
    "nbytes": property(lambda self: self.size * self.dtype.itemsize),
    "reshape": _reshape,
    "transpose": _transpose,
    "astype": _astype,
    "copy": lambda self, order="C": shapes.laid_out(self, order),
    "conj": lambda self: ew.conjugate(self),
    "conjugate": lambda self: ew.conjugate(self),
    "flatten": lambda self, order="C": shapes.ravel(self, order),
    "ravel": shapes.ravel,
    "view": _view,
    "swapaxes": shapes.swapaxes,
    "squeeze": shapes.squeeze,
    "repeat": shapes.repeat,
    "diagonal": shapes.diagonal,
    "dot": products.dot,
    "trace": shapes.trace,
    "at": property(lambda self: At(self)),
    "cumsum": scans.cumsum,
    "cumprod": scans.cumprod,
    "prod": scans.prod,
    "compress": lambda self, condition, axis=None: picking.compress(
        condition, self, axis
    ),
    "round": elementwise.round,
    "clip": elementwise.clip,
    **{
        name: getattr(reductions, name)
        for name in ["sum", "mean", "var", "std", "max", "min", "any", "all"]
    },
    **{name: getattr(reductions, name) for name in ["argmax", "argmin"]},
    **{name: getattr(sorting, name) for name in ["argsort", "nonzero", "take"]},
    "searchsorted": sorting.searchsorted,
    "argpartition": sorting.argpartition,
    "choose": picking.choose,
    "device": property(lambda self: "cpu"),
    "to_device": _to_device,
    **{name: _in_place(name, instead) for name, instead in _WRITING.items()},
    **{name: _leaving(name, instead) for name, instead in _LEAVING.items()},
}
for _name, _method in _METHODS.items():
    setattr(Tracer, _name, _method)
