"""Ways to put optimisers together, and to apply what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError
from .leafwise import (
    LeafRule,
    Optimizer,
    State,
    buffers_of,
    float_array,
    kernels,
    leafwise,
    like,
    root,
    rows,
    tree_of,
)
from .settings import check_size


def add_decayed_weights(weight_decay: float) -> Optimizer:
    """Return what adds `weight_decay * p` to gradients; for use in a `chain`."""
    check_size(weight_decay=weight_decay)

    def at(count: int) -> LeafRule:
        return lambda _, u, p: kernels().add_scaled(u, p, float(weight_decay))

    # Gradients are no updates yet, for `step` to add.
    return leafwise(at, (), needs_params=True)._replace(step=None)


def clip_by_global_norm(max_norm: float) -> Optimizer:
    """Return what scales gradients down to `max_norm` where their norm is larger.

    R. Pascanu and others, 2013, "On the difficulty of training recurrent networks".

    >>> from autograd_lite.optim import sgd
    >>> opt = chain(clip_by_global_norm(1.0), sgd(0.5))
    >>> updates, _ = opt.update([3.0, 4.0], opt.init([0.0, 0.0]))
    >>> [round(float(u), 6) for u in updates]
    [-0.3, -0.4]
    """
    check_size(max_norm=max_norm)

    def update(
        grads: Any, state: State, params: Any = None, donate: bool = False
    ) -> tuple[Any, State]:
        leaves, treedef = tree.flatten(grads)
        norm = _norm(leaves, grads)
        if not norm > max_norm:
            return grads, state
        buffers = buffers_of(leaves, grads, donate, set())
        for buffer in buffers:
            kernels().scale(buffer.reshape(-1), max_norm / norm)
        return tree_of(treedef, buffers), state

    return Optimizer(lambda params: {}, update)


def global_norm(grads: Any) -> float:
    """Return the Euclidean norm of all leaves together, added up in float64.

    >>> global_norm({"a": 3.0, "b": [4.0]})
    5.0
    """
    return _norm(tree.leaves(grads), grads)


def chain(*optimizers: Optimizer) -> Optimizer:
    """Return the optimiser that hands what each one returns to the next.

    >>> from autograd_lite.optim import adam
    >>> opt = chain(clip_by_global_norm(1.0), adam(1e-3))
    """
    _check_members("chain", optimizers)

    def update(
        grads: Any, state: State, params: Any = None, donate: bool = False
    ) -> tuple[Any, State]:
        _check_states("chain", optimizers, state)
        new = []
        for optimizer, s in zip(optimizers, state, strict=True):
            grads, s = optimizer.update(grads, s, params, donate=donate)
            new.append(s)
        return grads, tuple(new)

    def step_with_last(
        grads: Any, state: State, params: Any, donate: bool = False
    ) -> tuple[Any, State]:
        _check_states("chain", optimizers, state)
        new = []
        for optimizer, s in zip(optimizers[:-1], state):
            grads, s = optimizer.update(grads, s, params, donate=donate)
            new.append(s)
        params, s = step(optimizers[-1], grads, state[-1], params, donate=donate)
        return params, (*new, s)

    def init(params: Any) -> State:
        return tuple([o.init(params) for o in optimizers])

    return Optimizer(init, update, step_with_last)


def combine(*optimizers: Optimizer) -> Optimizer:
    """Return the optimiser whose update is the sum of the others' updates.

    >>> from autograd_lite.optim import adam, momentum
    >>> both = combine(adam(1e-3), momentum(1e-2))
    """
    _check_members("combine", optimizers)

    def update(
        grads: Any, state: State, params: Any = None, donate: bool = False
    ) -> tuple[Any, State]:
        _check_states("combine", optimizers, state)
        total: Any = None
        new = []
        for i, (optimizer, s) in enumerate(zip(optimizers, state, strict=True)):
            # Only the last may have the gradients; each of the others gets a copy.
            last = i == len(optimizers) - 1
            given = _copy(grads) if donate and not last else grads
            updates, s = optimizer.update(given, s, params, donate=donate)
            total = updates if total is None else apply_updates(total, updates, True)
            new.append(s)
        return total, tuple(new)

    return Optimizer(lambda p: tuple([o.init(p) for o in optimizers]), update)


def _copy(grads: Any) -> Any:
    leaves, treedef = tree.flatten(grads)
    return tree_of(treedef, buffers_of(leaves, grads, donate=False, taken=set()))


def step(
    optimizer: Optimizer, grads: Any, state: State, params: Any, donate: bool = False
) -> tuple[Any, State]:
    """Return the next parameters and state: `update` and `apply_updates` at once.

    The results are the same, bit for bit; gradients, state and parameters are read once
    instead of twice. With `donate` their memory is reused for the results.

    >>> from autograd_lite.optim import sgd
    >>> opt = sgd(0.5)
    >>> step(opt, [2.0], opt.init([1.0]), [1.0])
    ([np.float64(0.0)], {'step': 1})
    """
    if optimizer.step is not None:
        return optimizer.step(grads, state, params, donate=donate)
    updates, state = optimizer.update(grads, state, params, donate=donate)
    return apply_updates(params, updates, donate=donate), state


def apply_updates(params: Any, updates: Any, donate: bool = False) -> Any:
    """Return `params + updates`, leaf by leaf; with `donate` in the memory of params.

    Raises `TreeError` with the path when the trees differ.
    """
    leaves, treedef = tree.flatten(params)
    others = like(treedef, updates, "the updates")
    added = [float_array(leaf, i, updates) for i, leaf in enumerate(others)]
    buffers = buffers_of(leaves, params, donate, {id(root(u)) for u in added})
    for param, change in rows(params, buffers, added):
        kernels().add_scaled(param, change, 1.0)
    return tree_of(treedef, buffers)


def _norm(leaves: Sequence[Any], whole: Any) -> float:
    arrays = [float_array(leaf, i, whole) for i, leaf in enumerate(leaves)]
    vectors = [np.ascontiguousarray(a).reshape(-1) for a in arrays]
    return math.sqrt(sum([kernels().square_norm(v) for v in vectors]))


def _check_members(name: str, optimizers: Sequence[Any]) -> None:
    if not optimizers or not all(isinstance(o, Optimizer) for o in optimizers):
        raise ArgumentError(
            f"{name}{tuple(optimizers)!r}: expected optimisers, such as "
            f"{name}(adam(1e-3), momentum(1e-2))."
        )


def _check_states(name: str, optimizers: Sequence[Any], state: Any) -> None:
    if not isinstance(state, list | tuple) or len(state) != len(optimizers):
        raise ArgumentError(
            f"the state is not that of a {name} of {len(optimizers)} optimisers. "
            "Make one with init(params)."
        )
