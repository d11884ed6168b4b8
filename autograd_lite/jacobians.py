"""Jacobians and Hessians of functions of trees, and products with them.

A Jacobian is a linear map applied to every element of a basis. The map, a pullback or a
pushforward, is batched over the basis, so that one pass of Python serves many rows or
columns; `chunk_size` says how many.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from . import tree
from .api import (
    Fun,
    float_leaves,
    grad,
    jvp,
    named_after,
    selector,
    taped,
    vjp,
    wraps,
)
from .batching import move_axis, vmap_flat
from .errors import ArgumentError, DifferentiationTypeError
from .linear import linearize_flat
from .ops.basic import cast, real, reshape
from .ops.index import getitem
from .ops.shape import concatenate
from .outputs import output_leaves, split_aux
from .reverse import Tape, as_array, separate

Argnums = int | Sequence[int]
Wrt = str | Sequence[str] | None
Linear = Callable[..., Sequence[Any]]

# How many bytes the largest array may have that one batched pass works on, unless
# chunk_size says otherwise: larger arrays leave the caches and gain nothing.
CHUNK_BYTES = 1 << 22


class Options(NamedTuple):
    """What the functions below have in common; see `jacrev`."""

    has_aux: bool = False
    holomorphic: bool = False
    chunk_size: int | None = None


class Found(NamedTuple):
    """The output of a function, [aux] or [], and the Jacobian."""

    y: Any
    aux: list[Any]
    jacobian: Any


def jacrev(
    fun: Fun,
    argnums: Argnums = 0,
    *,
    wrt: Wrt = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Fun:
    """Return the function that computes all derivatives of `fun`, in reverse mode.

    One row per output element: the cheaper way where `fun` has fewer outputs than
    inputs. Of an output `y: (*m)` and an argument `x: (*n)` the Jacobian is `(*m, *n)`;
    for trees, it is the tree of outputs with a tree of arguments at each leaf. Its
    dtype is the argument's, as that of a gradient, whatever the output's is.

    Args:
        fun: a function of trees of arrays, evaluated once.
        argnums: as in `grad`; so is `wrt`.
        wrt: names of arguments instead of their positions.
        has_aux: `fun` returns (output, aux), the derivative (Jacobian, aux).
        holomorphic: the arguments are complex and `fun` is holomorphic; the Jacobian
            holds its complex derivatives.
        chunk_size: rows that are computed at a time. More need more memory, a chunk's
            times that of one pass. By default as many as stay in the caches.

    Raises `TypeError` for complex arguments or outputs without `holomorphic`.

    >>> from autograd_lite import jacrev
    >>> jacrev(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
    array([[3., 0., 1.],
           [0., 3., 2.]])
    """
    options = Options(has_aux, holomorphic, chunk_size)
    return _derivative(fun, argnums, wrt, options, _by_rows, "jacobian")


def jacfwd(
    fun: Fun,
    argnums: Argnums = 0,
    *,
    wrt: Wrt = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Fun:
    """Return the function that computes all derivatives of `fun`, in forward mode.

    One column per input element: the cheaper way where `fun` has fewer inputs than
    outputs. Shapes, dtypes, arguments and errors are those of `jacrev`, but real
    arguments may have complex outputs, and then complex derivatives of the argument's
    precision; `chunk_size` counts columns.

    >>> from autograd_lite import jacfwd
    >>> jacfwd(lambda t: np.array([1.0, 2.0]) * t)(3.0)
    array([1., 2.])
    """
    options = Options(has_aux, holomorphic, chunk_size)
    return _derivative(fun, argnums, wrt, options, _by_columns, "jacobian")


def jacobian(
    fun: Fun,
    argnums: Argnums = 0,
    *,
    wrt: Wrt = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Fun:
    """Return the function that computes all derivatives of `fun`, the cheaper way.

    Forward mode where there are fewer input than output elements, else reverse. Shapes
    and arguments are those of `jacrev`; as with `jacfwd`, real arguments may have
    complex outputs.

    >>> from autograd_lite import jacobian
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    options = Options(has_aux, holomorphic, chunk_size)
    return _derivative(fun, argnums, wrt, options, _cheaper, "jacobian")


def value_and_jacobian(
    fun: Fun,
    argnums: Argnums = 0,
    *,
    wrt: Wrt = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    chunk_size: int | None = None,
) -> Fun:
    """Return the function that computes `fun` and its Jacobian, evaluating it once.

    With `has_aux` it returns ((output, aux), Jacobian). Arguments are those of
    `jacobian`.

    >>> from autograd_lite import value_and_jacobian
    >>> value_and_jacobian(lambda x: x**2)(np.array([3.0]))
    (array([9.]), array([[6.]]))
    """
    options = Options(has_aux, holomorphic, chunk_size)
    return _derivative(fun, argnums, wrt, options, _cheaper, "jacobian", True)


def hessian(
    fun: Fun,
    argnums: Argnums = 0,
    *,
    wrt: Wrt = None,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Fun:
    """Return the function that computes the second derivatives of a scalar function.

    Forward over reverse mode: the tangents of one gradient. For an argument `x: (*n)`
    the Hessian is `(*n, *n)`; for a tree, a tree of trees. Arguments are those of
    `jacfwd`. A function with more outputs has `jacfwd(jacrev(fun))`.

    >>> from autograd_lite import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """

    def of_gradient(f: Fun, x: Any, options: Options) -> Found:
        return _by_columns(grad(f, has_aux=has_aux), x, options)

    options = Options(has_aux, chunk_size=chunk_size)
    return _derivative(fun, argnums, wrt, options, of_gradient, "hessian")


def elementwise_grad(
    fun: Fun, argnums: Argnums = 0, *, wrt: Wrt = None, has_aux: bool = False
) -> Fun:
    """Return the function that computes the sum of the rows of the Jacobian.

    That is the derivative at each element, for a function that works element by
    element. With `has_aux`, `fun` returns (output, aux) and this (derivative, aux).

    >>> from autograd_lite import elementwise_grad
    >>> elementwise_grad(lambda x: x**2)(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    select = selector(fun, argnums, wrt)

    @wraps(fun, "elementwise gradient")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        x, rebuild = select(args, kwargs)
        y, pullback, *aux = vjp(_of_chosen(fun, rebuild), x, has_aux=has_aux)
        ones = tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), y)
        x_bar = pullback(ones)[0]
        return (x_bar, *aux) if has_aux else x_bar

    return gradient


def holomorphic_grad(
    fun: Fun, argnums: Argnums = 0, *, wrt: Wrt = None, has_aux: bool = False
) -> Fun:
    """Return the function that computes the complex derivative of a holomorphic one.

    Arguments are those of `grad`. Raises `TypeError` where arguments or the output are
    real, as `jacrev` does with `holomorphic=True`.

    >>> from autograd_lite import holomorphic_grad
    >>> print(holomorphic_grad(lambda z: z**2)(1 + 2j))
    (2+4j)
    """

    @functools.wraps(fun)
    def real_part(*args: Any, **kwargs: Any) -> Any:
        out = fun(*args, **kwargs)
        y, aux = split_aux(out) if has_aux else (out, None)
        _check_holomorphic([as_array(leaf) for leaf in output_leaves(fun, y)[0]], True)
        return (real(y), aux) if has_aux else real(y)

    select = selector(fun, argnums, wrt)
    of_real_part = grad(real_part, argnums, wrt=wrt, has_aux=has_aux)

    @wraps(fun, "gradient")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        _check_kind(select(args, kwargs)[0], True, "gradient")
        return of_real_part(*args, **kwargs)

    return gradient


# -- which arguments ------------------------------------------------------------------


def _derivative(
    fun: Fun,
    argnums: Argnums,
    wrt: Wrt,
    options: Options,
    compute: Callable[[Fun, Any, Options], Found],
    what: str,
    with_value: bool = False,
) -> Fun:
    """Return the function that applies `compute` to the chosen arguments of `fun`."""
    select = selector(fun, argnums, wrt)
    if (n := options.chunk_size) is not None and (not isinstance(n, int) or n < 1):
        raise ArgumentError(f"chunk_size={n!r}: expected a number of rows, 1 or more")

    @wraps(fun, what)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        x, rebuild = select(args, kwargs)
        _check_kind(x, options.holomorphic, what)
        found = compute(_of_chosen(fun, rebuild), x, options)
        if with_value:
            y = (found.y, *found.aux) if found.aux else found.y
            return y, found.jacobian
        return (found.jacobian, *found.aux) if found.aux else found.jacobian

    return derivative


def _of_chosen(fun: Fun, rebuild: Fun) -> Fun:
    """Return `fun` as a function of the chosen arguments."""
    return named_after(fun, lambda x: call(fun, rebuild(x)))


def call(fun: Fun, arguments: tuple[Any, dict[str, Any]]) -> Any:
    """Call a function with (positional, keyword) arguments."""
    args, kwargs = arguments
    return fun(*args, **kwargs)


def _check_kind(x: Any, holomorphic: bool, what: str) -> None:
    """Raise for complex arguments, or, of a holomorphic function, for real ones."""
    for leaf in tree.leaves(x):
        dtype = as_array(leaf).dtype
        if (dtype.kind == "c") and not holomorphic:
            raise DifferentiationTypeError(
                f"the {what} of a function of complex numbers is not defined unless it "
                "is holomorphic; then say holomorphic=True, or use holomorphic_grad; "
                "otherwise use vjp and jvp"
            )
        if dtype.kind != "c" and holomorphic:
            raise DifferentiationTypeError(
                "the derivative of a holomorphic function needs complex arguments, got "
                f"{dtype}: pass x.astype(complex), or complex(x) for a Python number"
            )


# -- rows and columns -----------------------------------------------------------------


class Recording(NamedTuple):
    """A function's evaluation on a tape; `ys` are the leaves of its output y."""

    y: Any
    ys: list[Any]
    aux: list[Any]
    pullback: Fun
    tape: Tape

    def pull(self, *gs: Any) -> list[Any]:
        """Return the leaves of the argument's cotangent, given those of the output."""
        return tree.leaves(self.pullback(tree.unflatten(tree.structure(self.y), gs)))


def _record(f: Fun, x: Any, options: Options) -> Recording:
    y, pullback, aux, tape = taped(f, (x,), options.has_aux)
    return Recording(y, tree.leaves(y), aux, pullback, tape)


def _by_rows(f: Fun, x: Any, options: Options) -> Found:
    return _rows(_record(f, x, options), x, options)


def _rows(recorded: Recording, x: Any, options: Options) -> Found:
    """Return the Jacobian by a pullback for each output element."""
    y, ys, aux, _, tape = recorded
    for leaf in ys:
        if leaf.dtype.kind == "c" and not options.holomorphic:
            raise DifferentiationTypeError(
                f"jacrev needs real outputs, got {leaf.dtype}: use jacfwd where the "
                "arguments are real, or holomorphic=True"
            )
    _check_holomorphic(ys, options.holomorphic)
    sizes = [math.prod(shape) * dtype.itemsize for shape, dtype in tape.avals]
    chunk = options.chunk_size or _default_chunk(max(sizes, default=0))
    stacked = _products(recorded.pull, ys, chunk)
    if not stacked:  # no output elements
        xs = [as_array(leaf) for leaf in tree.leaves(x)]
        stacked = [np.zeros((0, *leaf.shape), leaf.dtype) for leaf in xs]
    tape.release()
    columns = [
        [_moved(part, leaf.shape, 0) for part, leaf in zip(_split(bars, ys), ys)]
        for bars in separate(stacked)
    ]
    blocks = zip(*columns) if columns else ([] for _ in ys)
    return Found(y, aux, _tree_of(blocks, y, x))


def _by_columns(f: Fun, x: Any, options: Options) -> Found:
    """Return the Jacobian by a pushforward for each input element."""
    leaves, xdef = tree.flatten(x)
    xs = float_leaves(leaves, x)
    if (total := _elements(xs)) == 0:
        return _by_rows(f, x, options)
    most = options.chunk_size or _default_chunk(_elements(xs) * xs[0].dtype.itemsize)
    if total <= most:
        y, aux, stacked = _push_at_once(f, x, xdef, xs, options)
    else:
        y, linear, _, aux = linearize_flat(f, (x,), options.has_aux)
        chunk = options.chunk_size or _default_chunk(linear.largest)
        stacked = _products(linear, xs, chunk)
    ys = [as_array(leaf) for leaf in tree.leaves(y)]
    _check_holomorphic(ys, options.holomorphic)
    blocks = [
        [
            cast(_moved(part, leaf.shape, -1), _dtype(leaf, out))
            for part, leaf in zip(_split(dots, xs), xs)
        ]
        for dots, out in zip(separate(stacked), ys, strict=True)
    ]
    return Found(y, aux, _tree_of(blocks, y, x))


def _dtype(x: Any, y: Any) -> np.dtype[Any]:
    """Return the dtype of derivatives with respect to x, complex where y is."""
    return np.result_type(x.dtype, np.complex64) if y.dtype.kind == "c" else x.dtype


def _push_at_once(
    f: Fun, x: Any, xdef: tree.TreeDef, xs: list[Any], options: Options
) -> tuple[Any, list[Any], list[Any]]:
    """Return the output, [aux], and all columns, for the cost of one wide `jvp`."""
    found: list[Any] = []

    def push(*x_dots: Any) -> list[Any]:
        x_dot = tree.unflatten(xdef, x_dots)
        y, y_dot, *aux = jvp(f, (x,), (x_dot,), has_aux=options.has_aux)
        found[:] = [y, aux]
        return tree.leaves(y_dot)

    stacked = _products(push, xs, _elements(xs))
    y, aux = found
    return y, aux, stacked


def _cheaper(f: Fun, x: Any, options: Options) -> Found:
    """Return the Jacobian by rows or by columns, whichever are fewer."""
    recorded = _record(f, x, options)
    xs = [as_array(leaf) for leaf in tree.leaves(x)]
    fewer = 0 < _elements(xs) < _elements(recorded.ys)
    into_complex = any(leaf.dtype.kind == "c" for leaf in recorded.ys)
    if fewer or (into_complex and not options.holomorphic):
        return _by_columns(f, x, options)
    return _rows(recorded, x, options)


def _check_holomorphic(ys: list[Any], holomorphic: bool) -> None:
    for leaf in ys:
        if holomorphic and leaf.dtype.kind != "c":
            raise DifferentiationTypeError(
                f"a holomorphic function has complex outputs, got {leaf.dtype}"
            )


def _products(linear: Linear, leaves: list[Any], chunk: int) -> list[Any]:
    """Apply a linear map to each element of the basis of arrays like `leaves`.

    Returns its outputs `y: (*n)` as `(size, *n)`, of all elements in order; nothing if
    there are none. Work and memory are those of `chunk` elements at a time.
    """
    total = _elements(leaves)
    parts = [
        _wide(linear, _basis(leaves, start, min(start + chunk, total)))
        for start in range(0, total, chunk)
    ]
    if len(parts) > 1:
        return [concatenate(*column, axis=0) for column in zip(*parts, strict=True)]
    return parts[0] if parts else []


def _wide(linear: Linear, basis: list[Any]) -> list[Any]:
    """Apply a linear map along the leading axis of its arguments."""
    size = len(basis[0])
    if size > 1:
        return vmap_flat(linear, basis, [True] * len(basis), size)
    outs = linear(*[leaf[0] for leaf in basis])
    return [reshape(as_array(y), shape=(1, *y.shape)) for y in outs]


def _basis(leaves: list[Any], start: int, stop: int) -> list[Any]:
    """Return elements of the standard basis, arrays `(stop - start, *leaf.shape)`."""
    found, offset = [], 0
    for leaf in leaves:
        size = leaf.size
        first, last = max(start, offset), min(stop, offset + size)
        block = np.zeros((stop - start, size), leaf.dtype)
        here = np.arange(first, last)
        block[here - start, here - offset] = 1
        found.append(block.reshape(stop - start, *leaf.shape))
        offset += size
    return found


def _split(stacked: Any, leaves: list[Any]) -> list[Any]:
    """Cut the leading axis, over the elements of all leaves, leaf by leaf."""
    if len(leaves) == 1:
        return [stacked]
    stops = list(accumulate([leaf.size for leaf in leaves]))
    return [
        getitem(stacked, slice(stop - leaf.size, stop))
        for stop, leaf in zip(stops, leaves)
    ]


def _moved(part: Any, shape: tuple[int, ...], to: int) -> Any:
    """Return a leaf's products with their leading axis unfolded, in front or last."""
    if to == 0:
        return reshape(part, shape=(*shape, *part.shape[1:]))
    rest = part.shape[1:]
    return reshape(move_axis(part, 0, -1), shape=(*rest, *shape))


def _tree_of(blocks: Iterable[Sequence[Any]], y: Any, x: Any) -> Any:
    """Return the tree of outputs with a tree of arguments at each leaf."""
    xdef, ydef = tree.structure(x), tree.structure(y)
    return tree.unflatten(ydef, [tree.unflatten(xdef, row) for row in blocks])


def _elements(leaves: list[Any]) -> int:
    return sum([leaf.size for leaf in leaves])


def _default_chunk(largest: int) -> int:
    """Return how many arrays of `largest` bytes are to be worked on at a time."""
    return max(1, CHUNK_BYTES // max(largest, 1))
