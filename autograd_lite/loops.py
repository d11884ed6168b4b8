"""scan: a loop that carries a state, with little memory where it is long."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from . import tree
from .checkpointing import checkpoint
from .errors import ArgumentError, ShapeError, TreeError
from .ops.basic import stack
from .ops.index import getitem
from .ops.shape import concatenate
from .reverse import as_array

Step = Callable[[Any, Any], tuple[Any, Any]]


def scan(
    f: Step,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    *,
    checkpoint_every: int | Literal["sqrt"] | None = None,
) -> tuple[Any, Any]:
    """Return the last carry, and what every step put out, stacked.

    Args:
        f: `f(carry, x) -> (carry, y)`, functions of trees. The carry keeps its
            structure, shapes and dtypes.
        init: the first carry.
        xs: a tree of arrays `(n, *m)`; step i is given their elements i. None gives
            each step None.
        length: n, needed where xs has no leaves.
        reverse: go from the last element to the first; the outputs stand where their
            inputs do.
        checkpoint_every: keep only the carry of every k-th step for the walk back, and
            run k steps again at a time: n / k + k of them are in memory. "sqrt" takes
            k = sqrt(n), and memory grows as sqrt(n). See `checkpoint` for what `f` may
            capture then.

    Raises `TreeError` where the carry changes its structure, `ShapeError` where it
    changes a shape or dtype, `ArgumentError` where lengths differ.

    >>> import numpy as np
    >>> scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 1., 3.]))
    """
    leaves, treedef = tree.flatten(xs)
    leaves = [as_array(x) for x in leaves]
    n = _length(leaves, tree.paths(xs), length)
    carry = tree.map(as_array, init)
    if n == 0:
        return carry, _no_outputs(f, carry, leaves, treedef)

    def run(carry: Any, leaves: list[Any], count: int) -> tuple[Any, Any]:
        """Take `count` steps over the elements of the leaves."""
        ys = []
        for i in _ordered(range(count), reverse):
            x = tree.unflatten(treedef, [getitem(leaf, i) for leaf in leaves])
            carry, y = _step(f, carry, x)
            ys.append(y)
        return carry, tree.map(lambda *parts: stack(*parts), *_ordered(ys, reverse))

    if checkpoint_every is None:
        return run(carry, leaves, n)
    size, blocks = _block(checkpoint_every, n), []
    checkpointed = checkpoint(run)
    for low in _ordered(range(0, n, size), reverse):
        part = [getitem(leaf, slice(low, low + size)) for leaf in leaves]
        carry, ys = checkpointed(carry, part, min(size, n - low))
        blocks.append(ys)
    joined = _ordered(blocks, reverse)
    return carry, tree.map(lambda *ys: concatenate(*ys, axis=0), *joined)


def _ordered(items: Sequence[Any], reverse: bool) -> Sequence[Any]:
    return items[::-1] if reverse else items


def _step(f: Step, carry: Any, x: Any) -> tuple[Any, Any]:
    """Return the next carry and the output of a step."""
    out = f(carry, x)
    if type(out) is not tuple or len(out) != 2:
        got = type(out).__name__
        raise ArgumentError(f"scan: f must return a pair (carry, y), got {got}")
    new = tree.map(as_array, out[0])
    try:
        tree.map(_check_same, carry, new, _named(carry))
    except TreeError as error:
        raise TreeError(f"scan: the carry changed its structure: {error}") from None
    return new, tree.map(as_array, out[1])


def _named(carry: Any) -> Any:
    """Return the tree of the paths of its leaves."""
    return tree.unflatten(tree.structure(carry), tree.paths(carry))


def _check_same(old: Any, new: Any, path: str) -> None:
    if old.shape != new.shape or old.dtype != new.dtype:
        place = f" at {path!r}" if path else ""
        raise ShapeError(
            f"scan: the carry{place} had shape {old.shape} and dtype {old.dtype}, but "
            f"after a step it has shape {new.shape} and dtype {new.dtype}; f must keep "
            "them: start with an `init` like what f returns, or convert in f"
        )


def _no_outputs(f: Step, carry: Any, leaves: list[Any], treedef: Any) -> Any:
    """Return the outputs of no steps: f is tried on zeros for their shapes."""
    zeros = [np.zeros(x.shape[1:], x.dtype)[()] for x in leaves]
    _, y = _step(f, carry, tree.unflatten(treedef, zeros))
    return tree.map(lambda leaf: np.zeros((0, *leaf.shape), leaf.dtype), y)


def _block(every: int | str, n: int) -> int:
    if every == "sqrt":
        return math.ceil(math.sqrt(n))
    if isinstance(every, int) and every >= 1:
        return every
    raise ArgumentError(
        f'checkpoint_every={every!r}: expected a number of steps, or "sqrt"'
    )


def _length(leaves: list[Any], paths: list[str], length: int | None) -> int:
    """Return the number of steps; raise where leaves disagree about it."""
    known = {"length": length} if length is not None else {}
    for path, leaf in zip(paths, leaves):
        name = f"xs.{path}" if path else "xs"
        if not leaf.shape:
            raise ArgumentError(f"scan: {name} is a scalar, which has no elements")
        known[name] = leaf.shape[0]
    if not known:
        raise ArgumentError("scan: give length=, as xs has no arrays")
    if len(set(known.values())) > 1:
        raise ArgumentError(f"scan: the numbers of steps differ: {known}")
    return next(iter(known.values()))
