"""How a rule for one leaf becomes an optimiser of whole trees.

A rule overwrites vectors in place. Here trees are taken apart and compared, buffers are
copied unless they were given up, and trees are put together again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from .. import tree
from ..errors import ArgumentError, DifferentiationTypeError, ShapeError, TreeError
from ..kernels import memory

State: TypeAlias = Any
Vector: TypeAlias = "np.ndarray[Any, Any]"
# What happens to the leaves at one step, `rule(target, gradient, *moments, *param)`: a
# kernel that overwrites the vectors of the gradient (with the update) and the moments,
# may read the one of the parameter, and adds the update to the target if it has a size.
LeafRule: TypeAlias = Callable[..., None]


class _Update(Protocol):
    """The second function of an `Optimizer`."""

    def __call__(
        self, grads: Any, state: State, params: Any = None, donate: bool = False
    ) -> tuple[Any, State]: ...


class _Step(Protocol):
    """The third function of an `Optimizer`."""

    def __call__(
        self, grads: Any, state: State, params: Any, donate: bool = False
    ) -> tuple[Any, State]: ...


class Optimizer(NamedTuple):
    """The two functions that an optimiser consists of.

    `init(params) -> state`
    `update(grads, state, params=None, donate=False) -> (updates, state)`

    The third is both `update` and `apply_updates` in one pass, for `optim.step`, where
    there is one: `step(grads, state, params, donate=False) -> (params, state)`.
    """

    init: Callable[[Any], State]
    update: _Update
    step: _Step | None = None


@cache
def kernels() -> ModuleType:
    """Return `kernels.optim`; imported on first use, because it loads Numba."""
    from ..kernels import optim as kernels

    return kernels


# Long, as it is three functions of the same rule.
def leafwise(
    at: Callable[[int], LeafRule], moments: tuple[str, ...], needs_params: bool = False
) -> Optimizer:
    """Return the optimiser that applies the rule `at(count)` to each leaf.

    Its state holds the count of steps and, for each name in `moments`, a tree of arrays
    like the parameters.
    """

    def init(params: Any) -> State:
        leaves, treedef = tree.flatten(params)
        arrays = [float_array(leaf, i, params) for i, leaf in enumerate(leaves)]
        zeros = {m: [np.zeros(a.shape, a.dtype) for a in arrays] for m in moments}
        return {"step": 0} | {m: tree.unflatten(treedef, z) for m, z in zeros.items()}

    def update(
        grads: Any, state: State, params: Any = None, donate: bool = False
    ) -> tuple[Any, State]:
        leaves, treedef = tree.flatten(grads)
        kept = _parameters(treedef, params) if needs_params else []
        taken = {id(root(p)) for column in kept for p in column}
        us = buffers_of(leaves, grads, donate, taken)
        columns = [
            buffers_of(held, grads, donate, taken)
            for held in _moments(treedef, state, moments)
        ]
        rule = at(_count(state))
        for u, *row in rows(grads, us, *columns, *kept):
            rule(u[:0], u, *row)
        return tree_of(treedef, us), _next_state(treedef, state, moments, columns)

    def step(
        grads: Any, state: State, params: Any, donate: bool = False
    ) -> tuple[Any, State]:
        leaves, treedef = tree.flatten(grads)
        taken: set[int] = set()
        given = like(treedef, params, "the parameters")
        ps = buffers_of(given, params, donate, taken)
        us = buffers_of(leaves, grads, donate, taken)
        columns = [
            buffers_of(held, grads, donate, taken)
            for held in _moments(treedef, state, moments)
        ]
        rule = at(_count(state))
        for p, u, *row in rows(grads, ps, us, *columns):
            rule(p, u, *row, *([p] if needs_params else ()))
        return tree_of(treedef, ps), _next_state(treedef, state, moments, columns)

    return Optimizer(init, update, step)


def _next_state(
    treedef: tree.TreeDef,
    state: State,
    moments: tuple[str, ...],
    columns: list[list[Vector]],
) -> State:
    new = {m: tree_of(treedef, column) for m, column in zip(moments, columns)}
    return {"step": _count(state) + 1} | new


def _count(state: State) -> int:
    if not isinstance(state, dict) or "step" not in state:
        raise ArgumentError(
            "the state has no 'step': it is not this optimiser's. "
            "Make one with init(params)."
        )
    return int(state["step"])


def _moments(
    treedef: tree.TreeDef, state: State, names: tuple[str, ...]
) -> list[list[Any]]:
    """Return the leaves of each of the state's trees of these names."""
    for name in names:
        if not isinstance(state, dict) or name not in state:
            raise ArgumentError(
                f"the state has no {name!r}: it is not this optimiser's. "
                "Make one with init(params)."
            )
    return [like(treedef, state[n], f"the state's {n!r}") for n in names]


def _parameters(treedef: tree.TreeDef, params: Any) -> list[list[Any]]:
    if params is None:
        raise ArgumentError(
            "weight decay needs the parameters: write update(grads, state, params)."
        )
    leaves = like(treedef, params, "the parameters")
    return [[float_array(leaf, i, params) for i, leaf in enumerate(leaves)]]


def like(treedef: tree.TreeDef, other: Any, what: str) -> list[Any]:
    """Return the leaves of a tree of this structure; if it isn't, raise `TreeError`."""
    try:
        return tree.leaves_as(treedef, other)
    except TreeError as error:
        raise TreeError(f"{what} do not match: {error}") from None


def float_array(leaf: Any, index: int, whole: Any) -> Vector:
    """Return a leaf as an array of float32 or float64."""
    array = leaf if type(leaf) is np.ndarray else np.asarray(leaf)
    if array.dtype.char not in "fd":
        raise DifferentiationTypeError(
            f"the leaf {tree.paths(whole)[index]!r} has dtype {array.dtype}, but "
            "optimisers work on float32 and float64. Keep what is not trained out of "
            "the tree, or convert it with x.astype(np.float32)."
        )
    return array


def buffers_of(
    leaves: Sequence[Any], whole: Any, donate: bool, taken: set[int]
) -> list[Vector]:
    """Return arrays that hold the leaves and may be overwritten.

    Donated leaves are returned themselves, except where they are read-only or share
    memory with an array in `taken`, which keeps account.
    """
    found = []
    for i, leaf in enumerate(leaves):
        array = float_array(leaf, i, whole)
        owner = id(root(array))
        if not donate or owner in taken or not array.flags.carray:
            array = copied(array)
            owner = id(root(array))
        taken.add(owner)
        found.append(array)
    return found


def copied(array: Vector) -> Vector:
    """Return a contiguous copy, in memory that is recycled when nobody uses it."""
    copy = memory.empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def root(array: Any) -> Any:
    """Return the object that owns an array's memory."""
    base = array.base
    while base is not None:
        array, base = base, getattr(base, "base", None)
    return array


def rows(whole: Any, *columns: Sequence[Vector]) -> Iterator[list[Vector]]:
    """Yield corresponding leaves as vectors, after a check that they are alike."""
    for i, row in enumerate(zip(*columns, strict=True)):
        first = row[0]
        for other in row[1:]:
            if other.shape != first.shape or other.dtype != first.dtype:
                raise ShapeError(
                    f"the leaf {tree.paths(whole)[i]!r} has shape {first.shape} and "
                    f"dtype {first.dtype}, but what belongs to it has {other.shape} "
                    f"and {other.dtype}. Gradients, updates and state are like the "
                    "parameters, leaf by leaf."
                )
        yield [a if a.ndim == 1 else a.reshape(-1) for a in row]


def tree_of(treedef: tree.TreeDef, arrays: Sequence[Vector]) -> Any:
    """Return the tree of these arrays, those without axes as scalars."""
    return tree.unflatten(treedef, [a if a.ndim else a[()] for a in arrays])
