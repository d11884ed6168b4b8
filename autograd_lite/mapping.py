"""`vmap`: functions of one element, mapped over an axis of trees of arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from . import tree
from .api import Fun, flat_version, named_after, wraps
from .batching import fallback_is, map_flat, move_axis, repeated
from .errors import ArgumentError
from .ops.index import getitem
from .ops.shape import concatenate
from .outputs import NUMBERS
from .reverse import FAILURES, as_array, separate


def vmap(
    fun: Fun,
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    axis_size: int | None = None,
    chunk_size: int | None = None,
    fallback: str | None = None,
) -> Fun:
    """Return the function that maps `fun` over an axis of its arguments.

    Args:
        fun: a function of trees of arrays, written for one element.
        in_axes: the axis to map over: an int, or None for what is the same for all; one
            for all positional arguments, or a sequence of one per argument, where a
            tree of axes may stand for each, shaped like the argument or its upper part.
            Arguments passed by keyword are mapped over axis 0.
        out_axes: where the mapped axis stands in the results: an int, or a tree of
            them. None says that a result is the same for all, and returns it once.
        axis_size: the length of the mapped axis, where no argument tells it.
        chunk_size: map at most so many elements at a time, which bounds the memory.
        fallback: what to do with a primitive that has no batching rule: "loop" over
            the elements (default), "warn" as well, or "raise". Maps inside follow, if
            they don't say otherwise.

    An array of shape (n, *shape) is of shape (*shape) inside `fun`. Random numbers that
    `fun` draws from a NumPy generator are the same for all elements. Raises
    `ValueError` when the mapped axes differ in length, naming each.

    >>> from autograd_lite import grad, vmap
    >>> vmap(grad(lambda x: x * x))(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    >>> vmap(lambda p, x: p["w"] @ x, ({"w": None}, 1), 1)(
    ...     {"w": np.ones((1, 2))}, np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    ... )
    array([[5., 7., 9.]])
    """
    if chunk_size is not None and operator.index(chunk_size) < 1:
        raise ArgumentError(f"chunk_size={chunk_size}: expected 1 or more elements")

    @wraps(fun, "map")
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = tree.flatten((args, kwargs))
        axes = _leaf_axes(in_axes, args, kwargs)
        values = [x if axis is None else as_array(x) for x, axis in zip(leaves, axes)]
        size = _mapped_size(values, axes, axis_size, args, kwargs)
        fronted = [
            x if axis is None else move_axis(x, axis, 0)
            for x, axis in zip(values, axes)
        ]
        flat, structure = flat_version(_of_pair(fun), treedef, kinds=_VALUES)
        batched = [axis is not None for axis in axes]
        with fallback_is(fallback):
            outs = _chunked(flat, fronted, batched, size, chunk_size)
        outdef = structure()
        results = _placed(outs, out_axes, outdef, size)
        return tree.unflatten(outdef, separate(results, values))

    return mapped


# Text and dates can be repeated, arrays of objects too.
_VALUES: Final = NUMBERS + "USMmOV"


def _of_pair(fun: Fun) -> Fun:
    return named_after(fun, lambda args, kwargs: fun(*args, **kwargs))


# -- the axes that come in ------------------------------------------------------------


def _leaf_axes(in_axes: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """Return the mapped axis of each leaf of the arguments, None for no axis."""
    if isinstance(in_axes, (list, tuple)):
        each = list(in_axes)
        if len(each) != len(args):
            raise ArgumentError(
                f"in_axes={in_axes} has {len(each)} entries for {len(args)} arguments "
                "given by position; those by keyword are mapped over axis 0"
            )
    elif _is_axis(in_axes):
        each = [in_axes] * len(args)
    else:
        raise ArgumentError(
            f"in_axes={in_axes!r}: expected an int, None, or a sequence with one entry "
            "per argument; for a single argument that is a tree, a tuple of one tree"
        )
    found = []
    for i, (axes, arg) in enumerate(zip(each, args)):
        what = f"in_axes[{i}]"
        found += _checked_axes(tree.spread(axes, tree.structure(arg), what), what)
    return found + [0] * len(tree.leaves(kwargs))


def _checked_axes(axes: list[Any], what: str) -> list[Any]:
    for axis in axes:
        if not _is_axis(axis):
            raise ArgumentError(f"{what} holds {axis!r}: expected ints, or None")
    return axes


def _is_axis(axis: Any) -> bool:
    is_int = isinstance(axis, (int, np.integer)) and not isinstance(axis, bool)
    return axis is None or is_int


def _mapped_size(
    values: Sequence[Any],
    axes: Sequence[Any],
    axis_size: int | None,
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> int:
    """Return the length of the mapped axes; raise unless there is one."""
    sizes = set() if axis_size is None else {operator.index(axis_size)}
    for i, (x, axis) in enumerate(zip(values, axes)):
        if axis is not None:
            if not -x.ndim <= axis < x.ndim:
                raise ArgumentError(
                    f"vmap over axis {axis} of {_places(args, kwargs)[i]}, which has "
                    f"shape {x.shape}; for what is not mapped say None in in_axes"
                )
            sizes.add(x.shape[axis])
    if not sizes:
        raise ArgumentError(
            "vmap maps over no argument, in_axes is None: give axis_size"
        )
    if len(sizes) > 1:
        raise ArgumentError(_several(values, axes, axis_size, _places(args, kwargs)))
    return sizes.pop()


def _several(
    values: Sequence[Any], axes: Sequence[Any], axis_size: Any, places: list[str]
) -> str:
    lines = [
        f"  {place}: shape {x.shape}, axis {axis} of length {x.shape[axis]}"
        for x, axis, place in zip(values, axes, places)
        if axis is not None
    ]
    if axis_size is not None:
        lines.append(f"  axis_size={axis_size}")
    return "\n".join(["vmap needs one length for all mapped axes, but got", *lines])


def _places(args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """Return what errors call each leaf of the arguments."""
    named = [(f"argument {i}", arg) for i, arg in enumerate(args)]
    named += [(f"argument {name!r}", kwargs[name]) for name in sorted(kwargs)]
    return [
        f"{name} at {path!r}" if path else name
        for name, arg in named
        for path in tree.paths(arg)
    ]


# -- the results that go out ----------------------------------------------------------


def _placed(
    outs: Sequence[tuple[Any, bool]], out_axes: Any, outdef: tree.TreeDef, size: int
) -> list[Any]:
    """Return the results with the mapped axis where `out_axes` wants it."""
    axes = _checked_axes(tree.spread(out_axes, outdef, "out_axes"), "out_axes")
    results = []
    for i, ((y, is_mapped), axis) in enumerate(zip(outs, axes, strict=True)):
        if axis is None and not is_mapped:
            results.append(y)
        elif axis is None or not -y.ndim - (not is_mapped) <= axis < y.ndim + (
            not is_mapped
        ):
            path = tree.paths(tree.unflatten(outdef, list(range(len(outs)))))[i]
            raise ArgumentError(_no_place(y, is_mapped, axis, size, path))
        else:
            results.append(move_axis(repeated(y, is_mapped, size), 0, axis))
    return results


def _no_place(y: Any, is_mapped: bool, axis: Any, size: int, path: str) -> str:
    name = f"the result at {path!r}" if path else "the result"
    if axis is None:
        return (
            f"out_axes is None for {name}, which differs from element to element "
            f"(shape {y.shape} for all); give the place of its mapped axis"
        )
    shape = y.shape if is_mapped else (size, *y.shape)
    return f"out_axes puts the mapped axis at {axis}, but {name} has shape {shape}"


# -- chunks ---------------------------------------------------------------------------


def _chunked(
    flat: Callable[..., Sequence[Any]],
    values: Sequence[Any],
    batched: Sequence[bool],
    size: int,
    chunk_size: int | None,
) -> list[tuple[Any, bool]]:
    """Map in chunks of the batch; only the results of all exist at once."""
    if size == 0:
        return _map_none(flat, values, batched)
    if chunk_size is None or size <= chunk_size:
        return map_flat(flat, values, batched, size)
    columns: list[_Column] = []
    for start in range(0, size, chunk_size):
        stop = min(start + chunk_size, size)
        part = [
            getitem(v, slice(start, stop)) if b else v for v, b in zip(values, batched)
        ]
        outs = map_flat(flat, part, batched, stop - start)
        columns = columns or [_Column(size) for _ in outs]
        for column, (y, is_mapped) in zip(columns, outs, strict=True):
            column.put(y, is_mapped, start)
    return [column.whole() for column in columns]


def _map_none(
    flat: Callable[..., Sequence[Any]], values: Sequence[Any], batched: Sequence[bool]
) -> list[tuple[Any, bool]]:
    """Map over no elements: the shapes are those that a made-up element leads to."""
    one = [_made_up(v)[None] if b else v for v, b in zip(values, batched)]
    try:
        with np.errstate(all="ignore"):
            outs = map_flat(flat, one, batched, 1)
    except FAILURES as error:
        error.add_note(
            "vmap over an axis of length 0: the function was run on a made-up element, "
            "to learn the shapes of its results"
        )
        raise
    return [
        (np.empty((0, *y.shape[1:]), y.dtype), True) if m else (y, m) for y, m in outs
    ]


def _made_up(x: Any) -> Any:
    """Return an element of an empty batch: ones, or diagonal matrices, or zeros.

    Diagonal matrices with different values can be inverted and decomposed, integers of
    zero are indices and labels.
    """
    shape = x.shape[1:]
    if x.dtype.kind not in "fc":
        return np.zeros(shape, x.dtype)
    if len(shape) < 2:
        return np.ones(shape, x.dtype)
    n = min(shape[-2:])
    element = np.zeros(shape, x.dtype)
    element[..., range(n), range(n)] = np.arange(1, n + 1)
    return element


class _Column:
    """One result of all chunks; a plain array is written to its place at once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.buffer: Any = None
        self.parts: list[Any] = []
        self.same: Any = None

    def put(self, y: Any, is_mapped: bool, start: int) -> None:
        """Add the part of a chunk that begins at element `start`."""
        if not is_mapped:
            self.same = y
        elif type(y) is not np.ndarray:
            self.parts.append(y)
        else:
            if self.buffer is None:
                self.buffer = np.empty((self.size, *y.shape[1:]), y.dtype)
            self.buffer[start : start + len(y)] = y

    def whole(self) -> tuple[Any, bool]:
        """Return the result, and whether it is mapped."""
        if self.parts:
            return concatenate(*self.parts, axis=0), True
        return (self.same, False) if self.buffer is None else (self.buffer, True)
