"""The primitives that the interpreters themselves need, and `conform`.

Parameters are in canonical form here: axes are tuples of non-negative ints, shapes are
tuples. The functions named as in NumPy, in `autograd_lite.numpy`, bring every call form
to this one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any, Final

import numpy as np

from .. import tree
from ..core import (
    NUMPY_EQUIVALENT,
    Primitive,
    Trace,
    Tracer,
    defbatch,
    defjvp,
    defjvp_argnums,
    defvjp,
    defvjp_argnums,
    elementwise,
    nondifferentiable,
    primitive,
)
from ..errors import UnsupportedError

Axes = tuple[int, ...]
Shape = tuple[int, ...]
Maker = Callable[..., Callable[[Any], Any]]

# Bytes of an array from which a sum is worth more than one thread.
LARGE_SUM: Final = 1 << 20

_add_reduce: Any = np.add.reduce  # a fraction of np.sum's overhead


class Ufunc(Primitive):
    """The elementwise primitive that computes a NumPy ufunc and is called like it.

    Without a tracer among its arguments it is the ufunc, all keywords included. With
    one, lists are converted, and keywords that would change the result are refused.
    """

    def __init__(
        self,
        fun: np.ufunc,
        *,
        differentiable: bool = True,
        impl: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(
            impl or fun,
            name=fun.__name__,
            broadcasts=True,
            differentiable=differentiable,
            multiple=fun.nout > 1,
        )
        self.ufunc, self.nin = fun, fun.nin
        NUMPY_EQUIVALENT[fun] = self
        if fun.nin == 2 and fun.nout == 1:
            NUMPY_EQUIVALENT[fun, "outer"] = self._outer

    def __getattr__(self, name: str) -> Any:
        """Return what else the ufunc has: reduce, accumulate, outer, identity, ..."""
        if name == "ufunc":
            raise AttributeError(name)
        return getattr(self.ufunc, name)

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply the ufunc to arrays, tracers, numbers or lists."""
        top: Trace | None = None
        listed = False
        for arg in args:
            if isinstance(arg, Tracer):
                trace = arg.owner
                if top is None or trace.level > top.level:
                    top = trace
            elif isinstance(arg, (list, tuple)):
                listed = True
        if top is None:
            if listed and _any_traced(args):  # [x0, x1] is np.stack([x0, x1])
                return self(*[_stacked(arg) for arg in args], **params)
            return self.impl(*args, **params)
        if params or listed or len(args) != self.nin:
            args = self._canonical(args, params)
        return top.process(self, args, {})

    def _outer(self, x: Any, y: Any) -> Any:
        """Apply the ufunc to each element of x with each of y."""
        x, y = [v if isinstance(v, Tracer) else np.asarray(v) for v in (x, y)]
        return self(reshape(x, shape=(*x.shape, *(1,) * y.ndim)), y)

    def _canonical(self, args: Any, params: dict[str, Any]) -> tuple[Any, ...]:
        """Convert lists; apply `dtype`; refuse what has no derivative here."""
        dtype = params.pop("dtype", None)
        for key, value in params.items():
            if value is not None and value is not _UFUNC_DEFAULTS.get(
                key, _UFUNC_DEFAULTS
            ):
                raise UnsupportedError(
                    f"np.{self.name}: {key}={value!r} is not supported for traced "
                    "arrays; of a ufunc's keywords only dtype is. Instead of where= "
                    "write np.where(mask, f(x), other), instead of out= use the result."
                )
        if len(args) > self.nin:
            raise UnsupportedError(
                f"np.{self.name} takes {self.nin} arrays, got {len(args)}: an output "
                "array is not supported for traced arrays; use the result"
            )
        if dtype is not None and np.dtype(dtype).kind not in "fc":
            raise UnsupportedError(
                f"np.{self.name}: dtype={dtype!r} is not supported for traced arrays; "
                "convert the result: f(x).astype(int)"
            )
        args = tuple([_stacked(arg) for arg in args])
        if dtype is None:
            return args
        if self.impl is np.ldexp:  # whose exponent stays an integer
            return (_cast_operand(args[0], np.dtype(dtype)), args[1])
        return tuple([_cast_operand(arg, np.dtype(dtype)) for arg in args])


_UFUNC_DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "subok": True}


def _any_traced(values: Sequence[Any]) -> bool:
    """Return whether there is a tracer among values, or in lists and tuples of them."""
    return any(
        _any_traced(x) if isinstance(x, (list, tuple)) else isinstance(x, Tracer)
        for x in values
    )


def _stacked(x: Any) -> Any:
    """Return a list as an array, or as a tracer where it has one; all else as it is."""
    if not isinstance(x, (list, tuple)):
        return x
    if not _any_traced(x):
        return np.asarray(x)
    items = [_stacked(item) for item in x]
    return stack(*[i if isinstance(i, Tracer) else np.asarray(i) for i in items])


def _cast_operand(x: Any, dtype: np.dtype[Any]) -> Any:
    if dtype.kind != "c" and getattr(x, "dtype", dtype).kind == "c":
        raise UnsupportedError(
            f"dtype={dtype} for a complex argument, which would lose its imaginary "
            "part; convert the result: f(x).astype(dtype)"
        )
    return cast(x, dtype) if isinstance(x, Tracer) else np.asarray(x, dtype)


def derivative(fun: Primitive, *makers: Maker | None) -> None:
    """Define both modes of an elementwise primitive by one rule per argument.

    A derivative taken element by element is a diagonal matrix, which is its own
    transpose: what multiplies a cotangent multiplies a tangent too.
    """
    defvjp(fun, *makers)
    defjvp(fun, *[None if maker is None else _pushed(maker) for maker in makers])


def _pushed(maker: Maker) -> Callable[..., Any]:
    return lambda x_dot, ans, *args: maker(ans, *args)(x_dot)


@cache
def _addition() -> ModuleType:
    from ..kernels import addition

    return addition


def _add(x: Any, y: Any, **params: Any) -> Any:
    """Return np.add(x, y), for large arrays of the same kind by all threads.

    Not before a kernel has been loaded: Numba's import costs more than a few sums.
    """
    if (
        type(x) is np.ndarray is type(y)
        and x.nbytes >= LARGE_SUM
        and x.shape == y.shape
        and x.dtype == y.dtype
        and x.dtype.char in "fd"
        and x.flags.carray
        and y.flags.carray
        and not params
        and "numba" in sys.modules
    ):
        return _addition().add(x, y)
    return np.add(x, y, **params)


add = Ufunc(np.add, impl=_add)
derivative(add, lambda ans, x, y: lambda g: g, lambda ans, x, y: lambda g: g)


@primitive
def sum(x: Any, *, axis: Axes, keepdims: bool = False) -> Any:
    """Return the sum over the axes `axis`."""
    return _add_reduce(x, axis=axis, keepdims=keepdims)


def _sum_vjp(ans: Any, x: Any, *, axis: Axes, keepdims: bool = False) -> Any:
    shape = x.shape
    kept = kept_shape(shape, axis)
    return lambda g: broadcast_to(reshape(g, shape=kept), shape=shape)


defvjp(sum, _sum_vjp)
defjvp(sum, lambda x_dot, ans, x, **params: sum(x_dot, **params))


def kept_shape(shape: Shape, axis: Axes) -> Shape:
    """Return the shape that a reduction over `axis` with keepdims would leave."""
    return tuple([1 if i in axis else n for i, n in enumerate(shape)])


@primitive
def reshape(x: Any, *, shape: Shape) -> Any:
    """Return x with another shape of the same size, in C order."""
    return x.reshape(shape)


def _reshape_vjp(ans: Any, x: Any, *, shape: Shape) -> Any:
    x_shape = x.shape
    return lambda g: reshape(g, shape=x_shape)


defvjp(reshape, _reshape_vjp)
defjvp(reshape, lambda x_dot, ans, x, *, shape: reshape(x_dot, shape=shape))


@primitive
def broadcast_to(x: Any, *, shape: Shape) -> Any:
    """Return x broadcast to `shape`, a read-only view."""
    if x.ndim == 0:  # the common case, and ten times as fast as the general function
        view = np.ndarray(shape, x.dtype, np.array(x), 0, (0,) * len(shape))
        view.setflags(write=False)
        return view
    return np.broadcast_to(x, shape)


def _broadcast_to_vjp(ans: Any, x: Any, *, shape: Shape) -> Any:
    x_shape = x.shape
    return lambda g: unbroadcast(g, x_shape)


defvjp(broadcast_to, _broadcast_to_vjp)
defjvp(broadcast_to, lambda x_dot, ans, x, *, shape: broadcast_to(x_dot, shape=shape))


@primitive
def transpose(x: Any, *, axes: Axes) -> Any:
    """Return x with its axes in the order `axes`."""
    return x.transpose(axes)


def _transpose_vjp(ans: Any, x: Any, *, axes: Axes) -> Any:
    back = tuple(sorted(range(len(axes)), key=axes.__getitem__))
    return lambda g: transpose(g, axes=back)


defvjp(transpose, _transpose_vjp)
defjvp(transpose, lambda x_dot, ans, x, *, axes: transpose(x_dot, axes=axes))


@primitive
def astype(x: Any, *, dtype: np.dtype[Any]) -> Any:
    """Return x converted to a floating or complex dtype."""
    return x.astype(dtype)


def _astype_vjp(ans: Any, x: Any, *, dtype: np.dtype[Any]) -> Any:
    x_dtype = x.dtype
    return lambda g: cast(g, x_dtype)


defvjp(astype, _astype_vjp)
defjvp(astype, lambda x_dot, ans, x, *, dtype: cast(x_dot, dtype))


@elementwise
def real(x: Any) -> Any:
    """Return the real part."""
    return np.real(x)


defvjp(real, lambda ans, x: lambda g: g)
defjvp(real, lambda x_dot, ans, x: real(x_dot))


@nondifferentiable
def stop_gradient(x: Any) -> Any:
    """Return x, an array or a tree, as a constant: no derivative flows through it.

    >>> from autograd_lite import grad, stop_gradient
    >>> float(grad(lambda x: x * stop_gradient(x))(3.0))
    3.0
    """
    leaves, treedef = tree.flatten(x)
    if treedef.kind is None:
        return x
    return tree.unflatten(treedef, [stop_gradient(leaf) for leaf in leaves])


@primitive
def stack(*xs: Any) -> Any:
    """Return arrays of one shape, joined along a new first axis."""
    return np.stack(xs)


def _stack_vjp(argnums: Any, ans: Any, xs: Any, params: Any) -> Any:
    dtypes = [(i, xs[i].dtype) for i in argnums]
    return lambda g: tuple([cast(g[i], dtype) for i, dtype in dtypes])


def _stack_jvp(argnums: Any, x_dots: Any, ans: Any, xs: Any, params: Any) -> Any:
    return stack(*[cast(x, ans.dtype) for x in filled(argnums, x_dots, xs)])


def filled(argnums: Any, x_dots: Any, xs: Any) -> list[Any]:
    """Return the tangents of all of `xs`, zeros where none is given."""
    given = dict(zip(argnums, x_dots, strict=True))
    return [
        given[i] if i in given else np.zeros(np.shape(x), getattr(x, "dtype", float))
        for i, x in enumerate(xs)
    ]


defvjp_argnums(stack, _stack_vjp)
defjvp_argnums(stack, _stack_jvp)


# -- batching: the mapped axis comes first --------------------------------------------


def align(args: Sequence[Any], batched: Sequence[bool]) -> list[Any]:
    """Give each mapped array axes of length 1 behind the mapped axis.

    So the elements broadcast against one another, and against what is not mapped.
    """
    ndims = [np.ndim(x) - b for x, b in zip(args, batched)]
    most = max(ndims)
    return [
        reshape(x, shape=(x.shape[0], *(1,) * (most - n), *x.shape[1:]))
        if b and n < most
        else x
        for x, b, n in zip(args, batched, ndims)
    ]


def _next_axes(axes: Axes) -> Axes:
    return tuple([a + 1 for a in axes])


def _broadcast_to_batch(size: int, args: Any, batched: Any, *, shape: Shape) -> Any:
    (x,) = args
    missing = (1,) * (len(shape) + 1 - x.ndim)
    x = reshape(x, shape=(size, *missing, *x.shape[1:]))
    return broadcast_to(x, shape=(size, *shape))


defbatch(broadcast_to, _broadcast_to_batch)
defbatch(
    sum,
    lambda size, args, batched, *, axis, keepdims=False: sum(
        args[0], axis=_next_axes(axis), keepdims=keepdims
    ),
)
defbatch(
    reshape,
    lambda size, args, batched, *, shape: reshape(args[0], shape=(size, *shape)),
)
defbatch(
    transpose,
    lambda size, args, batched, *, axes: transpose(
        args[0], axes=(0, *_next_axes(axes))
    ),
)
defbatch(astype, lambda size, args, batched, *, dtype: astype(args[0], dtype=dtype))
defbatch(stop_gradient, lambda size, args, batched: stop_gradient(args[0]))


def cast(x: Any, dtype: np.dtype[Any]) -> Any:
    """Return x in `dtype`, by way of its real part where complex becomes real."""
    if x.dtype == dtype:
        return x
    if x.dtype.kind == "c" and dtype.kind != "c":
        return cast(real(x), dtype)
    return astype(x, dtype=dtype)


def unbroadcast(x: Any, shape: Shape) -> Any:
    """Sum x down to `shape`, from which it may have been broadcast."""
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axis = tuple([i for i, n in enumerate(x.shape) if i < lead or shape[i - lead] != n])
    return reshape(sum(x, axis=axis), shape=shape)


def conform(x_bar: Any, shape: Shape, dtype: np.dtype[Any]) -> Any:
    """Bring a cotangent to its argument's shape and dtype.

    This is the transpose of the broadcasting and the promotion that an elementwise
    operation applies to its arguments. A cotangent smaller than the argument is
    broadcast: a rule may return a constant.
    """
    if x_bar.shape != shape:
        if x_bar.ndim < len(shape) or x_bar.size < _size(shape):
            x_bar = broadcast_to(x_bar, shape=np.broadcast_shapes(x_bar.shape, shape))
        x_bar = unbroadcast(x_bar, shape)
    return cast(x_bar, dtype)


def _size(shape: Shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
