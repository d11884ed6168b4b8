"""Arrays like others, questions about arrays, and what cannot be done to tracers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import NUMPY_EQUIVALENT, concrete
from ..errors import TracerConversionError, TracerMutationError
from ..ops import basic
from ..ops.basic import cast
from .dispatch import Fun, axis_of, constant, exactly, has_tracer, implements, operand
from .joins import array

_exact_line = constant(np.linspace, multiple=True)
_exact_powers = constant(np.logspace)
_exact_ratios = constant(np.geomspace)

allclose = constant(np.allclose)
array_equal = constant(np.array_equal)
array_equiv = constant(np.array_equiv)
isclose = constant(np.isclose)
iscomplex = constant(np.iscomplex)
isreal = constant(np.isreal)

# -- arrays like others ---------------------------------------------------------------


def _shape_like(a: Any, shape: Any) -> tuple[int, ...]:
    if shape is None:
        return operand(a).shape
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _dtype_like(a: Any, dtype: Any) -> Any:
    return operand(a).dtype if dtype is None else dtype


@implements(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """Return zeros of the shape and dtype of `a`, a constant."""
    return np.zeros(_shape_like(a, shape), _dtype_like(a, dtype))


@implements(np.ones_like)
def ones_like(a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """Return ones of the shape and dtype of `a`, a constant."""
    return np.ones(_shape_like(a, shape), _dtype_like(a, dtype))


@implements(np.empty_like)
def empty_like(prototype: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """Return an array of the shape and dtype of a prototype, with any elements."""
    return np.empty(_shape_like(prototype, shape), _dtype_like(prototype, dtype))


@implements(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """Return an array of the shape and dtype of `a`, full of one value."""
    value = operand(fill_value).astype(_dtype_like(a, dtype))
    return basic.broadcast_to(value, shape=_shape_like(a, shape))


def full(shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """Return an array of a shape, full of one value, which may be traced."""
    if not has_tracer((fill_value,)):
        return np.full(shape, fill_value, dtype, **kwargs)
    value = operand(fill_value)
    value = value if dtype is None else value.astype(dtype)
    return basic.broadcast_to(value, shape=_shape_like(value, shape))


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return `num` numbers from start to stop, evenly spaced."""
    exact, exact_step = _exact_line(start, stop, num, endpoint, True, dtype, axis)
    start, stop = _ends(start, stop, float(num))
    steps = max(num - 1 if endpoint else num, 1)
    share = np.arange(num).reshape((num,) + (1,) * start.ndim) / steps
    share = share.astype(start.dtype)
    line = np.moveaxis(start * (1 - share) + stop * share, 0, axis)
    line = _rounded(line, exact)
    step = _rounded((stop - start) / steps, exact_step)
    return (line, step) if retstep else line


def _rounded(x: Any, exact: Any) -> Any:
    """Return NumPy's bits with the derivative of x; integers have none."""
    exact = operand(exact)
    return exactly(x, exact) if exact.dtype.kind in "fc" else exact


def _ends(start: Any, stop: Any, *others: Any) -> Any:
    """Return both ends in one shape and dtype; Python numbers promote weakly."""
    weak = (int, float, complex)
    kinds = [x if isinstance(x, weak) else operand(x).dtype for x in (start, stop)]
    dtype = np.result_type(*kinds, *others)
    ends = [cast(operand(x), dtype) for x in (start, stop)]
    return np.broadcast_arrays(*ends)


@implements(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return `num` powers of a base, from base**start to base**stop.

    A base with axes of its own is broadcast against start and stop.
    """
    exact = _exact_powers(start, stop, num, endpoint, base, dtype, axis)
    if np.ndim(base):
        start, stop, base = np.broadcast_arrays(start, stop, base)
        base = np.expand_dims(base, axis)
    found = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return _rounded(found, exact)


@implements(np.geomspace)
def geomspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return `num` numbers from start to stop, in constant ratio."""
    exact = _exact_ratios(start, stop, num, endpoint, dtype, axis)
    start, stop = _ends(start, stop, np.float64)
    found = start * np.exp(linspace(0 * start, np.log(stop / start), num, endpoint))
    return _rounded(np.moveaxis(found, 0, axis), exact)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Return the matrix of powers of a vector, one row per element."""
    x = operand(x)
    powers = np.arange(x.shape[0] if N is None else N)
    return x[:, None] ** (powers if increasing else powers[::-1])


# -- questions about types, and indices -----------------------------------------------


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Return whether the dtype is complex."""
    return operand(x).dtype.kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """Return whether the dtype is not complex."""
    return operand(x).dtype.kind != "c"


def _plain_types(args: Sequence[Any]) -> list[Any]:
    """Return arguments with an empty array of the dtype in place of each tracer."""
    return [np.empty(x.shape, x.dtype) if has_tracer((x,)) else x for x in args]


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> Any:
    """Return the dtype of an operation on the arguments."""
    return np.result_type(*_plain_types(arrays_and_dtypes))


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    """Return the floating type that all arrays can be converted to."""
    return np.common_type(*_plain_types(arrays))


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """Return the indices of the lower triangle of a matrix."""
    return np.tril_indices(arr.shape[0], k, arr.shape[1])


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """Return the indices of the upper triangle of a matrix."""
    return np.triu_indices(arr.shape[0], k, arr.shape[1])


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """Return the indices of the diagonal of an array with equal lengths."""
    return np.diag_indices_from(np.broadcast_to(False, arr.shape))


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy") -> Any:
    """Return the order in which einsum should contract its operands."""
    return np.einsum_path(*_plain_types(operands), optimize=optimize)


@implements(np.array_repr)
def array_repr(arr: Any, *args: Any) -> str:
    """Return the text that shows an array."""
    return np.array_repr(concrete(arr), *args)


@implements(np.array_str)
def array_str(a: Any, *args: Any) -> str:
    """Return the elements of an array as text."""
    return np.array_str(concrete(a), *args)


@implements(np.array2string)
def array2string(a: Any, *args: Any) -> str:
    """Return the elements of an array as text."""
    return np.array2string(concrete(a), *args)


@implements(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None) -> Any:
    """Return an array of a dtype; what memory it lies in is no matter for a tracer."""
    return array(a, dtype)


def nditer(op: Any, *args: Any, **kwargs: Any) -> np.nditer:
    """Return NumPy's iterator over the elements of arrays; raise where one is traced.

    NumPy's own class, which has no subclasses, is what it returns.
    """
    if has_tracer((op,)):
        raise TracerConversionError(
            "np.nditer gives plain elements, which would lose their derivative; "
            "iterate over the subarrays: for row in x, or over np.ravel(x)"
        )
    return np.nditer(op, *args, **kwargs)


# -- applying a function along axes ---------------------------------------------------


@implements(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """Return the results of a function of vectors, applied along an axis."""
    arr = operand(arr)
    axis = axis_of(axis, arr.ndim)
    lines = np.moveaxis(arr, axis, -1)
    rows = lines.reshape(math.prod(lines.shape[:-1]), lines.shape[-1])
    found = np.stack([operand(func1d(row, *args, **kwargs)) for row in rows])
    inner = found.shape[1:]
    whole = found.reshape(*lines.shape[:-1], *inner)
    n = len(inner)
    places = tuple(range(whole.ndim - n, whole.ndim))
    return np.moveaxis(whole, places, tuple(range(axis, axis + n)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """Return `a` after func(a, axis) for one axis after another, axes kept."""
    a = operand(a)
    for axis in np.atleast_1d(axes).tolist():
        found = func(a, axis)
        a = found if found.ndim == a.ndim else np.expand_dims(found, axis)
    return a


# -- writing into arrays --------------------------------------------------------------


def _refused(numpy_function: Fun, instead: str) -> Fun:
    """Return an in-place function that explains the functional way to tracers."""

    def traced(*args: Any, **kwargs: Any) -> Any:
        raise TracerMutationError(
            f"np.{numpy_function.__name__} writes into an array, which functions to be "
            f"differentiated cannot do. Build the new array instead: {instead}."
        )

    def function(*args: Any, **kwargs: Any) -> Any:
        if has_tracer(args) or has_tracer(kwargs.values()):
            return traced()
        return numpy_function(*args, **kwargs)

    NUMPY_EQUIVALENT[numpy_function] = traced
    function.__name__ = numpy_function.__name__
    function.__doc__ = numpy_function.__doc__
    return function


copyto = _refused(np.copyto, "y = np.where(mask, source, y)")
fill_diagonal = _refused(np.fill_diagonal, "y = np.at(x)[i, i].set(v)")
place = _refused(np.place, "y = np.at(x)[mask].set(values)")
put = _refused(np.put, "y = np.at(np.ravel(x))[indices].set(v).reshape(x.shape)")
put_along_axis = _refused(
    np.put_along_axis, "y = np.at(x)[np.arange(n)[:, None], indices].set(v)"
)
putmask = _refused(np.putmask, "y = np.where(mask, values, x)")
